"""Two ways to run a function over users' partitions: on Spark, and in this process.

Both pass the same rows to the function, so that the results have the same bytes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from pipelines.keys import KEY, Key, Row, UserKey
from pipelines.lifecycle.chosen_rows import ChosenRows
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.runs import Run
from pipelines.lifecycle.scope import Scope
from pipelines.spark.persist import persisted, rows_of
from pipelines.spark.plans import require_direct_join, require_no_shuffle
from pipelines.spark.span import (
    GroupFunction,
    Rows,
    require_unique_keys,
    rows_by_call,
    span_by,
)
from pipelines.spark.tables import CassandraFrame, read_keys, read_portions, read_rows, read_table
from store.database import Database

ROWS_PER_BATCH = 8  # a row may carry the windows of all of a user's sets
LARGE_ROWS_PER_BATCH = 2  # rows of about a megabyte each


@dataclass(frozen=True, slots=True)
class Partitions:
    """A Cassandra table that is partitioned by users, and how both engines read it.

    Attributes:
        table: the table's name.
        columns: the columns that are read.
        read_local: reads one partition in this process, in the form in which Spark hands it over.
        key: the table's partition key: `KEY`, or the first of its columns.
    """

    table: str
    columns: tuple[str, ...]
    read_local: Callable[[Database, UserKey], pa.Table]
    key: tuple[str, ...] = KEY


class ColumnWriter(Protocol):
    """Writes large columns, such as model bytes, where they are computed, not on the driver."""

    @property
    def large_columns(self) -> Sequence[str]:
        """Columns that are written here and do not come back to the driver."""
        ...

    def write_frame(self, learned: DataFrame, keyspace: str, run: Run) -> None:
        """Write from the executors."""
        ...

    def write_row(self, row: Row, database: Database, run: Run) -> None:
        """Write one row from this process."""
        ...


@dataclass(frozen=True, slots=True)
class Pass:
    """A function to run once over each partition.

    Attributes:
        read: the table and columns that it is given.
        function: maps a partition's key and rows to rows; for `learn_portions`, and with
            `groups_per_call`, a list of such pairs to rows.
        schema: of the rows that it returns, among them the columns of `KEY`.
        writers: write large columns of those rows before the rows are returned.
        groups_per_call: as of `span_by`.
    """

    read: Partitions
    function: Callable[..., Rows]
    schema: pa.Schema
    writers: tuple[ColumnWriter, ...] = ()
    groups_per_call: int | None = None

    @property
    def large_columns(self) -> list[str]:
        """Columns that the writers take."""
        return [name for writer in self.writers for name in writer.large_columns]


class Engine(Protocol):
    """Runs a `Pass` over partitions."""

    def collect(self, chosen: ChosenRows, function: GroupFunction, schema: pa.Schema) -> list[Row]:
        """Run a function over chosen rows: one row or none per partition, nothing is written."""
        ...

    def learn(self, scope: Scope, pass_: Pass, run: Run) -> list[Row]:
        """Run a pass and write its large columns; the other columns of each key that has sets.

        Raises:
            LeaseLost: the run's lease was lost; nothing more is written.
        """
        ...

    def learn_portions(
        self, portions: Sequence[Sequence[UserKey]], pass_: Pass, run: Run
    ) -> list[Row]:
        """As `learn`, but the function is given all partitions of a portion in one call."""
        ...


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """Runs passes on Spark's executors, without a shuffle."""

    spark: SparkSession
    keyspace: str

    def collect(self, chosen: ChosenRows, function: GroupFunction, schema: pa.Schema) -> list[Row]:
        """Run a function on the executors and return its rows."""
        if not chosen.keys:
            return []
        rows = rows_of(self.chosen_frame(chosen, function, schema))
        require_unique_keys(rows, KEY)
        return rows

    def chosen_frame(
        self, chosen: ChosenRows, function: GroupFunction, schema: pa.Schema
    ) -> DataFrame:
        """The DataFrame of `collect`.

        Raises:
            PlanViolated: the plan reads more than the chosen rows.
        """
        keys = chosen.keys.items()
        table = read_rows(self.spark, self.keyspace, chosen.table, chosen.clustering, keys)
        spanned = span_by(
            table.columns(*chosen.columns),
            KEY,
            function,
            schema,
            rows_per_batch=LARGE_ROWS_PER_BATCH,
        )
        require_direct_join(spanned, (*KEY, *chosen.clustering))
        return spanned

    def learn(self, scope: Scope, pass_: Pass, run: Run) -> list[Row]:
        """Run a pass on the executors; they write its large columns to Cassandra.

        Raises:
            PlanViolated: the plan shuffles, or reads more than the requested keys.
        """
        if scope.whole:
            table = read_table(self.spark, self.keyspace, pass_.read.table)
        else:
            table = self._read(scope.keys, pass_)
        spanned = _spanned(table, pass_, groups_per_call=pass_.groups_per_call)
        require_no_shuffle(spanned)
        if not scope.whole:
            require_direct_join(spanned)
        return self._write(spanned, pass_, run)

    def learn_portions(
        self, portions: Sequence[Sequence[UserKey]], pass_: Pass, run: Run
    ) -> list[Row]:
        """Run a pass over portions on the executors; they write its large columns to Cassandra."""
        return self._write(self.portion_frame(portions, pass_), pass_, run) if portions else []

    def portion_frame(self, portions: Sequence[Sequence[UserKey]], pass_: Pass) -> DataFrame:
        """The DataFrame of a pass over portions, with one Spark task per portion.

        Raises:
            PlanViolated: the plan reads more than the requested keys.
        """
        table = read_portions(self.spark, self.keyspace, pass_.read.table, portions)
        spanned = _spanned(table, pass_, groups_per_call=max(map(len, portions)))
        require_direct_join(spanned)
        return spanned

    def _read(self, keys: Sequence[UserKey], pass_: Pass) -> CassandraFrame:
        partitions = [key[: len(pass_.read.key)] for key in keys]
        return read_keys(self.spark, self.keyspace, pass_.read.table, partitions)

    def _write(self, spanned: DataFrame, pass_: Pass, run: Run) -> list[Row]:
        """Compute a frame once, write its large columns on the executors, and return the others.

        Raises:
            SpanBroken: two rows have the same key.
            LeaseLost: the run's lease was lost; nothing is written.
        """
        with persisted(spanned) as frame:
            rows = [row.asDict() for row in frame.drop(*pass_.large_columns).collect()]
            require_unique_keys(rows, KEY)
            run.require_lease()
            for writer in pass_.writers:
                writer.write_frame(frame, self.keyspace, run)
        return rows


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """Runs passes in this process, partition by partition: for few users, and for tests."""

    database: Database

    def collect(self, chosen: ChosenRows, function: GroupFunction, schema: pa.Schema) -> list[Row]:
        """Run a function partition by partition; the rows equal those of `SparkEngine`."""
        rows: list[Row] = []
        for key, row_keys in chosen.keys.items():
            group = chosen.read_local(self.database, key, row_keys)
            if group.num_rows:  # Spark meets no empty partition
                rows += [dict(row) for row in function(spark_key(key), group)]
        return pa.Table.from_pylist(rows, schema=schema).to_pylist()

    def learn(self, scope: Scope, pass_: Pass, run: Run) -> list[Row]:
        """Run a pass call by call; the rows of one are written before more is read."""
        calls = self._called(scope.keys, pass_)
        return [row for rows in calls for row in self._write(rows, pass_, run)]

    def learn_portions(
        self, portions: Sequence[Sequence[UserKey]], pass_: Pass, run: Run
    ) -> list[Row]:
        """Run a pass over the same portions as `SparkEngine` does."""
        rows: list[Row] = []
        for portion in portions:
            groups = [self._group(key, pass_) for key in portion]
            rows += self._write(pass_.function(groups), pass_, run)
        return rows

    def _called(self, keys: Sequence[UserKey], pass_: Pass) -> Iterator[Rows]:
        """The rows of each call; Spark meets no empty partition."""
        groups = (group for key in keys if (group := self._group(key, pass_))[1].num_rows)
        return rows_by_call(groups, pass_.function, pass_.groups_per_call)

    def _group(self, key: UserKey, pass_: Pass) -> tuple[Key, pa.Table]:
        return spark_key(key), pass_.read.read_local(self.database, key)

    def _write(self, rows: Rows, pass_: Pass, run: Run) -> list[Row]:
        """Write the large columns, and return the others as Spark would."""
        learned = [dict(row) for row in rows]
        for row in learned:
            run.require_lease()
            for writer in pass_.writers:
                writer.write_row(row, self.database, run)
        small = pa.schema([f for f in pass_.schema if f.name not in pass_.large_columns])
        return pa.Table.from_pylist(learned, schema=small).to_pylist()


def engine_of(job: Job) -> Engine:
    """The engine that a job was asked to run on."""
    if job.engine == "local":
        return LocalEngine(job.database)
    return SparkEngine(job.spark(), job.keyspace)


def spark_key(key: UserKey) -> Key:
    """A partition's key in the form in which Spark hands it over."""
    return str(key[0]), key[1]


def _spanned(
    table: CassandraFrame, pass_: Pass, *, groups_per_call: int | None = None
) -> DataFrame:
    return span_by(
        table.columns(*pass_.read.columns),
        pass_.read.key,
        pass_.function,
        pass_.schema,
        rows_per_batch=ROWS_PER_BATCH,
        groups_per_call=groups_per_call,
    )
