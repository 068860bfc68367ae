"""The job of batch families: learn from all users, judge, write rows, and publish them at once.

A recipe gives rows for one table, metrics, and a reason if the rows must not go live. The rows of a
run are stored under its id, and nobody reads them until `live_runs` points there, which happens
after they were counted.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from pyspark.sql import SparkSession
from pyspark.sql import functions as f

from pipelines.lifecycle.job import Job, open_job
from pipelines.lifecycle.recent import METRIC, recent_inputs
from pipelines.lifecycle.runs import Run, RunReport
from pipelines.lifecycle.scope import Changes, changes
from pipelines.spark.tables import append, read_table
from schemas.config import Config
from schemas.errors import CannotLearn, IncompleteRun, LostChampionRace, RunWithdrawn
from schemas.progress import Progress
from schemas.retention import RESULTS_TTL
from schemas.times import Clock, server_time
from schemas.topics import ERASURES, Topic
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns, UserOutcome
from store.live_runs import LiveRuns
from store.watermarks import Watermarks

RENEW_AFTER = RESULTS_TTL - timedelta(days=30)  # leaves four weekly runs to write the rows again


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The result of a recipe.

    Attributes:
        rows: tuples in the order of the family's columns, user id first.
        metrics: of the recipe beside its baselines.
        refusal: why the rows must not go live, "" when they may.
        counts: what was read.
        broken: users whose data could not be read, with the reason.
    """

    rows: Sequence[tuple[object, ...]]
    metrics: Mapping[str, object]
    refusal: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchFamily:
    """A family whose results are a table per run.

    Attributes:
        name: of the family.
        table: where its rows go; keyed by run and user.
        columns: their names and Spark types, without the run.
        topics: of the changes after which a new run is due.
        learn: the recipe.
    """

    name: str
    table: str
    columns: str
    topics: tuple[Topic, ...]
    learn: Callable[[SparkSession, Config], BatchResult]


def train_batch(
    family: BatchFamily,
    config: Config,
    *,
    only_changed: bool = False,
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Run a batch family's recipe, and publish its rows if they may go live.

    Args:
        family: which.
        config: where Cassandra and Spark are.
        only_changed: do nothing when none of the topics changed since the last run, unless the
            live rows will expire soon.
        progress: is told about every step.
        clock: the server's time.

    Raises:
        LeaseHeld: another run of the family is under way.
        IncompleteRun: fewer rows were found than were written; those of users who were erased
            meanwhile may be missing.
    """
    inputs = {"users": "changed" if only_changed else "all"}
    with open_job(config, family.name, inputs, progress=progress, clock=clock) as job:
        run = job.run
        run.metrics[METRIC] = recent_inputs(job.database, family.topics, run.started_at)
        only_changed = only_changed and not expiring(job.database, family.name, run.started_at)
        found: Changes = "new"
        if only_changed:
            found = changes(job.database, family.name, family.topics, run.started_at)
        if found == "new":
            _learn(job, family, only_changed=only_changed)
        else:
            run.status = "nothing-to-do"
        if found != "read":
            run.mark_read()
    return job.run.report()


def _learn(job: Job, family: BatchFamily, *, only_changed: bool) -> None:
    """Learn, and publish the rows unless they are the same as before or are refused."""
    result = _run_recipe(job, family)
    if result is None:
        return
    digest = digest_of(result.rows)
    _record(job, result, digest)
    if only_changed and digest in _known_digests(job.database, family.name):
        job.run.status = "nothing-to-do"  # the last run had already read what changed
    elif refusal := result.refusal or _refusal_reason(job.database, family.name, digest):
        _refuse(job, refusal)
    else:
        with job.run.step("write"):
            _write(job, family, result.rows)
        job.run.require_lease()
        try:
            publish_run(job.database, family.name, job.run)
        except RunWithdrawn as problem:
            _refuse(job, str(problem))


def _run_recipe(job: Job, family: BatchFamily) -> BatchResult | None:
    """The recipe's result; None with too little data, and then the live rows are retired."""
    spark = job.spark()
    try:
        with job.run.step("learn"):
            result = family.learn(spark, job.config)
    except CannotLearn as problem:  # an answer, not a failure
        job.run.status = "not-learned"
        job.run.reasons[str(problem)] += 1
        _retire_live_rows(job, family.name)
        return None
    job.progress.step(f"{family.name}: rows learned", len(result.rows), len(result.rows))
    return result


def _retire_live_rows(job: Job, family: str) -> None:
    """Leave no rows live: their users have left, or are too few.

    Unlike an operator's withdrawal this takes nothing back: a rollback may return to these rows.
    The run's metrics name them as `retired`, in runs of earlier releases as `withdrawn`.

    Raises:
        LeaseHeld: the run's lease was lost; the rows stay live.
        LostChampionRace: the pointer moved meanwhile.
    """
    job.run.require_lease()
    live = LiveRuns(job.database)
    before = asyncio.run(live.read(family))
    if before is None:
        return
    if not asyncio.run(live.clear(family, before.run_id)):
        raise LostChampionRace(f"Another run of {family} went live meanwhile.")
    job.run.metrics["retired"] = str(before.run_id)


def _record(job: Job, result: BatchResult, digest: str) -> None:
    """Record counts, metrics, and the users whose data is broken."""
    job.run.metrics |= {**result.metrics, "digest": digest}
    job.run.counts.update(result.counts)
    broken = result.broken.items()
    job.run.add_outcomes(
        [UserOutcome(UUID(user), "", "failed", reason, "", "{}") for user, reason in broken]
    )


def _refuse(job: Job, reason: str) -> None:
    job.run.status = "refused"
    job.run.reasons[reason] += 1


def expiring(database: Database, family: str, now: datetime) -> bool:
    """Whether the live rows expire soon, so that new ones must replace them.

    False before the first run: there are no rows.
    """
    live = asyncio.run(LiveRuns(database).read(family))
    return live is not None and now - live.as_of > RENEW_AFTER


def digest_of(rows: Sequence[tuple[object, ...]]) -> str:
    """The first 16 hex digits of the SHA-256 of a run's rows; their order does not matter.

    >>> digest_of([("a", 1), ("b", 2.5)]) == digest_of([("b", 2.5), ("a", 1)])
    True
    """
    text = json.dumps(sorted(json.dumps(row) for row in rows))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _known_digests(database: Database, family: str) -> set[object]:
    """Digests of the live rows, and of those of the last run, which may have been refused.

    The digest of a last run that was withdrawn is left out: such rows are judged again.
    """
    live = asyncio.run(LiveRuns(database).read(family))
    mark = asyncio.run(Watermarks(database).newest(family))
    last = asyncio.run(JobRuns(database).read(family, mark.run_id)) if mark else None
    if last is not None and asyncio.run(Champions(database).is_withdrawn(last.run_id)):
        last = None
    return {run.metrics.get("digest") for run in (live, last) if run is not None}


def _refusal_reason(database: Database, family: str, digest: str) -> str:
    """Why rows must not go live because an operator has withdrawn them, "" when they may.

    As with models, this holds while another run's rows are live; where none are, the recipe
    decides.
    """
    live = asyncio.run(LiveRuns(database).read(family))
    if live is None or live.metrics.get("digest") == digest:
        return ""
    for run_id in asyncio.run(Champions(database).withdrawn()):
        run = asyncio.run(JobRuns(database).read(family, run_id))
        if run is not None and run.metrics.get("digest") == digest:
            return f"the same rows as those of run {run_id}, which was withdrawn"
    return ""


def publish_run(database: Database, family: str, run: Run) -> None:
    """Point readers at a finished run.

    Its metrics are recorded first: whatever becomes of this process, an operator can withdraw the
    run, and its digest tells the same rows.

    Raises:
        RunWithdrawn: an operator withdrew the run while it was under way.
        LostChampionRace: the pointer moved meanwhile.
    """
    live = LiveRuns(database)
    before = asyncio.run(live.read(family))
    expected = before.run_id if before else None
    record = JobRuns(database).record
    asyncio.run(record(family, run.run_id, counts=run.counts, metrics=run.metrics))
    if not asyncio.run(live.go_live(family, run.run_id, run.started_at, run.metrics, expected)):
        raise LostChampionRace(f"Another run of {family} went live meanwhile.")


def _write(job: Job, family: BatchFamily, rows: Sequence[tuple[object, ...]]) -> None:
    """Write a run's rows, and count what was stored.

    Raises:
        IncompleteRun: fewer rows were stored than written.
    """
    spark, run_id = job.spark(), str(job.run.run_id)
    frame = spark.createDataFrame(list(rows), family.columns).withColumn("run_id", f.lit(run_id))
    append(frame, job.keyspace, family.table)
    stored = read_table(spark, job.keyspace, family.table).frame.where(f.col("run_id") == run_id)
    count = stored.count()
    if count != len(rows):
        users = [row.user_id for row in stored.select("user_id").collect()]
        count = _count_without_erased(job, family.table, rows, users)
    job.run.counts["rows"] = count


def _count_without_erased(
    job: Job, table: str, rows: Sequence[tuple[object, ...]], stored_users: Sequence[str]
) -> int:
    """How many rows are stored where only those of users are missing who were erased meanwhile.

    An erasure deletes a run's rows of the user for good, also those that are written after it.

    Args:
        job: whose run counts these users as `erased`.
        table: of the rows.
        rows: that were written.
        stored_users: of each stored row its user.

    Raises:
        IncompleteRun: others' rows are missing as well.
    """
    run = job.run
    missing = {str(row[0]) for row in rows} - {*stored_users}
    since, now = run.all_read_until, run.lease.clock()
    announced = asyncio.run(Watermarks(job.database).changed_users(ERASURES, since, now))
    erased = missing & {str(user) for user in announced}
    expected = sum(str(row[0]) not in erased for row in rows)
    if len(stored_users) != expected:
        raise IncompleteRun(
            f"{table} holds {len(stored_users)} rows of this run, not {expected}; "
            f"{len(erased)} users were erased meanwhile."
        )
    run.counts["erased"] += len(erased)
    return expected
