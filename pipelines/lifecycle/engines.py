"""Two ways to run a function over users' partitions: on Spark, and in this process.

Both pass the same rows to the function, so that the results have the same bytes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from pipelines.keys import KEY, Key, Row, UserKey
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.runs import Run
from pipelines.lifecycle.scope import Scope
from pipelines.spark.persist import kept_on_disk
from pipelines.spark.plans import require_direct_join, require_no_shuffle
from pipelines.spark.span import keys_once, span_by
from pipelines.spark.tables import CassandraFrame, read_keys, read_portions, read_table
from store.database import Database

ROWS_OUT = 8  # that leave a worker together: one may carry windows of all of a user's sets
MEGABYTES_OUT = 2  # of rows that are about a megabyte each


@dataclass(frozen=True, slots=True)
class Partitions:
    """Users' partitions of one table, by `KEY`.

    Attributes:
        table: of Cassandra.
        columns: that are read.
        here: reads one of them in this process, as Spark would hand it over.
    """

    table: str
    columns: tuple[str, ...]
    here: Callable[[Database, UserKey], pa.Table]


class Keeper(Protocol):
    """Writes large columns, such as model bytes, where they are learned, not through the driver."""

    @property
    def heavy(self) -> Sequence[str]:
        """Columns that are written here and do not come back to the driver."""
        ...

    def from_frame(self, learned: DataFrame, keyspace: str, run: Run) -> None:
        """Write from the executors."""
        ...

    def from_row(self, row: Row, database: Database, run: Run) -> None:
        """Write one row from this process."""
        ...


@dataclass(frozen=True, slots=True)
class Pass:
    """A function to run once over each partition.

    Attributes:
        read: the table and columns that it is given.
        function: a partition's key and rows to rows; for `portions` a list of such pairs to rows.
        schema: of the rows that come out.
        keepers: write large columns of those rows before the rows are returned.
    """

    read: Partitions
    function: Callable[..., Iterable[Mapping[str, Any]]]
    schema: pa.Schema
    keepers: tuple[Keeper, ...] = ()

    @property
    def heavy(self) -> list[str]:
        """Columns that the keepers take."""
        return [name for keeper in self.keepers for name in keeper.heavy]


class Engine(Protocol):
    """Runs a `Pass` over partitions."""

    def over(self, keys: Sequence[UserKey], look: Pass) -> list[Row]:
        """One row or none for every key, with all columns; nothing is written."""
        ...

    def learned(self, scope: Scope, look: Pass, run: Run) -> list[Row]:
        """One row for every key; its heavy columns are written and left out.

        Raises:
            LeaseHeld: the run's lease was lost; nothing more is written.
        """
        ...

    def portions(self, portions: Sequence[Sequence[UserKey]], look: Pass, run: Run) -> list[Row]:
        """Learn portions: the function is given all keys of a portion together. See `learned`."""
        ...


@dataclass(frozen=True, slots=True)
class SparkEngine:
    """Every partition where Spark reads it; one pass, no shuffle."""

    spark: SparkSession
    keyspace: str

    def over(self, keys: Sequence[UserKey], look: Pass) -> list[Row]:
        """One row or none for every key: one split of them after the other comes here."""
        if not keys:
            return []
        table = read_keys(self.spark, self.keyspace, look.read.table, keys)
        spanned = _spanned(table, look, rows_out=MEGABYTES_OUT)
        require_direct_join(spanned)
        rows = [row.asDict() for row in spanned.toLocalIterator()]
        keys_once(rows, KEY)
        return rows

    def learned(self, scope: Scope, look: Pass, run: Run) -> list[Row]:
        """Learn on the executors; what is heavy goes from there to Cassandra."""
        return self._kept(self.frame(scope, look), look, run)

    def frame(self, scope: Scope, look: Pass) -> DataFrame:
        """One row for every key.

        Raises:
            PlanViolated: the plan shuffles, or reads more than the asked keys.
        """
        if scope.whole:
            table = read_table(self.spark, self.keyspace, look.read.table)
        else:
            table = read_keys(self.spark, self.keyspace, look.read.table, scope.keys)
        spanned = _spanned(table, look)
        require_no_shuffle(spanned)
        if not scope.whole:
            require_direct_join(spanned)
        return spanned

    def portions(self, portions: Sequence[Sequence[UserKey]], look: Pass, run: Run) -> list[Row]:
        """Look at portions on the executors; what is heavy goes from there to Cassandra."""
        return self._kept(self.portion_frame(portions, look), look, run) if portions else []

    def portion_frame(self, portions: Sequence[Sequence[UserKey]], look: Pass) -> DataFrame:
        """One Spark task a portion; only the common result of its members leaves the worker.

        Raises:
            PlanViolated: the plan reads more than the asked keys.
        """
        table = read_portions(self.spark, self.keyspace, look.read.table, portions)
        together = max(2, *map(len, portions))  # 1 would hand over a key and its rows, no portion
        spanned = _spanned(table, look, together=together)
        require_direct_join(spanned)
        return spanned

    def _kept(self, spanned: DataFrame, look: Pass, run: Run) -> list[Row]:
        """Compute once, write what is heavy, and return the rest."""
        with kept_on_disk(spanned) as frame:
            rows = [row.asDict() for row in frame.drop(*look.heavy).collect()]
            keys_once(rows, KEY)
            run.require_lease()
            for keeper in look.keepers:
                keeper.from_frame(frame, self.keyspace, run)
        return rows


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """One partition after the other in this process: for one user, for tests, for comparison."""

    database: Database

    def over(self, keys: Sequence[UserKey], look: Pass) -> list[Row]:
        """Call the function here, key by key; the rows are those that Spark's engine gives."""
        found = [row for key in keys for row in self._learned(key, look)]
        return pa.Table.from_pylist(found, schema=look.schema).to_pylist()

    def learned(self, scope: Scope, look: Pass, run: Run) -> list[Row]:
        """Learn here; a user's rows are written before the next is learned."""
        return [
            row for key in scope.keys for row in self._kept(self._learned(key, look), look, run)
        ]

    def portions(self, portions: Sequence[Sequence[UserKey]], look: Pass, run: Run) -> list[Row]:
        """Learn portions here; they are the portions that Spark's engine learns."""
        rows: list[Row] = []
        for portion in portions:
            groups = [(key_of(key), look.read.here(self.database, key)) for key in portion]
            rows += self._kept([dict(row) for row in look.function(groups)], look, run)
        return rows

    def _learned(self, key: UserKey, look: Pass) -> list[Row]:
        group = look.read.here(self.database, key)
        return [dict(row) for row in look.function(key_of(key), group)] if group.num_rows else []

    def _kept(self, rows: Sequence[Row], look: Pass, run: Run) -> list[Row]:
        """Write what is heavy, and return the rest."""
        for row in rows:
            run.require_lease()
            for keeper in look.keepers:
                keeper.from_row(row, self.database, run)
        light = [name for name in look.schema.names if name not in look.heavy]
        return [{name: row.get(name) for name in light} for row in rows]


def engine_of(job: Job) -> Engine:
    """The engine that a job was asked to run on."""
    if job.engine == "local":
        return LocalEngine(job.database)
    return SparkEngine(job.spark(), job.keyspace)


def key_of(key: UserKey) -> Key:
    """A partition's key as Spark would hand it over."""
    return str(key[0]), key[1]


def _spanned(
    table: CassandraFrame, look: Pass, *, rows_out: int = ROWS_OUT, together: int = 1
) -> DataFrame:
    columns = table.columns(*look.read.columns)
    return span_by(columns, KEY, look.function, look.schema, rows_out=rows_out, together=together)
