"""The successor of the connector's `spanBy`, which no longer exists from Python.

A Cassandra partition lies in one Spark split and its rows arrive one after the other. So a group
per full partition key needs no shuffle and no sort: a run-length grouper over the Arrow batches
of a split is enough. Three things make that safe, and each is checked:

- the keys are the *whole* partition key (a prefix silently splits groups);
- a group may go on in the next Arrow batch, so the open group is carried over;
- no key is emitted twice by a task, and `require_unique_keys` refuses it over all tasks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from pipelines.keys import Key
from pipelines.spark.tables import CassandraFrame
from schemas.errors import SpanBroken

Rows = Iterable[Mapping[str, object]]
GroupFunction = Callable[[Key, pa.Table], Rows]
PortionFunction = Callable[[Sequence[tuple[Key, pa.Table]]], Rows]

ROWS_PER_BATCH = 64  # a row may carry a model: 64 of them are about a megabyte


def spans(batches: Iterable[pa.RecordBatch], keys: Sequence[str]) -> Iterator[tuple[Key, pa.Table]]:
    """Group rows that arrive together and share their key.

    Args:
        batches: record batches in the order of the reader; empty ones are allowed.
        keys: names of the key columns; their values are never null.

    Yields:
        the key's values and all its rows, in order of arrival.

    Raises:
        SpanBroken: a key comes back after another one came in between.

    >>> a = pa.record_batch({"u": ["x", "x", "y"], "v": [1, 2, 3]})
    >>> b = pa.record_batch({"u": ["y", "z"], "v": [4, 5]})
    >>> [(key, rows["v"].to_pylist()) for key, rows in spans([a, b], ["u"])]
    [(('x',), [1, 2]), (('y',), [3, 4]), (('z',), [5])]
    """
    open_key: Key | None = None
    parts: list[pa.RecordBatch] = []
    closed: set[Key] = set()
    for key, piece in (run for batch in batches for run in _runs(batch, keys)):
        if key == open_key:
            parts.append(piece)
            continue
        if open_key is not None:
            yield open_key, pa.Table.from_batches(parts)
            closed.add(open_key)
        if key in closed:
            raise SpanBroken(f"The rows of {key} did not arrive together: the key came back.")
        open_key, parts = key, [piece]
    if open_key is not None:
        yield open_key, pa.Table.from_batches(parts)


def span_by(
    table: CassandraFrame,
    keys: Sequence[str],
    function: GroupFunction | PortionFunction,
    schema: pa.Schema,
    *,
    rows_per_batch: int = ROWS_PER_BATCH,
    groups_per_call: int | None = None,
) -> DataFrame:
    """Call `function` once per Cassandra partition, without a shuffle.

    Args:
        table: the table to read, with its partition key.
        keys: must be the whole partition key.
        function: gets the key's values and the partition's rows; returns rows of `schema`. It
            runs on the executors: no database driver, no Spark there.
        schema: of the rows that come out.
        rows_per_batch: size of the record batches that come out; small where a row is a megabyte.
        groups_per_call: `function` gets a list of up to this many (key, rows) per call, for
            functions that solve many small problems at once; None: it gets one key and its rows.

    Raises:
        SpanBroken: `keys` is not the whole partition key; while the job runs: a key came twice.
    """
    if set(keys) != set(table.partition_key):
        raise SpanBroken(
            f"{table.name} is partitioned by {table.partition_key}: spanning by {tuple(keys)} "
            "would split or join partitions."
        )
    task = partial(
        span_task,
        keys=tuple(keys),
        function=function,
        schema=schema,
        rows_per_batch=rows_per_batch,
        groups_per_call=groups_per_call,
    )
    return table.frame.mapInArrow(task, from_arrow_schema(schema))


def span_task(
    batches: Iterable[pa.RecordBatch],
    *,
    keys: Sequence[str],
    function: Any,
    schema: pa.Schema,
    rows_per_batch: int = ROWS_PER_BATCH,
    groups_per_call: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """One Spark task: group rows, call the function, and return its rows in small batches."""
    calls = rows_by_call(spans(batches, keys), function, groups_per_call)
    rows = (row for rows in calls for row in rows)
    while batch := list(islice(rows, rows_per_batch)):
        yield pa.RecordBatch.from_pylist(batch, schema=schema)


def rows_by_call(
    groups: Iterator[tuple[Key, pa.Table]], function: Any, groups_per_call: int | None
) -> Iterator[Rows]:
    """Call a function of `span_by` for groups as they arrive; the rows of each call."""
    if groups_per_call is None:
        return (function(key, group) for key, group in groups)
    portions = iter(lambda: list(islice(groups, groups_per_call)), [])
    return (function(portion) for portion in portions)


def require_unique_keys(rows: Iterable[Mapping[str, object]], keys: Sequence[str]) -> None:
    """Refuse rows in which a key occurs twice, because two tasks processed it.

    Raises:
        SpanBroken: naming the first such key.
    """
    seen: set[Key] = set()
    for row in rows:
        key = tuple(row[name] for name in keys)
        if key in seen:
            raise SpanBroken(f"{key} was answered by two tasks: its partition was split.")
        seen.add(key)


def _runs(batch: pa.RecordBatch, keys: Sequence[str]) -> Iterator[tuple[Key, pa.RecordBatch]]:
    """Cut one batch where any key column changes."""
    n = batch.num_rows
    if n == 0:
        return
    changes = np.zeros(n - 1, bool)
    columns = [batch.column(name) for name in keys]
    for column in columns:
        differs = pc.call_function("not_equal", [column.slice(1), column.slice(0, n - 1)])
        changes |= differs.to_numpy(zero_copy_only=False).astype(bool)
    starts = [0, *(np.flatnonzero(changes) + 1).tolist(), n]
    for start, end in zip(starts, starts[1:], strict=False):
        yield tuple(column[start].as_py() for column in columns), batch.slice(start, end - start)
