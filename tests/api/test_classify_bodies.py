"""A long classification does not delay other requests, and its length is limited."""

import threading
from typing import Any

import cbor2
import numpy as np
import pytest
import zstandard

from api import classify
from ingest.chunks import canonical_body
from ingest.classify_body import MAX_CHUNKS, MAX_DURATION_S, MAX_NAME, read_recording
from models.signal.pieces import Piece
from schemas.config import Limits
from schemas.errors import BadChunk
from schemas.events import MAX_STREAMS
from tests.api.conftest import Person
from tests.api.phone import CBOR

BEGIN_NS = 1_800_000_000_000_000_000


def chunks(number: int, n: int = 1) -> bytes:
    """A body of `number` consecutive chunks of n samples at 1 Hz."""
    fields = [
        cbor2.loads(
            canonical_body(
                Piece(BEGIN_NS + one * n * 10**9, 1.0, "g", 0.001, np.ones((n, 3), dtype=np.int16))
            )
        )
        for one in range(number)
    ]
    return cbor2.dumps({"streams": {"acc": fields}})


def test_the_chunk_limit_allows_an_hour_of_both_sensors() -> None:
    most = MAX_CHUNKS
    assert most > 2 * MAX_DURATION_S
    read = read_recording(chunks(most), CBOR["Content-Type"], Limits()).recording
    assert len(read.acc) == most
    with pytest.raises(BadChunk, match=f"holds {most + 1} chunks") as refused:
        read_recording(chunks(most + 1), CBOR["Content-Type"], Limits())
    assert (refused.value.field, refused.value.value) == ("streams", most + 1)


def test_long_bodies_are_decoded_in_a_worker_thread(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[str] = []
    read = classify.read_recording

    def watched(*given: Any) -> Any:
        readers.append(threading.current_thread().name)
        return read(*given)

    monkeypatch.setattr(classify, "read_recording", watched)
    headers = {**CBOR, "Content-Encoding": "zstd"}
    with person.client() as http:
        for number in (2, 3000):
            body = zstandard.compress(chunks(number))
            answer = http.post("/v1/classify", content=body, headers=headers)
            assert answer.status_code == 200, answer.text
    inline, apart = readers
    assert inline != apart


SECONDS = range(10)


def streams_of(starts_s: dict[str, float], limits: range = SECONDS) -> bytes:
    """Streams of one-second chunks at 50 Hz, named after their sensor; x tells the stream."""
    streams = {
        name: [
            cbor2.loads(
                canonical_body(
                    Piece(
                        BEGIN_NS + round((start_s + second) * 1e9),
                        50.0,
                        "rad/s" if "gyro" in name else "g",
                        0.001,
                        np.outer(np.arange(50), [0, 20, 10]).astype(np.int16) + np.int16(number),
                    )
                )
            )
            for second in limits
        ]
        for number, (name, start_s) in enumerate(starts_s.items())
    }
    return cbor2.dumps({"streams": streams})


WRISTS = {"left_acc": 0, "left_gyro": 0.002, "right_acc": 0.001, "right_gyro": 0.001}
SUFFIXED = {"acc_right": 0, "acc_left": 0, "gyro_left": 0.001, "gyro_right": 0}


@pytest.mark.parametrize(
    ("starts_s", "side", "used"),
    [
        (WRISTS, None, {"left_acc", "left_gyro"}),
        (WRISTS, "left", {"left_acc", "left_gyro"}),
        (WRISTS, "right", {"right_acc", "right_gyro"}),
        (SUFFIXED, "right", {"acc_right", "gyro_right"}),
        ({"acc_left": 0, "acc_right": 0, "gyro_right": 0}, None, {"acc_right", "gyro_right"}),
        (SUFFIXED, "left", {"acc_left", "gyro_left"}),
        ({"phone_acc": 0, "watch_acc": 0, "watch_gyro": 0}, None, {"watch_acc", "watch_gyro"}),
        ({"left_acc": 0, "right_acc": 0, "right_gyro": 0}, "left", {"left_acc"}),
        ({"a": 0, "b": 0.5}, None, {"a"}),
        ({"a": 0, "b": 0.5, "gyro": 0}, None, {"a", "gyro"}),
        ({"b": 0, "a": 10, "gyro": 0}, None, {"a", "b", "gyro"}),
    ],
)
def test_streams_of_one_wrist_are_read_and_others_are_named(
    starts_s: dict[str, float], side: Any, used: set[str]
) -> None:
    read = read_recording(streams_of(starts_s), CBOR["Content-Type"], Limits(), side)
    names = list(starts_s)
    pieces = read.recording.acc + read.recording.gyro
    assert {names[int(piece.counts[0, 0])] for piece in pieces} == used
    assert len(pieces) == len(SECONDS) * len(used)
    assert set(read.unused) == set(names) - used


@pytest.mark.parametrize(
    "names", [[f"acc{n}" for n in range(MAX_STREAMS + 1)], ["a" * (MAX_NAME + 1)]]
)
def test_too_many_streams_and_too_long_names_are_refused(names: list[str]) -> None:
    with pytest.raises(BadChunk, match=f"at most {MAX_STREAMS} streams") as refused:
        read_recording(streams_of(dict.fromkeys(names, 0.0)), CBOR["Content-Type"], Limits())
    assert refused.value.field == "streams"


def test_the_answer_notes_unused_streams_and_missing_rotation(person: Person) -> None:
    both = cbor2.loads(streams_of(WRISTS))["streams"]
    silent = {**both, "left_gyro": both["left_gyro"][:4]}
    pausing = {name: both[name][:4] + both[name][8:] for name in ("left_acc", "left_gyro")}
    whole = {"acc": both["left_acc"], "gyro": both["left_gyro"]}
    others = ["right_acc: is-not-used", "right_gyro: is-not-used"]
    with person.client() as http:
        for streams, notes in (
            (both, others),
            (silent, ["rotation-is-missing", *others]),
            (whole, []),
            (pausing, []),
            ({"acc": both["left_acc"]}, []),
        ):
            body = cbor2.dumps({"streams": streams})
            answer = http.post("/v1/classify", content=body, headers=CBOR)
            assert answer.json()["notes"] == notes
