"""Writes the labelled sets that are missing or stale, and deletes those of deleted sets."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from ingest.deletions import session_deletion, set_deletion
from ingest.event_writer import deletion_us
from ingest.labelled_sets import by_set, is_label_current, project_labelled_sets
from ingest.wrist_streams import wrist_of
from schemas.topics import SETS
from store.concurrency import map_concurrently
from store.labelled_sets import LabelledRevision, remaining_ttl_s
from store.records import Records
from store.sessions import SessionRow
from store.sets import SetRow

MAX_SINGLE_READS = 8
"""Sessions that are read one by one; for more, all sessions of the user are paged through."""
PAGE_SESSIONS = 200
SETS_PER_READ = 500


async def refresh_labelled_sets(records: Records, user_id: UUID, now_us: int) -> None:
    """Write the labelled sets of a user's whole history that are missing or stale.

    A labelled set whose confirmed set was deleted is deleted: its write was in flight meanwhile.
    One whose confirmed set is merely not there is kept, because a replay would not bring it back.

    Args:
        records: the repositories.
        user_id: whose.
        now_us: announced in `changes`, so that training finds the user.
    """
    sets = await records.sets.of_user(user_id)
    labelled = by_set(await records.labelled.revisions(user_id))
    for set_id in labelled.keys() - {row.set_id for row in sets}:
        await _delete_orphans(records, user_id, labelled[set_id], now_us)
    await _write_missing(records, user_id, sets, labelled, now_us)


async def refresh_sessions(
    records: Records,
    user_id: UUID,
    session_ids: Collection[UUID],
    now_us: int,
    *,
    with_samples: bool,
) -> None:
    """Write the labelled sets of some sessions that are missing or stale, and read no others.

    So a sweep costs the same after years; `with_samples`, it costs more for one who has never
    completed many sessions. The labelled sets of deleted sessions are deleted.

    Args:
        records: the repositories.
        user_id: whose.
        session_ids: that events are about; other ids among them do no harm.
        now_us: announced in `changes`, so that training finds the user.
        with_samples: also all sessions of the user that are not complete, however old: samples
            were announced, not of which.
    """
    recording = await records.sessions.recording(user_id) if with_samples else ()
    sets = await records.sets.of_sessions(user_id, {*session_ids, *recording})
    labelled: dict[UUID, list[LabelledRevision]] = {}
    for start in range(0, len(sets), SETS_PER_READ):
        ids = [row.set_id for row in sets[start : start + SETS_PER_READ]]
        labelled |= by_set(await records.labelled.revisions(user_id, ids))
    await _write_missing(records, user_id, sets, labelled, now_us)
    without_sets = set(session_ids) - {row.session_id for row in sets}
    await _delete_labels_of_deleted(records, user_id, without_sets, now_us)


async def _write_missing(
    records: Records,
    user_id: UUID,
    sets: Iterable[SetRow],
    labelled: Mapping[UUID, Sequence[LabelledRevision]],
    now_us: int,
) -> None:
    """Write the labelled rows of those of the sets whose rows are missing or stale.

    Args:
        records: the repositories.
        user_id: whose.
        sets: that are compared.
        labelled: their labelled rows.
        now_us: announced in `changes`.
    """
    waiting: dict[UUID, set[UUID]] = {}
    for row in sets:
        expired = remaining_ttl_s(row.revision, now_us) <= 0  # only a new list could prolong it
        if not expired and not is_label_current(labelled.get(row.set_id, ()), row.revision):
            waiting.setdefault(row.session_id, set()).add(row.set_id)
    for session_id in await _with_acceleration(records, user_id, waiting):
        await project_labelled_sets(records, user_id, session_id, now_us, only=waiting[session_id])


async def _delete_labels_of_deleted(
    records: Records, user_id: UUID, session_ids: Collection[UUID], now_us: int
) -> None:
    """Delete the labelled rows of those of the sessions that were deleted.

    Their sets are not known any more, so all labelled sets are read; a deletion is rare.
    """

    async def is_deleted(session_id: UUID) -> bool:
        """Whether the journal has a session's deletion."""
        return await session_deletion(records, user_id, session_id, now_us) is not None

    in_order = sorted(session_ids)
    found = await map_concurrently(is_deleted, in_order, MAX_SINGLE_READS)
    deleted = {session_id for session_id, gone in zip(in_order, found, strict=True) if gone}
    if deleted:
        labelled = await records.labelled.revisions(user_id)
        orphans = by_set(row for row in labelled if row.session_id in deleted)
        for rows in orphans.values():
            await _delete_orphans(records, user_id, rows, now_us)


async def _delete_orphans(
    records: Records, user_id: UUID, labelled: Sequence[LabelledRevision], now_us: int
) -> None:
    """Delete the labelled rows of a set that is not listed, if the journal has its deletion."""
    first = labelled[0]
    deletion = await set_deletion(records, user_id, first.session_id, first.set_id, now_us)
    if deletion is not None:
        await records.changes.announce(user_id, SETS, now_us)
        at_us = deletion_us(deletion)
        for row in labelled:
            await records.labelled.delete(user_id, row.model_id, row.set_id, at_us)


async def _with_acceleration(
    records: Records, user_id: UUID, waiting: Collection[UUID]
) -> list[UUID]:
    """The sessions among `waiting` that have acceleration.

    Many are paged through: a user who logs sets without a watch has hundreds of sessions, whose
    sets never get samples.
    """
    rows = await _sessions(records, user_id, waiting)
    return sorted([row.session_id for row in rows if wrist_of(row.streams).acc])


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
