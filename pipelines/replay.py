"""Rebuilds the projections from the journal, on Spark.

How events change projections is known in one place only, the room `ingest`. This room must not
import that one, so the function is passed in by `muvr replay`, which composes both, and the
executors import it by its name. They write with Cassandra's driver: every row carries the time of
its event, and Spark's table writer cannot set that cell by cell.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from pipelines.keys import Row
from pipelines.lifecycle.attempts import attempted
from pipelines.lifecycle.job import open_job
from pipelines.lifecycle.runs import Run, RunReport
from pipelines.spark.span import require_unique_keys, spans
from pipelines.spark.tables import read_keys, read_table
from schemas.config import Cassandra, Config
from schemas.progress import Progress
from schemas.times import Clock, server_time
from store.connection import connect
from store.credentials import Credentials, credentials_of
from store.database import Database
from store.jobs import UserOutcome
from store.journal import Event, event_of
from store.user_rows import possible_months

FAMILY = "replay"
COLUMNS = ("user_id", "received_at", "event_id", "kind", "payload")
REPLAYED = pa.schema(
    [
        ("user_id", pa.string()),
        ("events", pa.int64()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
TASKS_PER_CORE = 8  # progress is reported per task, and cores idle less at the end
Rebuild = Callable[[Database, UUID, Sequence[Event]], Coroutine[Any, Any, None]]
"""Writes the projections of a user's events. Importable on the executors."""


@dataclass(frozen=True, slots=True)
class CassandraAccess:
    """How executors reach Cassandra."""

    settings: Cassandra
    credentials: Credentials | None = None

    def open(self) -> Database:
        """A connection to the deployment's keyspace; the CA is a file that Spark distributed."""
        settings = self.settings
        if settings.tls_ca:
            local_ca = SparkFiles.get(Path(settings.tls_ca).name)
            settings = settings.model_copy(update={"tls_ca": local_ca})
        return connect(settings, keyspace=settings.keyspace, credentials=self.credentials)


def replay(
    config: Config,
    rebuild: Rebuild,
    *,
    users: Sequence[UUID] | None = None,
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Project the journal again. Existing rows do not change; it is safe beside writers.

    Args:
        config: where Cassandra and Spark are.
        rebuild: writes the projections of a user's events.
        users: whose events; everybody's by default.
        progress: is told about every step.
        clock: the server's time.

    Raises:
        LeaseHeld: another replay is under way.
    """
    # With the service's role: it writes the service's tables.
    access = CassandraAccess(config.cassandra, credentials_of(config, "service"))
    inputs = {"users": "all" if users is None else len(users)}
    with open_job(config, FAMILY, inputs, progress=progress, clock=clock) as job:
        run, spark = job.run, job.spark()
        with run.step("project"):
            events = _events(spark, job.keyspace, users, run)
            task = partial(replayed_rows, access=access, rebuild=rebuild)
            done = events.mapInArrow(task, from_arrow_schema(REPLAYED))
            # not toLocalIterator: it would run one task after the other, on one core
            rows = [row.asDict() for row in done.collect()]
        require_unique_keys(rows, ["user_id"])
        run.counts["events"] = sum(row["events"] for row in rows)
        run.add_outcomes([_outcome(row) for row in rows])
        job.progress.step("users replayed", len(rows), len(rows))
    return job.run.report()


def replayed_rows(
    batches: Iterable[pa.RecordBatch], *, access: CassandraAccess, rebuild: Rebuild
) -> Iterator[pa.RecordBatch]:
    """One Spark task: rebuild user after user over one connection."""
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return
    with closing(access.open()) as database:
        for (user,), group in spans(chain([first], batches), ["user_id"]):
            row = _replayed(database, str(user), group, rebuild)
            yield pa.RecordBatch.from_pylist([row], schema=REPLAYED)


def _replayed(
    database: Database, user: str, group: pa.Table, rebuild: Rebuild
) -> dict[str, object]:
    def work() -> int:
        """Rebuild the user's projections; the number of events."""
        events = [
            event_of(UUID(row["event_id"]), row["kind"], row["payload"], row["received_at"])
            for row in group.select(COLUMNS[1:]).to_pylist()
        ]
        asyncio.run(rebuild(database, UUID(user), events))
        return len(events)

    attempt = attempted(work)
    status = "failed" if attempt.value is None else "replayed"
    return {
        "user_id": user,
        "events": attempt.value or 0,
        "status": status,
        "reason": attempt.reason,
    }


def _events(
    spark: SparkSession, keyspace: str, users: Sequence[UUID] | None, run: Run
) -> DataFrame:
    """Events, a user's together and in the order received; in the journal months are partitions."""
    if users is None:
        frame = read_table(spark, keyspace, "journal").frame
    else:
        months = possible_months(run.started_at)
        keys = [(user, month) for user in users for month in months]
        frame = read_keys(spark, keyspace, "journal", keys).frame
    tasks = TASKS_PER_CORE * spark.sparkContext.defaultParallelism
    # with an explicit number: Spark would coalesce a small journal into one task
    by_user = frame.select(*COLUMNS).repartition(tasks, "user_id")
    return by_user.sortWithinPartitions("user_id", "received_at", "event_id")


def _outcome(row: Row) -> UserOutcome:
    return UserOutcome(UUID(row["user_id"]), "journal", row["status"], row["reason"], "", "{}")
