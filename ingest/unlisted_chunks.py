"""Copies chunks that a client's list does not name to the dead letters."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from ingest.rows import body_of
from schemas.errors import BadSamples
from schemas.ids import slot
from schemas.times import at_us
from store.dead_letters import CHUNK, DeadLetter, seconds_left
from store.records import Records
from store.samples import ChunkMetadata, SampleRow
from store.sessions import StreamList


async def keep_unlisted(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    stream: str,
    chunks: Sequence[ChunkMetadata],
    listed: StreamList,
    now_us: int,
) -> None:
    """Copy chunks that are stored but not listed to the dead letters.

    The rows stay, because a longer list may still name them. The id of a letter follows from its
    content, so that a repeat adds none. Chunks that were received more than 30 days before `now_us`
    are left out: a letter about them would have expired.
    """
    if not chunks:
        return
    unlisted = [(chunk.seq, chunk.sha256) for chunk in chunks]
    per_day = records.dead_letters.per_day  # a broken client must not fill the disk of all
    remaining: dict[date, int] = {}
    now = at_us(now_us)
    for row in await records.samples.rows(user_id, session_id, stream, unlisted[:per_day]):
        received_at = at_us(row.received_us)
        if not seconds_left(received_at, now):
            continue
        day = received_at.date()
        if day not in remaining:
            remaining[day] = per_day - await records.dead_letters.count(user_id, day)
        remaining[day] -= 1
        if remaining[day] < 0:
            continue
        where = CHUNK.format(seq=row.seq, stream=stream, session_id=session_id)
        says = "another body" if row.seq < len(listed.hashes) else "no such number"
        await records.dead_letters.put(
            DeadLetter(
                id=slot(session_id, stream, row.seq, row.sha256.hex()),
                user_id=user_id,
                kind="chunk",
                reason=f"{where}the list names {says}",
                payload=_payload(row),
                received_at=received_at,
            ),
            now,
        )
    if await records.sessions.read(user_id, session_id) is None:  # deleted meanwhile
        await records.dead_letters.delete_session(user_id, session_id, now)


def _payload(row: SampleRow) -> bytes:
    """The body that a client sent; of a row that is damaged, what is left of its samples."""
    try:
        return body_of(row)
    except BadSamples:
        return row.xyz
