"""A long classification does not delay other requests, and its length is limited."""

import threading
from typing import Any

import cbor2
import numpy as np
import pytest
import zstandard

from api import classify
from ingest.chunks import canonical_body
from ingest.classify_body import MAX_CHUNKS, MAX_DURATION_S, read_recording
from models.signal.pieces import Piece
from schemas.config import Limits
from schemas.errors import BadChunk
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
    read = read_recording(chunks(most), CBOR["Content-Type"], Limits())
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
