"""Bodies that a client's list does not name: they go to the dead letters, whole."""

from datetime import date
from uuid import UUID

from ingest.recordings import decided
from ingest.rows import body_of
from schemas.ids import slot
from schemas.times import at_us
from store.dead_letters import DeadLetter
from store.records import Records


async def keep_leftovers(records: Records, user_id: UUID, session_id: UUID, stream: str) -> int:
    """Copy what is held but not listed to the dead letters; tells how many bodies that were.

    The rows stay: a longer list may still name them. A letter's id follows from its content, so
    doing it again adds none.
    """
    listed = (await records.sessions.lists(user_id, session_id)).get(stream)
    if listed is None:
        return 0
    parts = (await records.samples.parts(user_id, session_id)).get(stream, [])
    heads = await records.samples.heads(user_id, session_id, stream, parts)
    kept = set(decided(heads, listed))
    left = [(head.seq, head.sha256) for head in heads if head not in kept]
    if not left:
        return 0
    per_day = records.dead_letters.per_day  # a broken client must not fill the others' disk
    rooms: dict[date, int] = {}
    for row in await records.samples.rows(user_id, session_id, stream, left[:per_day]):
        day = at_us(row.received_us).date()
        if day not in rooms:
            rooms[day] = per_day - await records.dead_letters.count(user_id, day)
        rooms[day] -= 1
        if rooms[day] < 0:
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
    return len(left)
