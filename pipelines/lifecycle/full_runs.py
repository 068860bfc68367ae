"""When a family that mostly reads who changed reads everybody again.

A full run replaces global models first and users' models after them. Two watermarks tell whether it
got through: one is left before a global model moves, one at its very end. A full run that fails
before the first leaves users' models as they were, mixed with the global model that serves.
"""

import asyncio
from datetime import datetime, timedelta
from itertools import takewhile

from pipelines.lifecycle.runs import Run
from pipelines.lifecycle.scope import changes
from schemas.topics import SETS
from store.database import Database
from store.jobs import JobRuns
from store.watermarks import Watermarks

FULL = "full_run"  # key of a run's metrics: whether it read everybody
FAILURES_IN_A_ROW = 3  # full runs that are tried again at once
PAUSE = timedelta(hours=20)  # after more of them: the next night tries again
RUNS_BACK = 100


def full_run_due(database: Database, family: str, now: datetime, after: timedelta) -> bool:
    """Whether a run over all users is due.

    It is where there was none, where the last one moved global models and did not get through, and
    where the last one is old and sets have changed since; also where a global model must go, see
    `global_retirement`.

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
    moved = asyncio.run(marks.newest(_moved_mark(family)))  # also one that a wrong clock set ahead
    if moved is not None and moved.read_until > since:
        return True
    return now - since > after and changes(database, mark, [SETS], now) == "new"


def why_full_run_waits(database: Database, family: str, now: datetime) -> str:
    """Why no run over all users is tried now although one is due; "" where it is.

    One that fails for a reason that stays would otherwise be tried by every run, and nobody would
    be learned any more. So another run must have got through since the last one, too.
    """
    runs = asyncio.run(JobRuns(database).newest(family, limit=RUNS_BACK))
    full = (run for run in runs if run.metrics.get(FULL))
    failed = [run.started_at for run in takewhile(lambda run: run.status == "failed", full)]
    last = max((at for at in failed if at <= now), default=None)
    if len(failed) < FAILURES_IN_A_ROW or last is None:
        return ""
    served = any(run.started_at > last and run.status not in ("failed", "running") for run in runs)
    if served and now - last >= PAUSE:
        return ""
    return (
        f"a run over all users is due and waits: the last {len(failed)} failed. One is tried again "
        f"{PAUSE // timedelta(hours=1)} h after the last of them began, and after a run that got "
        "through; until then changed users only"
    )


def begin_full_run(database: Database, run: Run) -> None:
    """Record that a run reads everybody, also if its process is killed."""
    run.metrics[FULL] = True
    record = JobRuns(database).record
    asyncio.run(record(run.family, run.run_id, counts=run.counts, metrics=run.metrics))


def global_models_move(database: Database, run: Run) -> None:
    """Record that global models are about to move: if the run does not end well, another is due."""
    marks = Watermarks(database)
    at = run.all_read_until
    asyncio.run(marks.advance(_moved_mark(run.family), run.run_id, at, run.started_at))


def end_full_run(run: Run) -> None:
    """Let a run be recorded as one over all users, after everything else that it leaves."""
    run.more_marks += [full_run_mark(run.family), _moved_mark(run.family)]  # takes back a clock's


def full_run_mark(family: str) -> str:
    """The name of the watermark of a family's runs over all users."""
    return f"{family}:everybody"


def _moved_mark(family: str) -> str:
    """The name of the watermark of runs that let global models move, however they end."""
    return f"{family}:everybody-moved"
