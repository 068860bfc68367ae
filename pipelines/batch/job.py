"""The job of batch families: learn from all users, judge, write rows, and publish them at once.

A recipe gives rows for one table, metrics, and a reason if the rows must not go live. The rows of a
run are stored under its id, and nobody reads them until `live_runs` points there, which happens
after they were counted.
"""

from uuid import UUID

from pipelines.batch.family import BatchFamily, BatchResult
from pipelines.batch.live_rows import (
    digest_of,
    expiring,
    known_digests,
    publish_run,
    retire_live_rows,
    withdrawn_reason,
)
from pipelines.batch.stored_rows import write_rows
from pipelines.lifecycle.job import Job, open_job
from pipelines.lifecycle.runs import RunReport
from pipelines.lifecycle.scope import record_changes
from schemas.config import Config
from schemas.errors import CannotLearn, RunWithdrawn
from schemas.progress import Progress
from schemas.times import Clock, server_time
from store.jobs import UserOutcome


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
        only_changed = only_changed and not expiring(job.database, family.name, run.started_at)
        found = record_changes(job.database, run, family.topics, only_changed=only_changed)
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
    if only_changed and digest in known_digests(job.database, family.name):
        job.run.status = "nothing-to-do"  # the last run had already read what changed
    elif refusal := result.refusal or withdrawn_reason(job.database, family.name, digest):
        _refuse(job, refusal)
    else:
        with job.run.step("write"):
            write_rows(job, family, result.rows)
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
            result = family.learn(spark, job.config, job.run.started_at)
    except CannotLearn as problem:  # an answer, not a failure
        job.run.status = "not-learned"
        job.run.reasons[str(problem)] += 1
        retire_live_rows(job, family.name)
        return None
    job.progress.step(f"{family.name}: rows learned", len(result.rows), len(result.rows))
    return result


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
