"""How a chunk is kept, whichever door it came through.

It counts against the samples of the user's day, its bytes become durable, and the metrics tell. A
confirmed set counts against the same samples: they are kept once more, for training to read. What
is kept for good without samples counts as samples of its size.
"""

from uuid import UUID

from api.dependencies import Services
from ingest.chunks import Chunk
from ingest.decisions import Take
from ingest.pending import SAMPLES_AT_MOST
from ingest.recordings import wrist_of
from schemas.events import SetConfirmation
from schemas.wire import Receipt
from store.sessions import SessionRow

CHUNK_COUNTS_AS = 16
"""At least: a row costs as much with one sample. Chunks of 20 samples at 50 Hz count as they are,
both sensors all day 8.6 of the 50 million."""
SET_RATE_HZ = 100
"""As which each sensor of a set counts: its rate is not known before its samples are in, and
acceleration is kept twice, with rotation and alone. A thousand sets of a minute are 12 million."""
BYTES_COUNT_AS_SAMPLE = 4
"""Of lists and plans, which the journal keeps whole each time they change; a sample takes 3.7. The
hashes of a day of seconds, both sensors, are 2.9 million samples."""


async def keep_chunk(
    services: Services, user_id: UUID, session_id: UUID, stream: str, seq: int, chunk: Chunk
) -> Receipt:
    """Keep one chunk; its receipt says that its bytes are durable.

    Raises:
        OverLimit: more samples than the user has in a day; nothing is kept.
        NotThere, Deleted, BadChunk, DatabaseAway: see `ingest.uploads.Uploads.put`.
    """
    services.allowance.take_samples(user_id, chunk_counts_as(chunk))
    return await keep_allowed(services, user_id, session_id, stream, seq, chunk)


async def keep_allowed(
    services: Services, user_id: UUID, session_id: UUID, stream: str, seq: int, chunk: Chunk
) -> Receipt:
    """The same for a chunk whose samples were taken from the day's before.

    Chunks that come as one are allowed as one: over the limit none of them is kept.
    """
    receipt = await services.recorder.put_chunk(user_id, session_id, stream, seq, chunk)
    services.metrics.keep(chunk.piece)
    return receipt


def chunk_counts_as(chunk: Chunk) -> int:
    """As how many samples of the day a chunk counts."""
    samples = len(chunk.piece.counts)
    return samples if samples > CHUNK_COUNTS_AS else CHUNK_COUNTS_AS  # `max` takes twice as long


def taking_bytes(services: Services, user_id: UUID) -> Take:
    """Takes bytes that are kept for good from the samples of a user's day."""

    def take(size_bytes: int) -> None:
        services.allowance.take_samples(user_id, size_bytes // BYTES_COUNT_AS_SAMPLE)

    return take


def set_counts_as(session: SessionRow, confirmation: SetConfirmation) -> int:
    """As how many samples of the day a confirmed set counts; none where no wrist is recorded."""
    wrist = wrist_of(session.streams)
    if wrist.acc is None:
        return 0
    length_s = (confirmation.ended_at - confirmation.started_at).total_seconds()
    sensors = 1 if wrist.gyro is None else 2
    return min(max(int(length_s * SET_RATE_HZ) * sensors, CHUNK_COUNTS_AS), SAMPLES_AT_MOST)
