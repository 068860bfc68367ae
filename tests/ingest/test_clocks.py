"""A clock set back during a session: two recordings, and a note about it."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ingest.clock_parts import parts_by_clock, rotation_by_clock
from ingest.recognition import recognise_session
from ingest.recordings import load_recordings
from ingest.session_notes import session_notes
from ingest.stored_session import with_lists
from models.recognition.sets import RecognitionModels, recognise
from models.signal.pieces import Piece, Recording
from schemas.events import Completion
from schemas.notes import CLOCK_WENT_BACK
from store.predictions import Prediction
from store.samples import ChunkMetadata
from tests.ingest.histories import STREAM, chunk
from tests.ingest.recorded_session import GYRO, NOW, RecordedSession
from tests.ingest.repeating import ASKED, RATE_HZ, repeating

NS = 10**9
CHUNK_S = 10.0
WHOLE: Piece = repeating().piece  # 80 s with a set in the middle


def pieces(t0_s: float, faster: int = 1, chunk_s: float = CHUNK_S) -> list[Piece]:
    """The movement in chunks from `t0_s` on, at `faster` times its tempo."""
    counts, n = WHOLE.counts[::faster], int(chunk_s * RATE_HZ)
    return [
        replace(
            WHOLE, t0_ns=WHOLE.t0_ns + round((t0_s + k / RATE_HZ) * NS), counts=counts[k : k + n]
        )
        for k in range(0, len(counts), n)
    ]


FIRST = [*pieces(0), *pieces(80)]
BACK = [*pieces(3.7, faster=2), *pieces(93.7, faster=2)]  # the clock went back by 156 s


async def sent(numbered: Sequence[Piece], arriving: int = 1) -> tuple[RecordedSession, Any]:
    """A session of chunks that arrive in the order of their numbers, or in the opposite one."""
    one = RecordedSession()
    await one.open()
    chunks = [chunk(piece) for piece in numbered]
    for seq, each in list(enumerate(chunks))[::arriving]:
        await one.recorder.put_chunk(one.user, one.session, "acc", seq, each)
    listed = Completion(streams={"acc": [each.sha256.hex() for each in chunks]})
    return one, await one.recorder.complete(one.user, one.session, listed)


async def seen(one: RecordedSession, session: Any) -> list[Prediction]:
    async def load_models(_: str) -> tuple[dict[str, Any], RecognitionModels]:
        return ASKED, RecognitionModels()

    stored = await with_lists(one.records, one.user, session)
    found = await recognise_session(stored, load_models, one.clock())
    assert found is not None
    return found[0]


def alone(acc: Sequence[Piece]) -> list[tuple[int, int | None]]:
    """Begin (ms) and repetitions of each set of a recording."""
    found = recognise(Recording(tuple(acc), (), "left"), RecognitionModels())
    return [(one.start_ns // 10**6, one.counted and one.counted.count) for one in found]


async def test_clock_set_back_splits_recognition_and_adds_a_note_to_every_set() -> None:
    one, session = await sent([*FIRST, *BACK])
    found = await seen(one, session)
    each = [(round(p.started_at.timestamp() * 1e3), p.reps) for p in found]
    assert each == sorted([*alone(FIRST), *alone(BACK)])
    assert len(each) == 4
    assert all(CLOCK_WENT_BACK in json.loads(p.details or "{}")["notes"] for p in found)
    assert f"acc: {CLOCK_WENT_BACK}" in await session_notes(one.records, one.user, session, NOW)


@pytest.mark.parametrize("chunk_s", [10.0, 1.0, 0.5])
async def test_clock_set_back_keeps_all_chunks_in_two_recordings(chunk_s: float) -> None:
    first = [*pieces(0, 1, chunk_s), *pieces(80, 1, chunk_s)]
    back = [*pieces(3.7, 2, chunk_s), *pieces(93.7, 2, chunk_s)]
    one, session = await sent([*first, *back])
    recordings, notes = await load_recordings(await with_lists(one.records, one.user, session))
    assert notes == (CLOCK_WENT_BACK,)
    assert [len(recording.acc) for recording in recordings] == [len(first), len(back)]


def moved(numbered: Sequence[Piece], by_s: Callable[[int], float]) -> list[Piece]:
    """Chunks that say another time, by number."""
    return [
        replace(piece, t0_ns=piece.t0_ns + round(by_s(k) * NS)) for k, piece in enumerate(numbered)
    ]


def noisy(sent: Sequence[Piece]) -> list[Piece]:
    """Pieces of which no two are the same: the movement repeats itself exactly."""
    dice = np.random.default_rng(0)
    noise = [dice.integers(-9, 9, piece.counts.shape, dtype=np.int16) for piece in sent]
    return [replace(piece, counts=piece.counts + n) for piece, n in zip(sent, noise, strict=True)]


def in_chunks_of(seconds: float, numbered: Sequence[Piece]) -> list[Piece]:
    n = round(seconds * RATE_HZ)
    return [
        replace(piece, t0_ns=piece.t0_ns + round(k / RATE_HZ * NS), counts=piece.counts[k : k + n])
        for piece in numbered
        for k in range(0, len(piece.counts), n)
    ]


def merged(sent_acc: Sequence[Piece], n: int) -> list[Piece]:
    """Chunks of which each `n` are one."""
    groups = [sent_acc[k : k + n] for k in range(0, len(sent_acc), n)]
    return [replace(g[0], counts=np.concatenate([one.counts for one in g])) for g in groups]


@pytest.mark.parametrize("chunk_s", [0.5, 1, 5, 10])
@pytest.mark.parametrize("back_s", [5.0, 20.0, 45.0, 23.7])
@pytest.mark.parametrize("at_s", [80, 120], ids=["between sets", "within a set"])
async def test_clock_set_back_by_seconds_splits_a_session_by_its_numbers(
    at_s: int, back_s: float, chunk_s: float
) -> None:
    whole = in_chunks_of(chunk_s, noisy(FIRST))
    first = round(at_s / chunk_s)
    old, new = whole[:first], moved(whole[first:], lambda _: -back_s)
    one, session = await sent([*old, *new], arriving=-1)
    recordings, notes = await load_recordings(await with_lists(one.records, one.user, session))
    assert notes == (CLOCK_WENT_BACK,)
    starts = [[piece.t0_ns for piece in recording.acc] for recording in recordings]
    assert starts == [[piece.t0_ns for piece in half] for half in (old, new)]
    if first < 128:  # the session's note looks no further
        notes = tuple(await session_notes(one.records, one.user, session, NOW))
        assert f"acc: {CLOCK_WENT_BACK}" in notes


async def test_sets_on_both_sides_of_a_clock_set_back_by_seconds_are_found() -> None:
    old, new = FIRST[:8], moved(FIRST[8:], lambda _: -45.0)
    one, session = await sent([*old, *new])
    found = await seen(one, session)
    each = [(round(p.started_at.timestamp() * 1e3), p.reps) for p in found]
    assert each == sorted([*alone(old), *alone(new)])
    assert len(each) == 2


@pytest.mark.parametrize(
    ("numbered", "says"),
    [
        (FIRST, False),
        ([*pieces(0), *pieces(3600)], False),  # a pause of an hour, or a clock set forward
        ([*pieces(300), *pieces(0)], True),  # set back, to a time without samples
        (FIRST[::-1], False),  # numbered in reverse: each step back is less than a minute
        ([*FIRST, *FIRST], False),  # all of it sent twice, under new numbers
        (moved(FIRST, lambda k: -0.1 * (k // 3)), False),  # corrected by 100 ms now and then
        (moved(FIRST, lambda k: -1.2 * (k >= 8)), False),
        (moved(merged(FIRST, 4), lambda k: -5.5 * (k >= 2)), False),  # less than 15 % of 40 s
        (moved(FIRST, lambda k: -4.0 * k), False),  # faster than it claims
        (moved(FIRST, lambda k: 10.0 * (k == 5) - 10.0 * (k == 6)), False),  # two swapped numbers
        ([*FIRST[:12], *FIRST[8:]], False),  # forty seconds sent twice, under new numbers
        ([*FIRST[:12], *FIRST[14:], *FIRST[12:14]], False),  # twenty seconds numbered last
    ],
)
async def test_chunks_without_clock_conflict_form_one_recording_in_time_order(
    numbered: list[Piece], *, says: bool
) -> None:
    one, session = await sent(numbered)
    recordings, notes = await load_recordings(await with_lists(one.records, one.user, session))
    (recording,) = recordings
    times = [piece.t0_ns for piece in recording.acc]
    assert times == sorted(piece.t0_ns for piece in numbered)
    assert (CLOCK_WENT_BACK in notes) == says
    noted = await session_notes(one.records, one.user, session, NOW)
    assert (f"acc: {CLOCK_WENT_BACK}" in noted) == says


async def test_samples_resent_in_other_chunk_lengths_form_one_recording() -> None:
    """A phone that restarts its upload, with chunks of another length."""
    n = 700
    again = [
        replace(
            WHOLE,
            t0_ns=WHOLE.t0_ns + round(k / RATE_HZ * NS),
            counts=WHOLE.counts[k : k + n],
        )
        for k in range(0, len(WHOLE.counts), n)
    ]
    one, session = await sent([*pieces(0), *again])
    recordings, notes = await load_recordings(await with_lists(one.records, one.user, session))
    assert len(recordings) == 1
    assert notes == ()


def turning(sent_acc: Sequence[Piece]) -> list[Piece]:
    return [replace(piece, unit="rad/s") for piece in sent_acc]


async def both(
    acc: Sequence[Piece], gyro: Sequence[Piece]
) -> tuple[list[list[list[int]]], tuple[str, ...]]:
    """The starts (s) of the chunks of both sensors in each recording, and the notes."""
    one = RecordedSession(acc=STREAM, gyro=GYRO)
    await one.open()
    hashes: dict[str, list[str | None]] = {}
    for name, numbered in (("acc", acc), ("gyro", turning(gyro))):
        chunks = [chunk(piece) for piece in numbered]
        for seq, each in enumerate(chunks):
            await one.recorder.put_chunk(one.user, one.session, name, seq, each)
        hashes[name] = [each.sha256.hex() for each in chunks]
    session = await one.recorder.complete(one.user, one.session, Completion(streams=hashes))
    recordings, notes = await load_recordings(await with_lists(one.records, one.user, session))
    return [[starts_s(one.acc), starts_s(one.gyro)] for one in recordings], notes


def starts_s(sent: Sequence[Piece]) -> list[int]:
    return [round((piece.t0_ns - WHOLE.t0_ns) / NS) for piece in sent]


BACK_BY_45 = (noisy(FIRST)[:8], moved(noisy(FIRST)[8:], lambda _: -45.0))
BACK_BY_160 = (noisy(FIRST), moved(noisy(FIRST), lambda _: 3.0))


def long_chunks(sides: tuple[list[Piece], list[Piece]]) -> list[Piece]:
    """Of each side one chunk: too few to tell by themselves that a clock was set back."""
    return [*merged(sides[0], 16), *merged(sides[1], 16)]


@pytest.mark.parametrize("long", ["acc", "gyro", ""])
def test_clock_set_back_that_one_sensor_shows_splits_both(long: str) -> None:
    old, new = BACK_BY_45
    short = [*old, *new]
    acc, gyro = [long_chunks(BACK_BY_45) if name == long else short for name in ("acc", "gyro")]
    recordings, notes = asyncio.run(both(acc, gyro))
    expected = {
        False: [starts_s(old), starts_s(new)],
        True: [starts_s(old[:1]), starts_s(new[:1])],
    }
    by_clock = zip(expected[long == "acc"], expected[long == "gyro"], strict=True)
    assert recordings == [list(pair) for pair in by_clock]
    assert notes == (CLOCK_WENT_BACK,)


@pytest.mark.parametrize("side", [0, 1], ids=["before", "after"])
def test_rotation_of_one_clock_goes_to_the_acceleration_of_that_clock(side: int) -> None:
    """The gyroscope was switched on, or off, when the clock was set back."""
    old, new = BACK_BY_160
    gyro = BACK_BY_160[side]
    recordings, _ = asyncio.run(both([*old, *new], gyro))
    turned: list[list[int]] = [[], []]
    turned[side] = starts_s(gyro)
    assert recordings == [[starts_s(old), turned[0]], [starts_s(new), turned[1]]]


def test_acceleration_that_does_not_go_back_is_not_split_by_rotation() -> None:
    acc = noisy(FIRST)
    gyro = [*BACK_BY_45[0], *BACK_BY_45[1]]
    recordings, notes = asyncio.run(both(acc, gyro))
    assert recordings == [[starts_s(acc), sorted(starts_s(gyro))]]
    assert notes == ()


def test_clock_that_is_set_back_with_every_other_chunk_is_paired_in_order() -> None:
    """Matching each of thousands of steps with each other one would take minutes."""
    acc, gyro = [
        [
            ChunkMetadata(seq, seq.to_bytes(8), (seq + seq % of * 100) * NS, 50.0, 500)
            for seq in range(400 * of)
        ]
        for of in (2, 3)
    ]
    acc_parts, gyro_parts = parts_by_clock({"acc": acc}, {"gyro": gyro[:-3]})
    assert (len(acc_parts), len(gyro_parts)) == (400, 399)
    rotation = rotation_by_clock(acc_parts, gyro_parts)
    assert rotation == [*({"gyro": chunks} for _, chunks in gyro_parts), {}]


CLOCK_A, CLOCK_B, CLOCK_C = range(0, 120, 10), range(75, 195, 10), range(150, 250, 10)


def metadata(*spans_s: tuple[int, int]) -> list[ChunkMetadata]:
    """Chunks from and to these times."""
    return [
        ChunkMetadata(seq, bytes([seq]), start_s * NS, 50.0, (end_s - start_s) * 50)
        for seq, (start_s, end_s) in enumerate(spans_s)
    ]


@pytest.mark.parametrize(
    ("end_s", "to_s", "parts"),
    [(120, 75, 2), (120, 100, 1), (250, 205, 1)],
    ids=["the same step", "by 25 s less", "by as much, 2 min later"],
)
def test_only_a_step_of_about_the_same_length_and_time_is_that_of_the_other_sensor(
    end_s: int, to_s: int, parts: int
) -> None:
    """Acceleration goes back by 45 s, to 75 s; rotation has a chunk before its step, one after."""

    acc = metadata(*((start_s, start_s + 10) for start_s in (*CLOCK_A, *CLOCK_B)))
    gyro = metadata((0, end_s), (to_s, to_s + 120))
    acc_parts, gyro_parts = parts_by_clock({"acc": acc}, {"gyro": gyro})
    assert [len(chunks) for _, chunks in acc_parts] == [12, 12]
    assert len(gyro_parts) == parts


def test_a_step_that_the_other_sensor_shows_splits_only_the_part_that_it_is_in() -> None:
    """The last chunk of acceleration alone does not tell that the clock was set back again."""
    starts_s = [*CLOCK_A, *CLOCK_B, *CLOCK_C]
    gyro = metadata(*((start_s, start_s + 10) for start_s in starts_s))
    acc_parts, _ = parts_by_clock({"acc": gyro[:25]}, {"gyro": gyro})
    assert [len(chunks) for _, chunks in acc_parts] == [12, 12, 1]
