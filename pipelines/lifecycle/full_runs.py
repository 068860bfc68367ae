"""When a family that mostly reads who changed reads everybody again."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from pipelines.lifecycle.scope import TOPIC, has_changes
from store.database import Database
from store.watermarks import Watermarks


def full_run_due(database: Database, family: str, now: datetime, after: timedelta) -> bool:
    """Whether a run over all users is due: the last one is old, and sets have changed since.

    A full run is also due where a global model must go, see `global_retirement`.

    Args:
        database: with the watermark that `mark_full_run` leaves.
        family: which.
        now: of the run.
        after: the age at which the last full run is old. It never is while no set changes.
    """
    mark = full_run_mark(family)
    since = asyncio.run(Watermarks(database).read(mark, now))
    if since is None:
        return True
    return now - since > after and has_changes(database, mark, [TOPIC], now)


def mark_full_run(
    database: Database, family: str, run_id: UUID, read_until: datetime, now: datetime
) -> None:
    """Record up to when a run over all users has read."""
    asyncio.run(Watermarks(database).advance(full_run_mark(family), run_id, read_until, now))


def full_run_mark(family: str) -> str:
    """The name of the watermark of a family's runs over all users."""
    return f"{family}:everybody"
