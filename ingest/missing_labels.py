"""Writes the labelled sets that are missing or stale, and deletes those of deleted sets."""

from collections.abc import Collection, Sequence
from uuid import UUID

from ingest.deletions import set_deletion
from ingest.event_writer import deletion_us
from ingest.labelled_sets import by_set, is_label_current, project_labelled_sets
from ingest.wrist_streams import wrist_of
from schemas.topics import SETS
from store.labelled_sets import LabelledRevision, remaining_ttl_s
from store.records import Records
from store.sessions import SessionRow

MAX_SINGLE_READS = 8
"""Sessions that are read one by one; for more, all sessions of the user are paged through."""
PAGE_SESSIONS = 200


async def refresh_labelled_sets(
    records: Records, user_id: UUID, now_us: int, arriving: Collection[UUID] | None = None
) -> None:
    """Write the labelled sets that are missing or stale.

    A labelled set whose confirmed set was deleted is deleted: its write was in flight meanwhile.
    One whose confirmed set is merely not there is kept, because a replay would not bring it back.

    Args:
        records: the repositories.
        user_id: whose.
        now_us: announced in `changes`, so that training finds the user.
        arriving: incomplete sessions that may have new samples; all by default.
    """
    sets = {row.set_id: row for row in await records.sets.of_user(user_id)}
    labelled = by_set(await records.labelled.revisions(user_id))
    for set_id in labelled.keys() - sets.keys():
        await _delete_orphans(records, user_id, labelled[set_id], now_us)
    waiting: dict[UUID, set[UUID]] = {}
    for set_id, row in sets.items():
        expired = remaining_ttl_s(row.revision, now_us) <= 0  # only a new list could prolong it
        if not expired and not is_label_current(labelled.get(set_id, ()), row.revision):
            waiting.setdefault(row.session_id, set()).add(set_id)
    for session_id in await _that_may_have_samples(records, user_id, waiting, arriving):
        await project_labelled_sets(records, user_id, session_id, now_us, only=waiting[session_id])


async def _delete_orphans(
    records: Records, user_id: UUID, labelled: Sequence[LabelledRevision], now_us: int
) -> None:
    """Delete the labelled rows of a set that is not listed, if the journal has its deletion."""
    first = labelled[0]
    deletion = await set_deletion(records, user_id, first.session_id, first.set_id, now_us)
    if deletion is not None:
        await records.journal.announce(user_id, SETS, now_us)
        at_us = deletion_us(deletion)
        for row in labelled:
            await records.labelled.delete(user_id, row.model_id, row.set_id, at_us)


async def _that_may_have_samples(
    records: Records,
    user_id: UUID,
    waiting: Collection[UUID],
    arriving: Collection[UUID] | None,
) -> list[UUID]:
    """The sessions among `waiting` that have acceleration, and are complete or `arriving`.

    Many are paged through: a user who logs sets without a watch has hundreds of sessions, whose
    sets never get samples.
    """
    return sorted(
        [
            row.session_id
            for row in await _sessions(records, user_id, waiting)
            if wrist_of(row.streams).acc
            and (row.complete or arriving is None or row.session_id in arriving)
        ]
    )


async def _sessions(
    records: Records, user_id: UUID, session_ids: Collection[UUID]
) -> list[SessionRow]:
    """The existing ones among these sessions."""
    if len(session_ids) <= MAX_SINGLE_READS:
        rows = [await records.sessions.read(user_id, session_id) for session_id in session_ids]
        return [row for row in rows if row is not None]
    wanted: list[SessionRow] = []
    before: UUID | None = None
    while page := await records.sessions.page(user_id, before, PAGE_SESSIONS):
        wanted += [row for row in page if row.session_id in session_ids]
        before = page[-1].session_id
    return wanted
