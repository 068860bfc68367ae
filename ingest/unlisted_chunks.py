"""Copies chunks that a client's list does not name to the dead letters."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from ingest.rows import body_of
from schemas.ids import slot
from schemas.times import at_us
from store.dead_letters import DeadLetter
from store.records import Records
from store.samples import ChunkMetadata
from store.sessions import StreamList


async def keep_unlisted(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    stream: str,
    chunks: Sequence[ChunkMetadata],
    listed: StreamList,
) -> None:
    """Copy chunks that are stored but not listed to the dead letters.

    The rows stay, because a longer list may still name them. The id of a letter follows from its
    content, so that a repeat adds none.
    """
    if not chunks:
        return
    unlisted = [(chunk.seq, chunk.sha256) for chunk in chunks]
    per_day = records.dead_letters.per_day  # a broken client must not fill the disk of all
    remaining: dict[date, int] = {}
    for row in await records.samples.rows(user_id, session_id, stream, unlisted[:per_day]):
        day = at_us(row.received_us).date()
        if day not in remaining:
            remaining[day] = per_day - await records.dead_letters.count(user_id, day)
        remaining[day] -= 1
        if remaining[day] < 0:
            continue
        where = f"chunk {row.seq} of stream {stream!r} of session {session_id}"
        says = "another body" if row.seq < len(listed.hashes) else "no such number"
        await records.dead_letters.put(
            DeadLetter(
                id=slot(session_id, stream, row.seq, row.sha256.hex()),
                user_id=user_id,
                kind="chunk",
                reason=f"{where}: the list names {says}",
                payload=body_of(row),
                received_at=at_us(row.received_us),
            )
        )
