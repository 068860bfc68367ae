"""When the later sets begin that evaluate a run's models: some weeks before the newest set."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pipelines.lifecycle.engines import Engine, SparkEngine
from pipelines.lifecycle.gather import gather
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.log_partitions import newest_of, newest_set_at
from pipelines.lifecycle.set_logs import latest_start
from pipelines.personal.evidence import RUNS_BACK
from schemas.errors import BadSets, NotEnoughLabels
from store.jobs import JobRuns
from store.sets import Sets

NEWEST_SET = "newest_set"  # key of a run's metrics: start of the newest set that it knows


def newest_known_set_at(job: Job, engine: Engine, users: Sequence[UUID] | None) -> datetime:
    """The start of the newest set of all users; a run over some users reads only theirs.

    That of the others is in the record of the run before: users with newer sets are among those who
    changed. If the newest set of all was deleted, the next run over everybody notices. The time
    decides on which days models are evaluated, not what they learn. A record that lies in the
    future, as one from before such sets were left out, says nothing.

    Raises:
        NotEnoughLabels: nobody has confirmed a set.
        BadSets: all sets lie in the future.
    """
    latest = latest_start(job.run.started_at)
    runs = asyncio.run(JobRuns(job.database).newest(job.run.family, limit=RUNS_BACK))
    recorded = next((run.metrics[NEWEST_SET] for run in runs if NEWEST_SET in run.metrics), None)
    before = datetime.fromisoformat(str(recorded)) if recorded else None
    if users is None or before is None or before > latest:
        return _newest_set_at(job, engine, latest, None)
    try:
        return max(before, _newest_set_at(job, engine, latest, users))
    except (NotEnoughLabels, BadSets):  # they have deleted all their sets, or each has a wrong time
        return before


def _newest_set_at(
    job: Job, engine: Engine, latest: datetime, users: Sequence[UUID] | None
) -> datetime:
    """As `newest_set_at`, read where the job's functions run."""
    if isinstance(engine, SparkEngine):
        return newest_set_at(engine.spark, engine.keyspace, latest, users)
    sets = Sets(job.database)
    starts_ms = gather(sets.starts_ms, asyncio.run(sets.users()) if users is None else users)
    return newest_of((1000 * ms for of_user in starts_ms for ms in of_user), latest)
