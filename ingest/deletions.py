"""Finds the deletions of sessions and sets in the journal."""

from uuid import UUID

from ingest import slots
from schemas.ids import may_exist
from store.journal import Event
from store.records import Records


async def session_deletion(
    records: Records, user_id: UUID, session_id: UUID, now_us: int
) -> Event | None:
    """The event that deleted a session, None if it was not deleted or never existed."""
    slot_id = slots.session_deleted(session_id)
    return await _deletion(records, user_id, session_id, slot_id, now_us)


async def set_deletion(
    records: Records, user_id: UUID, session_id: UUID, set_id: UUID, now_us: int
) -> Event | None:
    """The event that deleted a set, alone or with its session; None if there is none."""
    own = await _deletion(records, user_id, set_id, slots.set_deleted(set_id), now_us)
    return own or await session_deletion(records, user_id, session_id, now_us)


async def _deletion(
    records: Records, user_id: UUID, id_: UUID, slot_id: UUID, now_us: int
) -> Event | None:
    if not may_exist(id_, now_us):
        return None
    return await records.journal.read(user_id, id_, slot_id)
