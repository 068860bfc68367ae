"""The daily sample quota: what chunks, confirmed sets, lists and plans take of it.

A chunk of any endpoint is charged first; then it is stored, and the metrics count it. A confirmed
set is charged too, because its samples are stored a second time for training. Lists and plans have
no samples: their bytes are converted. What was not stored is not charged.
"""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from api.dependencies import Services
from api.rate_limiter import RateLimiter
from ingest.chunks import Chunk, NumberedChunk
from ingest.event_writer import CostOfBytes
from ingest.labelled_sets import MAX_SAMPLES
from ingest.wrist_streams import wrist_of
from schemas.errors import Retryable
from schemas.events import SetConfirmation
from schemas.wire import Receipt
from store.sessions import SessionRow

MIN_CHUNK_QUOTA = 16
"""The least number of samples that a chunk is charged: a row with a single sample takes as many
resources. Chunks of 20 samples at 50 Hz count as they are: both sensors, all day, take 8.6 of the
50 million."""
SET_QUOTA_RATE_HZ = 100
"""The rate at which each sensor of a confirmed set is charged: the real one is not known before the
samples are stored, and acceleration is stored twice, with rotation and alone. A thousand sets of a
minute take 12 million samples."""
QUOTA_BYTES_PER_SAMPLE = 4
"""How many bytes of a list or plan count as one sample; a stored sample takes 3.7. The journal
stores lists and plans in full each time they change. The hashes of a day of one-second chunks, both
sensors, take 2.9 million samples."""


async def store_chunk(
    services: Services, user_id: UUID, session_id: UUID, numbered: NumberedChunk
) -> Receipt:
    """Charge and store one chunk; a receipt means that its bytes are durable.

    Raises:
        LimitExceeded: over the user's daily quota; nothing is stored.
        NotFound, Deleted, BadChunk, DatabaseUnavailable: see `ingest.uploads.Uploads.put`.
    """
    services.rate_limiter.take_samples(user_id, chunk_quota(numbered.chunk))
    return await store_charged_chunk(services, user_id, session_id, numbered)


async def store_charged_chunk(
    services: Services, user_id: UUID, session_id: UUID, numbered: NumberedChunk
) -> Receipt:
    """Store a chunk whose samples were already charged.

    Chunks of one body are charged together: over the limit none of them is stored. A chunk that
    is answered with 503 because the database is away is not charged: the client sends it again.
    """
    try:
        receipt = await services.recorder.put_chunk(user_id, session_id, *numbered)
    except (Retryable, asyncio.CancelledError):  # the latter after `api.request_timeout_s`
        services.rate_limiter.refund_samples(user_id, chunk_quota(numbered.chunk))
        raise
    services.metrics.count_chunk(numbered.chunk.piece)
    return receipt


def chunk_quota(chunk: Chunk) -> int:
    """The samples that a chunk takes of the daily quota."""
    samples = len(chunk.piece.counts)
    return samples if samples > MIN_CHUNK_QUOTA else MIN_CHUNK_QUOTA  # `max` takes twice as long


@dataclass(frozen=True, slots=True)
class SampleCost:
    """Samples of a user's daily quota that something costs which is about to be stored."""

    limiter: RateLimiter
    user_id: UUID
    samples: int

    def take(self) -> None:
        """Charge them; raises `LimitExceeded` over the quota."""
        self.limiter.take_samples(self.user_id, self.samples)

    def refund(self) -> None:
        """Return them: nothing was stored."""
        self.limiter.refund_samples(self.user_id, self.samples)


def cost_of_bytes(services: Services, user_id: UUID) -> CostOfBytes:
    """What bytes, which are stored for good, cost of a user's daily quota."""
    return lambda size_bytes: SampleCost(
        services.rate_limiter, user_id, size_bytes // QUOTA_BYTES_PER_SAMPLE
    )


def set_quota(session: SessionRow, confirmation: SetConfirmation) -> int:
    """The samples that a confirmed set takes of the daily quota; 0 without an accelerometer."""
    wrist = wrist_of(session.streams)
    if not wrist.acc:
        return 0
    length_s = (confirmation.ended_at - confirmation.started_at).total_seconds()
    sensors = 2 if wrist.gyro else 1
    return min(max(int(length_s * SET_QUOTA_RATE_HZ) * sensors, MIN_CHUNK_QUOTA), MAX_SAMPLES)
