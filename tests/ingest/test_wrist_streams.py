"""Which streams of a session are read as the recording of a wrist."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ingest.chunks import canonical_body, decode_chunk
from ingest.missing_rotation import rotation_notes
from ingest.recordings import load_portions, load_recordings
from ingest.session_notes import session_notes
from ingest.stored_session import with_lists
from ingest.wrist_streams import WristStreams, wrist_of
from models.signal.pieces import Piece, Recording
from schemas.events import Completion
from schemas.notes import NO_ROTATION
from store.sessions import SessionRow
from tests.ingest.histories import CHUNKS, LIMITS, STREAM
from tests.ingest.recorded_session import GYRO, NOW, RecordedSession

NS = 10**9
Stream = dict[str, Any]


def stream(kind: str, placement: str = "wrist", side: str | None = "left") -> Stream:
    return {"kind": kind, "placement": placement, "side": side}


@pytest.mark.parametrize(
    ("streams", "wrist"),
    [
        ({}, WristStreams((), (), None)),
        ({"g": stream("gyro")}, WristStreams((), (), None)),
        ({"a": stream("acc")}, WristStreams(("a",), (), "left")),
        ({"a": stream("acc"), "g": stream("gyro")}, WristStreams(("a",), ("g",), "left")),
        ({"a": stream("acc"), "g": stream("gyro", side="right")}, WristStreams(("a",), (), "left")),
        (
            {
                "a": stream("acc"),
                "b": stream("acc", side="right"),
                "g": stream("gyro", side="right"),
            },
            WristStreams(("b",), ("g",), "right"),
        ),
        (
            {"a": stream("acc"), "b": stream("acc"), "g": stream("gyro")},
            WristStreams(("a", "b"), ("g",), "left"),
        ),
        (
            {"a": stream("acc", side=None), "g": stream("gyro", side=None)},
            WristStreams(("a",), ("g",), None),
        ),
    ],
)
def test_wrist_streams_are_the_first_side_with_both_sensors(
    streams: dict[str, Stream], wrist: WristStreams
) -> None:
    assert wrist_of(streams) == wrist


@pytest.mark.parametrize(
    ("streams", "wrist"),
    [
        (
            {"a": stream("acc"), "g": stream("gyro", "Wrist")},
            WristStreams(("a",), ("g",), "left"),
        ),
        (
            {"a": stream("acc"), "g": stream("gyro", side=None)},
            WristStreams(("a",), ("g",), "left"),
        ),
        (
            {"a": stream("acc", side=None), "g": stream("gyro", side="right")},
            WristStreams(("a",), ("g",), "right"),
        ),
        (  # "wrist" is what is stored where none is declared
            {"a": stream("acc", "Left Wrist"), "g": stream("gyro")},
            WristStreams(("a",), ("g",), "left"),
        ),
        (
            {"a": {"kind": "acc"}, "g": stream("gyro", "smartwatch")},
            WristStreams(("a",), ("g",), "left"),
        ),
        (
            {"a": stream("acc", "left wrist"), "g": stream("gyro", "smartwatch")},
            WristStreams(("a",), (), "left"),
        ),
        (
            {"a": stream("acc", "pocket"), "g": stream("gyro")},
            WristStreams(("a",), (), "left"),
        ),
        (  # rotation of which wrist?
            {"a": stream("acc"), "b": stream("acc", side="right"), "g": stream("gyro", side=None)},
            WristStreams(("a",), (), "left"),
        ),
        (  # which rotation?
            {
                "a": stream("acc", side=None),
                "g": stream("gyro"),
                "h": stream("gyro", side="right"),
            },
            WristStreams(("a",), (), None),
        ),
        (  # the left wrist has its own
            {
                "a": stream("acc"),
                "b": stream("acc", side="right"),
                "g": stream("gyro"),
                "h": stream("gyro", side=None),
            },
            WristStreams(("a",), ("g",), "left"),
        ),
        (
            {f"rec{n}-{kind}": stream(kind) for n in (2, 1) for kind in ("acc", "gyro")},
            WristStreams(("rec1-acc", "rec2-acc"), ("rec1-gyro", "rec2-gyro"), "left"),
        ),
    ],
)
def test_sensors_belong_together_unless_their_declarations_contradict(
    streams: dict[str, Stream], wrist: WristStreams
) -> None:
    assert wrist_of(streams) == wrist


def both_at(placement: str, names: str, side: str | None = "left") -> dict[str, Stream]:
    return {
        name: stream(kind, placement, side)
        for name, kind in zip(names, ("acc", "gyro"), strict=True)
    }


@pytest.mark.parametrize("worn", ["wrist", "Left Wrist", "smartwatch", "WATCH"])
def test_watch_is_preferred_over_a_phone_in_a_pocket(worn: str) -> None:
    pocket = both_at("pocket", "ab", side=None)
    assert wrist_of(pocket | both_at(worn, "xy")) == WristStreams(("x",), ("y",), "left")
    assert wrist_of(pocket | {"x": stream("acc", worn)}) == WristStreams(("x",), (), "left")
    assert wrist_of(pocket | {"y": stream("gyro", worn)}) == WristStreams(("a",), ("b",), None)


def test_another_placement_is_used_if_there_is_no_wrist() -> None:
    """Placements are free text; a user's own model learns the placement that is used."""
    streams = both_at("pocket", "ab") | {"c": stream("acc", "arm")}
    assert wrist_of(streams) == WristStreams(("a",), ("b",), "left")


async def several(
    streams: dict[str, tuple[Stream, list[int]]],
) -> tuple[RecordedSession, SessionRow]:
    """A complete session of several streams; of each its declaration, and seconds of samples."""
    one = RecordedSession(**{name: declared for name, (declared, _) in streams.items()})
    await one.open()
    lists: dict[str, list[str | None]] = {}
    for name, (declared, seconds) in streams.items():
        sent = CHUNKS[0, 0].piece
        for seq, second in enumerate(seconds):
            piece = replace(sent, t0_ns=sent.t0_ns + second * NS, unit=declared["unit"])
            chunk = decode_chunk(canonical_body(piece), "application/cbor", LIMITS)
            await one.recorder.put_chunk(one.user, one.session, name, seq, chunk)
            lists.setdefault(name, []).append(chunk.sha256.hex())
    return one, await one.recorder.complete(one.user, one.session, Completion(streams=lists))


WRIST, OTHER_WRIST = STREAM, {**STREAM, "side": "right"}
FIRST, LAST, ALL = [0, 1, 2], [3, 4, 5], [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("streams", "acc", "gyro", "unused"),
    [
        ({"a": (WRIST, FIRST), "b": (WRIST, LAST)}, ALL, [], []),
        ({"a": (WRIST, LAST), "b": (WRIST, FIRST)}, ALL, [], []),
        ({"a": (WRIST, [0, 1, 4, 5]), "b": (WRIST, [2, 3])}, ALL, [], []),
        ({"a": (WRIST, []), "b": (WRIST, LAST)}, LAST, [], []),
        ({"a": (WRIST, ALL), "b": (WRIST, LAST)}, ALL, [], ["b"]),
        ({"a": (WRIST, FIRST), "b": (WRIST, ALL), "c": (WRIST, LAST)}, ALL, [], ["b"]),
        ({"a": (WRIST, ALL), "b": (OTHER_WRIST, ALL)}, ALL, [], ["b"]),
        ({"a": (WRIST, ALL), "b": (OTHER_WRIST, [])}, ALL, [], []),
        ({"a": (WRIST, ALL), "g": ({**GYRO, "side": None}, ALL)}, ALL, ALL, []),
        ({"a": (WRIST, ALL), "g": (GYRO, FIRST), "h": (GYRO, LAST)}, ALL, ALL, []),
        ({"a": (WRIST, ALL), "g": ({**GYRO, "side": "right"}, ALL)}, ALL, [], ["g"]),
        ({"g": (GYRO, ALL)}, [], [], ["g"]),
    ],
)
async def test_streams_of_one_sensor_and_place_are_read_in_turn_and_others_are_noted(
    streams: dict[str, tuple[Stream, list[int]]], acc: list[int], gyro: list[int], unused: list[str]
) -> None:
    def seconds_of(pieces: Sequence[Piece]) -> list[int]:
        return [(piece.t0_ns - CHUNKS[0, 0].piece.t0_ns) // NS for piece in pieces]

    one, row = await several(streams)
    stored = await with_lists(one.records, one.user, row)
    (whole,), _ = await load_recordings(stored)
    start_ns = CHUNKS[0, 0].piece.t0_ns
    spans = [(start_ns, start_ns + 6 * NS)]
    parts = [part async for _, part in load_portions(stored, spans)]
    for recording in (whole, *parts):
        assert recording is not None
        assert (seconds_of(recording.acc), seconds_of(recording.gyro)) == (acc, gyro)
    notes = await session_notes(one.records, one.user, row, NOW)
    assert [n for n in notes if "not-used" in n] == [f"{name}: is-not-used" for name in unused]


async def test_only_the_first_day_of_all_streams_in_turn_is_loaded() -> None:
    one = RecordedSession(a=STREAM, b=STREAM)
    await one.open()
    sent = CHUNKS[0, 0].piece
    for seq in range(12):  # of 2.3 hours each
        t0_ns = sent.t0_ns + seq * 8192 * NS
        slow = replace(sent, t0_ns=t0_ns, rate_hz=1.0, counts=np.zeros((8192, 3), dtype=np.int16))
        chunk = replace(CHUNKS[0, 0], piece=slow)
        name = "a" if seq < 6 else "b"
        await one.recorder.put_chunk(one.user, one.session, name, seq, chunk)
    row = await one.records.sessions.read(one.user, one.session)
    assert row is not None
    (recording,), _ = await load_recordings(await with_lists(one.records, one.user, row))
    assert len(recording.acc) == 11


@pytest.mark.parametrize(
    ("seconds", "span_s", "missing"),
    [
        ([], (0, 2), True),
        ([], (0, 20), True),
        (range(20), (0, 20), False),
        (range(100, 120), (0, 2), True),
        (range(3, 17), (0, 20), False),  # at both ends for less than 4 s
        (range(4, 20), (0, 20), True),
        (range(16), (0, 20), True),
        ([*range(8), *range(11, 20)], (0, 20), False),
        ([*range(8), *range(12, 20)], (0, 20), True),
        ([*range(8), *range(12, 20)], (12, 20), False),
    ],
)
def test_rotation_is_missing_where_it_is_silent_for_a_window(
    seconds: Sequence[int], span_s: tuple[int, int], *, missing: bool
) -> None:
    whole = replace(CHUNKS[0, 0].piece, t0_ns=0)
    gyro = tuple(replace(whole, t0_ns=second * NS) for second in seconds)
    wrist = WristStreams(("a",), ("g",), None)
    notes = rotation_notes(wrist, Recording((), gyro, None), span_s[0] * NS, span_s[1] * NS)
    assert notes == ((NO_ROTATION,) if missing else ())
