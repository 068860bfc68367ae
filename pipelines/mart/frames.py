"""The rows of a refresh of the mart: of people who changed, read by key; of others, copied."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as f

from pipelines.mart.tables import PADDED_KEYS, SOURCES, columns_of, padded_keys, spark_type
from pipelines.spark.tables import CATALOG, read_keys
from schemas.mart import MART
from store.mart import Manifest, MartFolder
from store.pseudonyms import pseudonym


@dataclass(frozen=True, slots=True)
class Refresh:
    """What one refresh reads and where it writes.

    Attributes:
        before: the version that is copied from; None: everything is read.
        changed: people who are read again, each with the months that may hold their rows.
        version: the folder that is written.
        placeholders: what stands for names in the tables' expressions.
        key: of the pseudonyms.
        database_id: of the database that is read.
        layout: of `copies_digest`; a version of another one is not copied from.
    """

    spark: SparkSession
    keyspace: str
    folder: MartFolder
    before: Manifest | None
    changed: Mapping[UUID, Sequence[str]]
    version: str
    placeholders: Mapping[str, str]
    key: bytes = field(repr=False)
    database_id: str
    layout: str


def file_url(path: Path) -> str:
    """A path as a URL of this machine's file system, whatever file system Spark uses by default."""
    return f"file://{path.resolve()}"


def frame_of(refresh: Refresh, name: str) -> DataFrame:
    """All rows of a table: those read now, and those of people who did not change."""
    source = SOURCES[name]
    read_all = refresh.before is None or source.keyed is None
    if read_all:
        stored = _table(refresh, source.table)
    else:
        keys = _keys(refresh.changed, source.keyed or "")
        stored = read_keys(refresh.spark, refresh.keyspace, source.table, keys).frame
    stored = stored.where(source.where.format_map(refresh.placeholders))
    if source.explode:
        stored = stored.selectExpr("*", source.explode)
    stored = stored.crossJoin(f.broadcast(_keys_of_pseudonyms(refresh)))
    read = stored.selectExpr(*columns_of(name, refresh.placeholders))
    if read_all or refresh.before is None:
        return read
    previous = refresh.spark.read.parquet(file_url(refresh.folder.table(refresh.before, name)))
    reread = refresh.spark.createDataFrame(
        [(pseudonym(refresh.key, "u", user),) for user in refresh.changed], "user string"
    )
    return read.unionByName(previous.join(reread, "user", "left_anti"))


def _table(refresh: Refresh, name: str) -> DataFrame:
    """All of a table of Cassandra's."""
    return refresh.spark.table(f"{CATALOG}.{refresh.keyspace}.{name}")


def _keys_of_pseudonyms(refresh: Refresh) -> DataFrame:
    """One row that every other is joined with: Spark's plan names its columns, not its values."""
    types = ", ".join(f"{name} binary" for name in PADDED_KEYS)
    return refresh.spark.createDataFrame([padded_keys(refresh.key)], types)


def _keys(changed: Mapping[UUID, Sequence[str]], keyed: str) -> list[tuple[object, ...]]:
    """The partitions of people: one each, or one for each of their months."""
    if not keyed:
        return [(user,) for user in changed]
    return [(user, month) for user, months in changed.items() for month in months]


def evaluations(refresh: Refresh) -> DataFrame:
    """Every number of every run, whatever the family calls it."""
    runs = _table(refresh, "job_runs").select(
        "family", "run_id", "status", "metrics", "finished_at"
    )
    rows = [
        (row["family"], row["run_id"], row["status"], metric, value, row["finished_at"])
        for row in runs.collect()
        for metric, value in numbers(json.loads(row["metrics"] or "{}"))
    ]
    names = [column.name for column in MART["evaluations"].columns]
    frame = refresh.spark.createDataFrame(
        rows, "a string, b string, c string, d string, e double, f timestamp"
    ).toDF(*names)
    types = {column.name: spark_type(column.type) for column in MART["evaluations"].columns}
    return frame.selectExpr(*(f"CAST(`{n}` AS {t}) AS `{n}`" for n, t in types.items()))


def numbers(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in nested metrics, by dotted names.

    >>> list(numbers({"model": {"ndcg": 0.5}, "why": "x", "sets": 3}))
    [('model.ndcg', 0.5), ('sets', 3.0)]
    """
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)
