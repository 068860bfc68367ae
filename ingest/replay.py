"""Rebuilds a user's projections from the journal, with the code that wrote them first."""

from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from ingest.late_changes import announce_late_changes
from ingest.missing_labels import refresh_labelled_sets
from ingest.projections import project_sessions, write_rows
from ingest.stretches import project_stretches
from schemas.config import Limits
from schemas.times import Clock, server_time, us_of
from store.database import Database
from store.journal import Event
from store.records import Records, records_in

SESSIONS_PER_ANNOUNCEMENT = 16
"""Sessions whose changes are announced at one time: a minute's work, that of years takes longer."""


async def rebuild_user(
    database: Database,
    user_id: UUID,
    events: Sequence[Event],
    *,
    limits: Limits,
    clock: Clock = server_time,
) -> None:
    """Rebuild a user's projections from all events; `pipelines.replay` calls this on executors.

    Rows with a time to live get the rest of it, by `clock`.

    Raises:
        BadEvent: an event that this release does not know.
        DatabaseUnavailable: only part was written; call again.
    """
    await replay_events(records_in(database, limits), user_id, events, clock)


async def replay_events(
    records: Records, user_id: UUID, events: Sequence[Event], clock: Clock
) -> None:
    """Project all of a user's events, in any order. Current rows do not change.

    Labelled sets with lists whose revisions are of an earlier release, in whole milliseconds, do
    not count as current: they are cut anew, once.

    What changes is announced, so that jobs and the mart read the user again. Announcements are of
    about the time at which they are made. One of when the replay began may be older than what jobs
    have read meanwhile, and would replace a newer one, of a correction during the replay.
    """
    await announce_late_changes(records, user_id, events, us_of(clock()))
    changes = await write_rows(records, user_id, events)
    for ids in _portions(changes):
        await project_sessions(records, user_id, {id_: changes[id_] for id_ in ids}, us_of(clock()))
    await refresh_labelled_sets(records, user_id, us_of(clock()))
    known = changes.keys() | await records.stretches.sessions_of(user_id)
    for ids in _portions(known):
        await project_stretches(records, user_id, us_of(clock()), only=ids)


def _portions(session_ids: Iterable[UUID]) -> Iterator[list[UUID]]:
    """The sessions in order, some at a time."""
    in_order = sorted(session_ids)
    for start in range(0, len(in_order), SESSIONS_PER_ANNOUNCEMENT):
        yield in_order[start : start + SESSIONS_PER_ANNOUNCEMENT]
