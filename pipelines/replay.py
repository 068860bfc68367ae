"""The projections again from the journal: every user's events, where Spark reads them.

What follows from an event is known in one place only, the room `ingest`, which also records it.
This room must not import that one, so the function is passed in by whoever composes both (`muvr
replay`), and the executors import it by its name. They write with Cassandra's driver: every row
carries the time of its event, and Spark's table writer cannot set that cell by cell.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
from pyspark import SparkFiles
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from pipelines.lifecycle.attempts import attempted
from pipelines.lifecycle.job import opened_job
from pipelines.lifecycle.runs import Clock, Run, RunReport, server_time
from pipelines.spark.span import keys_once, spans
from pipelines.spark.tables import read_keys, read_table
from schemas.config import Cassandra, Config
from schemas.layout import MAX_ID_AGE_DAYS
from schemas.progress import Progress
from store.connection import connect
from store.credentials import Credentials, credentials_of
from store.database import Database
from store.jobs import UserOutcome
from store.journal import Event, event_of, months_between
from store.user_rows import OLDEST_DATA

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
TASKS_A_CORE = 8  # they say how far a replay is; cores wait for the last of them at the end
Rebuild = Callable[[Database, UUID, Sequence[Event]], Coroutine[Any, Any, None]]
"""Writes everything that a user's events say. Importable on the executors."""


@dataclass(frozen=True, slots=True)
class CassandraAccess:
    """How executors reach Cassandra."""

    settings: Cassandra
    credentials: Credentials | None = None

    def open(self) -> Database:
        """A connection to the deployment's keyspace; the CA is a file that Spark brought along."""
        settings = self.settings
        if settings.tls_ca:
            here = SparkFiles.get(Path(settings.tls_ca).name)
            settings = settings.model_copy(update={"tls_ca": here})
        return connect(settings, keyspace=settings.keyspace, credentials=self.credentials)


def replay(
    config: Config,
    rebuild: Rebuild,
    *,
    users: Sequence[UUID] | None = None,
    progress: Progress | None = None,
    clock: Clock = server_time,
) -> RunReport:
    """Project the journal again. Over live rows it changes nothing; it is safe beside writers.

    Args:
        config: where Cassandra and Spark are.
        rebuild: what follows from a user's events.
        users: these; everybody by default.
        progress: is told about every step.
        clock: the server's time.

    Raises:
        LeaseHeld: another replay is under way.
    """
    # As the service, for it writes what the service writes.
    access = CassandraAccess(config.cassandra, credentials_of(config, "service"))
    inputs = {"users": "all" if users is None else len(users)}
    with opened_job(config, FAMILY, inputs, progress=progress, clock=clock) as job:
        run, spark = job.run, job.spark()
        with run.step("project"):
            events = _events(spark, job.keyspace, users, run)
            task = partial(replayed_rows, access=access, rebuild=rebuild)
            done = events.mapInArrow(task, from_arrow_schema(REPLAYED))
            # not an iterator over them: it would run one task after the other, on one core
            rows = [row.asDict() for row in done.collect()]
        keys_once(rows, ["user_id"])
        run.counts["events"] = sum(row["events"] for row in rows)
        run.add_outcomes([_outcome(row) for row in rows])
        job.progress.step("users replayed", len(rows), len(rows))
    return job.run.report()


def replayed_rows(
    batches: Iterable[pa.RecordBatch], *, access: CassandraAccess, rebuild: Rebuild
) -> Iterator[pa.RecordBatch]:
    """What one Spark task does: one connection, user after user."""
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
        """Rebuild what follows from the user's events; returns how many there were."""
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
    """Events, a user's together and in the order received: months are partitions of their own."""
    if users is None:
        frame = read_table(spark, keyspace, "journal").frame
    else:
        first = OLDEST_DATA - timedelta(MAX_ID_AGE_DAYS)
        months = months_between(first, _tomorrow(run))
        keys = [(user, month) for user in users for month in months]
        frame = read_keys(spark, keyspace, "journal", keys).frame
    tasks = TASKS_A_CORE * spark.sparkContext.defaultParallelism
    # a number is given, or Spark would join what it takes for little into one task
    chosen = frame.select(*COLUMNS).repartition(tasks, "user_id")
    return chosen.sortWithinPartitions("user_id", "received_at", "event_id")


def _tomorrow(run: Run) -> date:
    return (run.started_at + timedelta(days=2)).date()


def _outcome(row: dict[str, Any]) -> UserOutcome:
    return UserOutcome(UUID(row["user_id"]), "journal", row["status"], row["reason"], "", "{}")
