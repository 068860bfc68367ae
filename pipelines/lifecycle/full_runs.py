"""When a family that mostly reads who changed reads everybody again.

A full run replaces global models first and users' models after them. Two watermarks tell whether it
got through: one is left at its beginning, one at its very end.
"""

import asyncio
from datetime import datetime, timedelta

from pipelines.lifecycle.runs import Run
from pipelines.lifecycle.scope import TOPIC, has_changes
from store.database import Database
from store.watermarks import Watermarks


def full_run_due(database: Database, family: str, now: datetime, after: timedelta) -> bool:
    """Whether a run over all users is due.

    It is where there was none, where the last one did not get through, and where the last one is
    old and sets have changed since; also where a global model must go, see `global_retirement`.

    Args:
        database: with the watermarks of full runs.
        family: which.
        now: of the run.
        after: the age at which the last full run is old. It never is while no set changes.
    """
    marks, mark = Watermarks(database), full_run_mark(family)
    since = asyncio.run(marks.read(mark, now))
    if since is None:
        return True
    begun = asyncio.run(marks.read(_begun_mark(family), now))
    if begun is not None and begun > since:
        return True
    return now - since > after and has_changes(database, mark, [TOPIC], now)


def begin_full_run(database: Database, run: Run) -> None:
    """Record that a run over all users is under way: if it does not end well, another is due."""
    marks = Watermarks(database)
    at = run.all_read_until
    asyncio.run(marks.advance(_begun_mark(run.family), run.run_id, at, run.started_at))


def end_full_run(run: Run) -> None:
    """Let a run be recorded as one over all users, after everything else that it leaves."""
    run.more_marks.append(full_run_mark(run.family))


def full_run_mark(family: str) -> str:
    """The name of the watermark of a family's runs over all users."""
    return f"{family}:everybody"


def _begun_mark(family: str) -> str:
    """The name of the watermark of runs over all users that began, however they end."""
    return f"{family}:everybody-begun"
