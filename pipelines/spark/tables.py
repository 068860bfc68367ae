"""Cassandra's tables as Spark sees them: a DataFrame never travels without its partition key."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import ArrayType, StructField, StructType

CATALOG = "muvr"
ROWS_AT_ONCE = 16
"""Rows that a task has in flight, a megabyte each: 512, the connector's number, fill its heap."""
FORMAT = "org.apache.spark.sql.cassandra"


@dataclass(frozen=True, slots=True)
class CassandraFrame:
    """Rows of one table; those of a partition are read by one task.

    Attributes:
        name: keyspace.table.
        partition_key: as Cassandra has it, in order.
        frame: the rows.
    """

    name: str
    partition_key: tuple[str, ...]
    frame: DataFrame

    def columns(self, *names: str) -> "CassandraFrame":
        """Only these columns; nothing else is fetched."""
        return replace(self, frame=self.frame.select(*names))


def read_table(spark: SparkSession, keyspace: str, table: str) -> CassandraFrame:
    """A whole table, by token ranges: a Cassandra partition lies in one Spark split."""
    frame = spark.table(f"{CATALOG}.{keyspace}.{table}")
    return CassandraFrame(f"{keyspace}.{table}", partition_key(spark, keyspace, table), frame)


def read_keys(
    spark: SparkSession, keyspace: str, table: str, keys: Sequence[tuple[object, ...]]
) -> CassandraFrame:
    """Only the partitions of `keys`, by a Direct Join: one read per key, no scan.

    The keys are made unique first: each duplicate would emit its whole partition again.
    """
    names = partition_key(spark, keyspace, table)
    unique = sorted(set(keys), key=str)
    wanted = spark.createDataFrame(
        [tuple(map(str, key)) for key in unique],
        schema=", ".join(f"{name} string" for name in names),
    )
    return CassandraFrame(f"{keyspace}.{table}", names, direct_join(spark, keyspace, table, wanted))


def read_portions(
    spark: SparkSession,
    keyspace: str,
    table: str,
    portions: Sequence[Sequence[tuple[object, ...]]],
) -> CassandraFrame:
    """The partitions of keys by a Direct Join; the keys of a portion in one task, in their order.

    Args:
        spark: the session.
        keyspace: of the table.
        table: that is read.
        portions: keys, without duplicates. There are as many tasks, on any number of cores.
    """
    names = partition_key(spark, keyspace, table)
    portions_json = json.dumps(
        [[dict(zip(names, map(str, key), strict=True)) for key in portion] for portion in portions]
    )
    struct = ", ".join(f"{name}: string" for name in names)
    all_portions = f.from_json(f.lit(portions_json), f"array<array<struct<{struct}>>>")
    numbers = spark.range(1, len(portions) + 1, numPartitions=len(portions))
    wanted = numbers.select(f.inline(f.element_at(all_portions, f.col("id").cast("int"))))
    return CassandraFrame(f"{keyspace}.{table}", names, direct_join(spark, keyspace, table, wanted))


def read_rows(
    spark: SparkSession,
    keyspace: str,
    table: str,
    clustering: Sequence[str],
    rows: Iterable[tuple[tuple[object, ...], Sequence[tuple[object, ...]]]],
) -> CassandraFrame:
    """Single rows by a Direct Join of their whole primary keys; those of a partition in one task.

    Args:
        spark: the session.
        keyspace: of the table.
        table: that is read.
        clustering: the names of its clustering columns.
        rows: partitions without duplicates, each with its rows by these columns.
    """
    names = partition_key(spark, keyspace, table)
    stored = spark.table(f"{CATALOG}.{keyspace}.{table}")
    row_key = stored.select(*clustering).schema
    partition = StructType([*stored.select(*names).schema, StructField("rows", ArrayType(row_key))])
    partitions = [
        (*_ids_as_text(key), [_ids_as_text(row) for row in of_partition])
        for key, of_partition in sorted(rows, key=str)
    ]
    wanted = spark.createDataFrame(partitions, partition).select(*names, f.inline("rows"))
    reads = {"spark.cassandra.concurrent.reads": str(ROWS_AT_ONCE)}
    frame = direct_join(spark, keyspace, table, wanted, **reads)
    return CassandraFrame(f"{keyspace}.{table}", names, frame)


def _ids_as_text(key: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(str(value) if isinstance(value, UUID) else value for value in key)


def direct_join(
    spark: SparkSession, keyspace: str, table: str, wanted: DataFrame, **options: str
) -> DataFrame:
    """Join a small frame with a table on all columns that they share, one read per row.

    Args:
        spark: the session.
        keyspace: of the table.
        table: that is read.
        wanted: the small frame.
        options: of the connector.
    """
    ours = {"keyspace": keyspace, "table": table, "directJoinSetting": "on"}
    stored = spark.read.format(FORMAT).options(**ours, **options).load()
    shared = [name for name in wanted.columns if name in stored.columns]
    return wanted.join(stored, on=shared, how="inner")


def append(frame: DataFrame, keyspace: str, table: str, **options: str) -> None:
    """Write rows; a row with the same primary key is overwritten with the same or newer value.

    Args:
        frame: its columns are the table's.
        keyspace: of the table.
        table: that is written.
        options: of the connector: `writetime` and `ttl` name columns that say so for each row.
    """
    writer = frame.write.format(FORMAT).options(keyspace=keyspace, table=table, **options)
    writer.mode("append").save()


def partition_key(spark: SparkSession, keyspace: str, table: str) -> tuple[str, ...]:
    """The partition key that Cassandra has, through the connector's catalogue."""
    names = [
        row["col_name"]
        for row in spark.sql(f"DESCRIBE TABLE {CATALOG}.{keyspace}.{table}").collect()
    ]
    return tuple(names[names.index("# col_name") + 1 :])
