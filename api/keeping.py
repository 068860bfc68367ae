"""How a chunk is kept, whichever door it came through.

It counts against the samples of the user's day, its bytes become durable, and the metrics tell.
"""

from uuid import UUID

from api.dependencies import Services
from ingest.chunks import Chunk
from schemas.wire import Receipt


async def keep_chunk(
    services: Services, user_id: UUID, session_id: UUID, stream: str, seq: int, chunk: Chunk
) -> Receipt:
    """Keep one chunk; its receipt says that its bytes are durable.

    Raises:
        OverLimit: more samples than the user has in a day; nothing is kept.
        NotThere, Deleted, BadChunk, DatabaseAway: see `ingest.uploads.Uploads.put`.
    """
    services.allowance.take_samples(user_id, len(chunk.piece.counts))
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
