"""Grouping of sorted rows by key, without Spark."""

from itertools import groupby

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.spark.span import require_unique_keys, span_task, spans
from schemas.errors import SpanBroken

KEYS = ("user_id", "model_id")
SCHEMA = pa.schema([("user_id", pa.string()), ("rows", pa.int64())])


def batch(rows: list[tuple[str, str, int]]) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    types = (pa.string(), pa.string(), pa.int64())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    return pa.record_batch(arrays, names=["user_id", "model_id", "value"])


@st.composite
def partitions_and_cuts(draw):
    """Rows of partitions, and the positions at which the reader cuts them into batches."""
    keys = draw(
        st.lists(
            st.tuples(st.sampled_from("abcd"), st.sampled_from("xyz")), unique=True, max_size=8
        )
    )
    rows = [(*key, n) for key in keys for n in range(draw(st.integers(1, 5)))]
    cuts = draw(st.lists(st.integers(0, len(rows)), max_size=6))
    return rows, sorted(cuts)


@settings(deadline=None)  # the first call loads pyarrow's kernels
@given(partitions_and_cuts())
def test_groups_do_not_depend_on_batch_boundaries(case):
    rows, cuts = case
    edges = [0, *cuts, len(rows)]
    batches = [batch(rows[a:b]) for a, b in zip(edges, edges[1:], strict=False)]
    found = [(key, group["value"].to_pylist()) for key, group in spans(batches, KEYS)]
    expected = [
        (key, [row[2] for row in group]) for key, group in groupby(rows, key=lambda row: row[:2])
    ]
    assert found == expected


def test_change_of_one_key_column_starts_a_new_group():
    rows = batch([("a", "x", 1), ("a", "y", 2), ("b", "y", 3)])
    assert [key for key, _ in spans([rows], KEYS)] == [("a", "x"), ("a", "y"), ("b", "y")]


def test_key_in_two_separate_groups_is_refused_within_and_across_batches():
    with pytest.raises(SpanBroken, match="came back"):
        list(spans([batch([("a", "x", 1), ("b", "x", 2), ("a", "x", 3)])], KEYS))
    with pytest.raises(SpanBroken, match="came back"):
        list(spans([batch([("a", "x", 1), ("b", "x", 2)]), batch([("a", "x", 3)])], KEYS))


def test_group_is_yielded_before_the_next_but_one_is_read():
    """Memory holds one open group, as 10,000 users do not fit."""
    read = []

    def reader():
        for name in "abc":
            read.append(name)
            yield batch([(name, "x", 1)])

    first_key, _ = next(spans(reader(), KEYS))
    assert first_key == ("a", "x")
    assert read == ["a", "b"]


def test_span_task_returns_batches_of_rows_with_the_schema():
    def count(key, group):
        return [{"user_id": key[0], "rows": group.num_rows}]

    rows = [(f"u{n:03d}", "x", v) for n in range(150) for v in range(2)]
    out = list(span_task(iter([batch(rows)]), keys=KEYS, function=count, schema=SCHEMA))
    assert [part.num_rows for part in out] == [64, 64, 22]
    assert pa.Table.from_batches(out)["rows"].to_pylist() == [2] * 150


def test_duplicate_keys_from_two_tasks_are_refused():
    rows = [{"user_id": "a", "model_id": "x"}, {"user_id": "a", "model_id": "y"}]
    require_unique_keys(rows, KEYS)
    with pytest.raises(SpanBroken, match="two tasks"):
        require_unique_keys([*rows, rows[0]], KEYS)


def test_span_task_passes_groups_per_call_groups_to_the_function():
    seen = []

    def count_all(portion):
        seen.append(len(portion))
        return [{"user_id": key[0], "rows": group.num_rows} for key, group in portion]

    rows = [(f"u{n:03d}", "x", v) for n in range(10) for v in range(n + 1)]
    out = span_task(
        iter([batch(rows)]), keys=KEYS, function=count_all, schema=SCHEMA, groups_per_call=4
    )
    assert pa.Table.from_batches(out)["rows"].to_pylist() == list(range(1, 11))
    assert seen == [4, 4, 2]


def test_portions_of_one_group_are_lists_too():
    """A run over one member has a single portion of one."""

    def count_all(portion):
        return [{"user_id": key[0], "rows": group.num_rows} for key, group in portion]

    rows = [("u1", "x", 0), ("u2", "x", 1), ("u2", "x", 2)]
    out = span_task(
        iter([batch(rows)]), keys=KEYS, function=count_all, schema=SCHEMA, groups_per_call=1
    )
    assert pa.Table.from_batches(out)["rows"].to_pylist() == [1, 2]
