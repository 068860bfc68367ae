"""Two ways to learn from users' confirmed sets: on Spark, and in this process.

Both call the same function with the same rows, so that the models have the same bytes.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from pipelines.keys import Row, UserKey
from pipelines.lifecycle.engines import LocalEngine, Partitions, Pass, written_rows
from pipelines.lifecycle.gather import gather
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.log_partitions import newest_of, newest_set_at, sets_of
from pipelines.lifecycle.runs import Run
from pipelines.lifecycle.set_logs import COLUMNS, REVISIONS, USER_KEY, partition_of
from pipelines.lifecycle.user_models import USER_MODEL_WRITER
from pipelines.personal.rows import LEARNED
from pipelines.spark.plans import require_direct_join, require_no_shuffle
from pipelines.spark.span import PortionFunction, span_by
from schemas.inputs import SETS
from store.database import Database
from store.sets import Sets

USERS_PER_CALL = 64


class SetsEngine(Protocol):
    """Reads users' confirmed sets and learns from them; None for users is everybody."""

    def newest_set_at(self, latest: datetime, users: Sequence[UUID] | None = None) -> datetime:
        """The start of the newest set, as `pipelines.lifecycle.log_partitions.newest_set_at`."""
        ...

    def learn(self, users: Sequence[UUID] | None, task: PortionFunction, run: Run) -> list[Row]:
        """Store the models of users with sets; their rows of `LEARNED` without the models.

        Raises:
            LeaseLost: the run's lease was lost; nothing more is written.
        """
        ...


@dataclass(frozen=True, slots=True)
class SparkSets:
    """Reads and learns on Spark's executors, without a shuffle."""

    spark: SparkSession
    keyspace: str

    def newest_set_at(self, latest: datetime, users: Sequence[UUID] | None = None) -> datetime:
        """The start of the newest set."""
        return newest_set_at(self.spark, self.keyspace, latest, users)

    def learn(self, users: Sequence[UUID] | None, task: PortionFunction, run: Run) -> list[Row]:
        """Learn and store on the executors."""
        frame = self._frame(users, task)
        return written_rows(frame, USER_KEY, (USER_MODEL_WRITER,), self.keyspace, run)

    def _frame(self, users: Sequence[UUID] | None, task: PortionFunction) -> DataFrame:
        """The rows of `LEARNED`, which are not computed yet."""
        table = sets_of(self.spark, self.keyspace, users).columns(*COLUMNS, *REVISIONS)
        learned = span_by(table, USER_KEY, task, LEARNED, groups_per_call=USERS_PER_CALL)
        require_no_shuffle(learned)
        if users is not None:
            require_direct_join(learned)
        return learned


@dataclass(frozen=True, slots=True)
class LocalSets:
    """Reads and learns in this process: for few users, and for tests."""

    database: Database

    def newest_set_at(self, latest: datetime, users: Sequence[UUID] | None = None) -> datetime:
        """The start of the newest set."""
        starts = gather(Sets(self.database).starts_ms, self._users(users))
        return newest_of((ms * 1000 for of_user in starts for ms in of_user), latest)

    def learn(self, users: Sequence[UUID] | None, task: PortionFunction, run: Run) -> list[Row]:
        """Learn and store portion by portion."""
        have_sets = gather(Sets(self.database).has_any, selected := self._users(users))
        # Spark meets no user without sets.
        keys = [
            (user, SETS) for user, has_sets in zip(selected, have_sets, strict=True) if has_sets
        ]
        portions = [keys[n : n + USERS_PER_CALL] for n in range(0, len(keys), USERS_PER_CALL)]
        read = Partitions("sets", (*COLUMNS, *REVISIONS), _read_local)
        pass_ = Pass(read, task, LEARNED, (USER_MODEL_WRITER,))
        rows = LocalEngine(self.database).learn_portions(portions, pass_, run)
        small = [field for field in LEARNED if field.name not in USER_MODEL_WRITER.large_columns]
        return pa.Table.from_pylist(rows, schema=pa.schema(small)).to_pylist()

    def _users(self, users: Sequence[UUID] | None) -> Sequence[UUID]:
        return asyncio.run(Sets(self.database).users()) if users is None else users


def sets_engine_of(job: Job) -> SetsEngine:
    """The engine that a job was asked to run on."""
    if job.engine == "local":
        return LocalSets(job.database)
    return SparkSets(job.spark(), job.keyspace)


def _read_local(database: Database, key: UserKey) -> pa.Table:
    rows = asyncio.run(Sets(database).trained(key[0]))
    return partition_of(key[0], [row._asdict() for row in rows])
