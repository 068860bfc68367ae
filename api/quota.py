"""How a chunk is kept, whichever endpoint it came through, and what it costs its user.

The samples of a chunk count against the user's daily quota; then its bytes become durable, and the
metrics count it. A confirmed set counts against the same quota, because its samples are stored a
second time for training. Lists and plans have no samples: their bytes are converted.
"""

from uuid import UUID

from api.dependencies import Services
from ingest.chunks import Chunk
from ingest.event_writer import ChargeBytes
from ingest.labelled_sets import MAX_SAMPLES
from ingest.recordings import wrist_of
from schemas.events import SetConfirmation
from schemas.wire import Receipt
from store.sessions import SessionRow

CHUNK_COUNTS_AS = 16
"""The least number of samples that a chunk counts as: a row with a single sample costs as much as
this. Chunks of 20 samples at 50 Hz count as they are: both sensors, all day, take 8.6 of the 50
million."""
SET_RATE_HZ = 100
"""The rate at which each sensor of a confirmed set is counted: the real one is not known before the
samples are in, and acceleration is stored twice, with rotation and alone. A thousand sets of a
minute count as 12 million samples."""
BYTES_COUNT_AS_SAMPLE = 4
"""How many bytes of a list or plan count as one sample; a stored sample takes 3.7. The journal
keeps lists and plans whole each time they change. The hashes of a day of one-second chunks, both
sensors, count as 2.9 million samples."""


async def keep_chunk(
    services: Services, user_id: UUID, session_id: UUID, stream: str, seq: int, chunk: Chunk
) -> Receipt:
    """Keep one chunk; its receipt says that its bytes are durable.

    Raises:
        LimitExceeded: more samples than the user has in a day; nothing is kept.
        NotFound, Deleted, BadChunk, DatabaseUnavailable: see `ingest.uploads.Uploads.put`.
    """
    services.rate_limiter.take_samples(user_id, chunk_counts_as(chunk))
    return await keep_allowed(services, user_id, session_id, stream, seq, chunk)


async def keep_allowed(
    services: Services, user_id: UUID, session_id: UUID, stream: str, seq: int, chunk: Chunk
) -> Receipt:
    """Keep a chunk whose samples were charged to the quota before.

    Chunks that come in one body are charged together: over the limit none of them is kept.
    """
    receipt = await services.recorder.put_chunk(user_id, session_id, stream, seq, chunk)
    services.metrics.count_chunk(chunk.piece)
    return receipt


def chunk_counts_as(chunk: Chunk) -> int:
    """How many samples of the daily quota a chunk takes."""
    samples = len(chunk.piece.counts)
    return samples if samples > CHUNK_COUNTS_AS else CHUNK_COUNTS_AS  # `max` takes twice as long


def taking_bytes(services: Services, user_id: UUID) -> ChargeBytes:
    """Make a function that charges bytes, which are kept for good, to a user's daily quota."""

    def charge(size_bytes: int) -> None:
        """Charge these bytes; raises `LimitExceeded` where they are too many."""
        services.rate_limiter.take_samples(user_id, size_bytes // BYTES_COUNT_AS_SAMPLE)

    return charge


def set_counts_as(session: SessionRow, confirmation: SetConfirmation) -> int:
    """How many samples of the daily quota a confirmed set takes; 0 where no wrist is recorded."""
    wrist = wrist_of(session.streams)
    if wrist.acc is None:
        return 0
    length_s = (confirmation.ended_at - confirmation.started_at).total_seconds()
    sensors = 1 if wrist.gyro is None else 2
    return min(max(int(length_s * SET_RATE_HZ) * sensors, CHUNK_COUNTS_AS), MAX_SAMPLES)
