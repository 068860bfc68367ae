"""One query of the mart with Spark SQL: the same views and limits as DuckDB has."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import (
    ArrayType,
    DataType,
    MapType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from pipelines.mart.guard import require_readable
from pipelines.mart.planning import ended_if_needed
from pipelines.mart.same_types import require_same_types
from pipelines.mart.session import mart_session
from pipelines.mart.stopped_tasks import StoppedTasks
from schemas.config import Config, Sql
from schemas.errors import BadQuery, QueryTooLong
from schemas.exhaustion import causes, exhaustion_of, said_by
from schemas.mart import FRESHNESS, MART
from store.json_values import plain
from store.mart import Manifest, MartFolder, QueryResult
from store.mart_query import names_in_duckdb
from store.time_limit import stopped_after

DAMAGE = ("org.apache.parquet", "UNABLE_TO_INFER_SCHEMA")
"""Signs of a file that Spark cannot read, of which it does not always say the name."""


def query_mart(config: Config, sql: str) -> QueryResult:
    """Run one SELECT in a session of its own, without Cassandra.

    Raises:
        NoMart, BadMart, BadQuery, QueryTooLong, Exhausted: as `query_spark`.
    """
    spark = mart_session(config)
    try:
        return query_spark(spark, MartFolder(config.paths.mart), sql, config.sql)
    except QueryTooLong:
        StoppedTasks(spark).end_all()  # else the end of this process waits for them, and in vain
        raise


def query_spark(spark: SparkSession, folder: MartFolder, sql: str, limits: Sql) -> QueryResult:
    """Run one SELECT.

    Args:
        spark: a session; the mart's tables become its temporary views.
        folder: where the mart is.
        sql: one statement; tables by their bare names.
        limits: time and rows.

    Raises:
        NoMart: nobody has refreshed it yet.
        BadQuery: anything but reading the mart's tables, or SQL that Spark refuses.
        BadMart: one of its files cannot be read.
        Exhausted: memory or a disk is used up.
        QueryTooLong: it did not end in time.
    """
    return folder.query(lambda manifest: _query(spark, folder, manifest, sql, limits))


def _query(
    spark: SparkSession, folder: MartFolder, manifest: Manifest, sql: str, limits: Sql
) -> QueryResult:
    stopped = threading.Event()
    try:
        make_views(spark, folder, manifest)
        require_readable(parsed(spark, sql), sql)
        with _time_limit(spark, limits, stopped):
            frame = spark.sql(sql)
            require_same_types(resolved(frame))
            rows = _numbered(frame.limit(limits.rows + 1)).collect()
    except (PySparkException, Py4JJavaError) as problem:
        if stopped.is_set():
            raise QueryTooLong(
                f"The query took longer than sql.seconds = {limits.seconds:g} and was stopped; "
                "ask for less, or raise the limit.",
                field="sql",
            ) from problem
        if exhausted := exhaustion_of(problem):
            raise exhausted from problem
        folder.require_readable(causes(problem), [manifest.version, *DAMAGE], sql=sql)
        raise BadQuery(
            f"Spark: {said_by(problem)} `muvr mart show` names tables and columns.",
            field="sql",
            value=sql[:100],
        ) from problem
    kept = [tuple(map(plain, row.asDict(recursive=True).values())) for row in rows[: limits.rows]]
    names = _names(frame, names_in_duckdb(folder, manifest, sql, limits))
    return QueryResult(names, kept, len(rows) > limits.rows, manifest.as_of)


def _names(frame: DataFrame, in_duckdb: tuple[str, ...] | None) -> tuple[str, ...]:
    """The names of a query's columns: DuckDB's, if it accepts the query, since it has one answer.

    Each engine makes names of its own for what has none: `count_star()`, `count(1)`.
    """
    names = tuple(frame.columns)
    return in_duckdb if in_duckdb and len(in_duckdb) == len(names) else names


def make_views(spark: SparkSession, folder: MartFolder, manifest: Manifest) -> None:
    """Let a session see one version of the mart."""
    for name in MART:
        path = str(folder.table(manifest, name))
        spark.read.parquet(path).createOrReplaceTempView(name)
    [column] = FRESHNESS.columns
    as_of = f.lit(manifest.as_of_text).cast(TimestampNTZType())
    spark.range(1).select(as_of.alias(column.name)).createOrReplaceTempView(FRESHNESS.name)


def parsed(spark: SparkSession, sql: str) -> Any:
    """What Spark's parser makes of a text, nothing resolved and nothing run."""
    java: Any = spark._jsparkSession
    return java.sessionState().sqlParser().parsePlan(sql)


def resolved(frame: DataFrame) -> Any:
    """What Spark's analysis makes of a query, nothing run."""
    java: Any = frame._jdf
    return java.queryExecution().analyzed()


def _numbered(frame: DataFrame) -> DataFrame:
    """A frame with numbers as names, as a query may name two columns the same.

    Its times are those of the session's zone, UTC, wherever this machine is: PySpark would give
    times with a zone, as `date_trunc` and `to_timestamp` make them, in the zone of this process.
    """
    numbered = frame.toDF(*map(str, range(len(frame.columns))))
    fields = numbered.schema.fields
    return numbered.select(
        *(numbered[one.name].cast(_without_zone(one.dataType)).alias(one.name) for one in fields)
    )


def _without_zone(of: DataType) -> DataType:
    """A type with times without a zone in place of those with one, also within it."""
    if isinstance(of, TimestampType):
        return TimestampNTZType()
    if isinstance(of, ArrayType):
        return ArrayType(_without_zone(of.elementType), of.containsNull)
    if isinstance(of, MapType):
        key, value = _without_zone(of.keyType), _without_zone(of.valueType)
        return MapType(key, value, of.valueContainsNull)
    if isinstance(of, StructType):
        fields = [(one.name, _without_zone(one.dataType), one.nullable) for one in of.fields]
        return StructType([StructField(*one) for one in fields])
    return of


@contextmanager
def _time_limit(spark: SparkSession, limits: Sql, stopped: threading.Event) -> Generator[None]:
    """Cancel what runs in this thread when its time is over, and say so in `stopped`."""
    group = f"muvr-sql-{uuid4()}"
    spark.sparkContext.setJobGroup(group, "muvr sql", interruptOnCancel=True)
    with ended_if_needed(spark) as end:

        def stop() -> None:
            """Called by the timer's thread. `stopped` is set first: the ended query reads it."""
            stopped.set()
            spark.sparkContext.cancelJobGroup(group)
            end()

        with stopped_after(limits.seconds, stop):
            yield
