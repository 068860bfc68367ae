"""Acquisitions become numbered chunks of both streams, or none of them is stored."""

import asyncio
from typing import cast
from uuid import UUID, uuid4

import httpx
import pytest

from api.acquisitions import _stored
from api.dependencies import Services
from ingest.chunks import Chunk, NumberedChunk
from schemas.errors import BadChunk, DatabaseUnavailable, MuvrError
from schemas.wire import SEQ_MAX, Receipt
from tests.api.conftest import Person
from tests.api.phone import Phone, problem
from tests.ingest.histories import CHUNKS, N


class PartlyFailing:
    """Services whose recorder fails to store chunk 1; they count what is charged and stored."""

    def __init__(self, failure: MuvrError) -> None:
        self.failure, self.stored, self.refunded = failure, 0, 0
        self.recorder = self.rate_limiter = self.metrics = self

    async def put_chunk(
        self, user_id: UUID, session_id: UUID, stream: str, seq: int, chunk: Chunk
    ) -> Receipt:
        if seq == 1:
            raise self.failure
        await asyncio.sleep(0.01)  # the failure does not end the others
        return Receipt(str(session_id), stream, seq, N, chunk.sha256.hex())

    def count_chunk(self, _: object) -> None:
        self.stored += 1

    def refund_samples(self, _: UUID, samples: int) -> None:
        self.refunded += samples


@pytest.mark.parametrize(
    ("failure", "refunded"),
    [(DatabaseUnavailable("away"), N), (BadChunk("unit", field="unit", value="g"), 0)],
)
def test_a_chunk_that_fails_for_a_while_is_not_charged_and_the_others_are_stored(
    failure: MuvrError, refunded: int
) -> None:
    services = PartlyFailing(failure)
    chunks = [NumberedChunk("acc", seq, CHUNKS[seq, 0]) for seq in range(3)]
    with pytest.raises(type(failure)):
        asyncio.run(_stored(cast(Services, services), uuid4(), uuid4(), chunks))
    assert (services.stored, services.refunded) == (2, refunded)


def test_an_edge_impulse_acquisition_becomes_chunks_of_both_streams(person: Person) -> None:
    sensors = [
        *({"name": f"acc{axis}", "units": "g"} for axis in "XYZ"),
        *({"name": f"gyr{axis}", "units": "rad/s"} for axis in "XYZ"),
    ]
    payload = {"interval_ms": 20, "sensors": sensors, "values": [[0, 0, 1, 0, 0, 0]] * 10}
    with person.client() as http:
        phone = Phone(http)
        phone.open()
        path = f"{phone.path}/acquisitions/0?t0=2026-11-21T10:00:00Z"
        receipts = http.put(path, json={"payload": payload}).json()["receipts"]
        assert [(receipt["stream"], receipt["samples"]) for receipt in receipts] == [
            ("acc", 10),
            ("gyro", 10),
        ]
        hashes = {receipt["stream"]: [receipt["sha256"]] for receipt in receipts}
        assert phone.complete(hashes).json()["complete"] is True
        payload["sensors"] = [{**sensor, "units": "m/s2"} for sensor in sensors[:3]] + sensors[3:]
        problem(http.put(path, json={"payload": payload}), 422, "bad-chunk")


def test_a_long_acquisition_is_stored_as_numbered_chunks_or_not_at_all(person: Person) -> None:
    sensors = [
        *({"name": f"acc_{axis}", "units": "g"} for axis in "xyz"),
        *({"name": f"g{axis}", "units": "rad/s"} for axis in "xyz"),
    ]
    payload = {"interval_ms": 20, "sensors": sensors, "values": [[0, 0, 1, 0, 0, 0]] * 8200}
    with person.client() as http:
        phone = Phone(http)
        phone.open()

        def put(seq: int) -> httpx.Response:
            path = f"{phone.path}/acquisitions/{seq}?t0=2026-11-21T10:00:00Z"
            return http.put(path, json={"payload": payload})

        assert "up to 1000001" in problem(put(SEQ_MAX), 422, "bad-chunk")["detail"]
        empty = http.get(f"{phone.path}/chunks").json()["streams"]
        assert [stream["ranges"] for stream in empty.values()] == [[], []]
        first, again = put(4).json()["receipts"], put(4).json()["receipts"]
        assert first == again
        assert [(one["stream"], one["seq"], one["samples"]) for one in first] == [
            ("acc", 4, 8192),
            ("acc", 5, 8),
            ("gyro", 4, 8192),
            ("gyro", 5, 8),
        ]
        held = http.get(f"{phone.path}/chunks").json()["streams"]
        assert {name: stream["ranges"] for name, stream in held.items()} == {
            "acc": [[4, 5]],
            "gyro": [[4, 5]],
        }


def test_a_long_acquisition_does_not_overlap_another_one(person: Person) -> None:
    """A recorder that numbers its documents 0, 1, 2 … is told the next free number."""
    sensors = [
        *({"name": f"acc_{axis}", "units": "g"} for axis in "xyz"),
        *({"name": f"g{axis}", "units": "rad/s"} for axis in "xyz"),
    ]
    with person.client() as http:
        phone = Phone(http)
        phone.open()

        def put(seq: int, number: int, rows: int = 8200) -> httpx.Response:
            values = [[number, 0, 1, 0, 0, number]] * rows
            payload = {"interval_ms": 20, "sensors": sensors, "values": values}
            path = f"{phone.path}/acquisitions/{seq}?t0=2026-11-21T1{number}:00:00Z"
            return http.put(path, json={"payload": payload})

        assert put(0, 0).status_code == 200
        stored = http.get(f"{phone.path}/chunks").json()
        refused = problem(put(1, 1), 409, "event-conflict")["detail"]
        assert "Chunk 1 of stream 'acc' is stored with another body" in refused
        assert "chunks up to 2; the next free number is 2" in refused
        problem(put(0, 1), 409, "event-conflict")
        assert http.get(f"{phone.path}/chunks").json() == stored
        assert [put(seq, number).status_code for seq, number in ((2, 1), (0, 0), (2, 1))] == [
            200
        ] * 3
        assert put(300, 2).status_code == 200
        assert "free number is 302" in problem(put(3, 3), 409, "event-conflict")["detail"]
        assert put(302, 4, rows=10).status_code == 200
        held = http.get(f"{phone.path}/chunks").json()["streams"]["gyro"]
        assert held == {"ranges": [[0, 3], [300, 302]], "several": {}}
