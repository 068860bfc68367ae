"""Rebuilds a user's projections from the journal, with the code that wrote them first."""

from collections.abc import Sequence
from uuid import UUID

from ingest.late_changes import announce_late_changes
from ingest.missing_labels import refresh_labelled_sets
from ingest.projections import project_all
from ingest.stretches import project_stretches
from schemas.config import Limits
from schemas.times import Clock, server_time, us_of
from store.database import Database
from store.journal import Event
from store.records import Records, records_in


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
    await replay_events(records_in(database, limits), user_id, events, us_of(clock()))


async def replay_events(
    records: Records, user_id: UUID, events: Sequence[Event], now_us: int
) -> None:
    """Project all of a user's events, in any order. Current rows do not change.

    What changes is announced, so that jobs and the mart read the user again.
    """
    await announce_late_changes(records, user_id, events, now_us)
    await project_all(records, user_id, events, now_us)
    await refresh_labelled_sets(records, user_id, now_us)
    await project_stretches(records, user_id, now_us)
