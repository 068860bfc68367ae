"""Acquisitions of several chunks of which one is not stored: what is charged, what is answered."""

import asyncio
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from api.acquisitions import _stored
from api.dependencies import Services
from ingest.chunks import Chunk
from schemas.errors import BadChunk, DatabaseUnavailable, MuvrError
from schemas.wire import Receipt
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
    chunks: list[Any] = [("acc", seq, CHUNKS[seq, 0]) for seq in range(3)]
    with pytest.raises(type(failure)):
        asyncio.run(_stored(cast(Services, services), uuid4(), uuid4(), chunks))
    assert (services.stored, services.refunded) == (2, refunded)
