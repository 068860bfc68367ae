"""How every job begins (lease, run record, engine) and ends (status, watermark)."""

from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass

from pyspark.sql import SparkSession

from pipelines.lifecycle.old_versions import empty_old_versions
from pipelines.lifecycle.retries import same_outcomes
from pipelines.lifecycle.runs import Run, leased_run
from pipelines.lifecycle.scope import EngineName, UserSelection
from pipelines.spark.executors import executors_environment
from pipelines.spark.session import spark_session
from pipelines.spark.tasks import task_progress
from schemas.config import Config
from schemas.progress import NoProgress, Progress
from schemas.times import Clock, server_time
from store.credentials import open_as
from store.database import Database


@dataclass(frozen=True, slots=True)
class Job:
    """A running job: what each of its steps needs.

    Attributes:
        config: where Cassandra and Spark are.
        database: a connection under Spark's role.
        run: the run under way; its record is in Cassandra already.
        progress: is told about every step.
        engine: where the functions of the recipe run.
    """

    config: Config
    database: Database
    run: Run
    progress: Progress
    engine: EngineName = "spark"

    @property
    def keyspace(self) -> str:
        """The keyspace that holds the tables."""
        return self.config.cassandra.keyspace

    def spark(self) -> SparkSession:
        """The Spark session. Its start takes seconds and is timed as a step of the run."""
        what = f"{self.run.family}: Spark's start"
        self.progress.step(what, 0, 1)
        with self.run.step("engine"):
            session = spark_session(self.config)
        self.progress.step(what, 1, 1)
        return session


@contextmanager
def open_job(
    config: Config,
    family: str,
    inputs: Mapping[str, object],
    *,
    engine: EngineName = "spark",
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> Generator[Job]:
    """Take a family's lease and begin the run record; both end with the block.

    Args:
        config: where Cassandra and Spark are.
        family: of the job.
        inputs: how the run was called, for its record.
        engine: where its functions run.
        progress: is told about every step, and about Spark's tasks during long steps.
        clock: the server's time.

    Raises:
        LeaseHeld: another run of the family is under way.
        DatabaseUnavailable: Cassandra does not answer.
        NoKernel: this environment or the executors' has no compiled code of this release.
    """
    with (
        closing(open_as(config, "spark")) as database,
        leased_run(database, family, inputs, clock=clock) as run,
    ):
        reporting = (
            task_progress(f"{family}: Spark's tasks", progress) if progress else nullcontext()
        )
        with reporting, executors_environment():
            yield Job(config, database, run, progress or NoProgress(), engine)


def recorded_users(users: UserSelection) -> str | int:
    """The users that a run was asked to learn, as its record names them.

    >>> from uuid import uuid4
    >>> anna, ben = uuid4(), uuid4()
    >>> recorded_users("changed"), recorded_users([anna, ben, anna])
    ('changed', 2)

    Returns:
        "all" or "changed" as given; for named users only their number, each counted once.
    """
    return users if isinstance(users, str) else len(set(users))


def finish_run(job: Job, users: UserSelection) -> None:
    """End a run: empty old versions, say where it changed nothing, let the next start from here.

    A run changes nothing ("nothing-to-do") when it read no user. A run over changed users also
    changes nothing when each of them has the same outcome as in the run before, such as the same
    failure.

    Args:
        job: the job, with the outcomes of all users in its run.
        users: the users that the run was asked to learn. For named users no watermark is set: the
            next run still has to read all users who changed.
    """
    run = job.run
    empty_old_versions(job.database, run)
    repeated = users == "changed" and same_outcomes(job.database, run.family, run.outcomes)
    if run.status == "done" and (repeated or not run.outcomes):
        run.status = "nothing-to-do"
    if isinstance(users, str):  # a run over named users has not read all users who changed
        run.mark_read()
    elif not run.outcomes:
        run.reasons["who was named has no set that training can read"] += len(set(users))
