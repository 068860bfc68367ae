"""Partitions of `labelled_sets` as training reads them, and the newest sets of each. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, TypeVar

import pyarrow as pa

from pipelines.keys import UserKey

Set = TypeVar("Set")


def partition_table(rows: Sequence[NamedTuple], key: UserKey, columns: Sequence[str]) -> pa.Table:
    """Rows of a partition, in the form in which Spark hands them over: ids are text.

    Args:
        rows: with `set_id`, and those of `columns` that are not of the key.
        key: of the partition.
        columns: of the table, in this order.
    """
    ids = {"user_id": str(key[0]), "model_id": key[1]}
    read = [row._asdict() for row in rows]
    whole = [{**ids, **row, "set_id": str(row["set_id"])} for row in read]
    return pa.table({name: [row[name] for row in whole] for name in columns})


def newest_of_each(
    sets: Sequence[Set],
    n: int,
    *,
    exercise: Callable[[Set], str],
    age: Callable[[Set], tuple[datetime, str]],
) -> list[Set]:
    """The newest `n` sets of every exercise, oldest first.

    Args:
        sets: in any order.
        n: the most that are kept of an exercise.
        exercise: of a set.
        age: what orders the sets: their start, then their id.

    >>> from datetime import UTC
    >>> days = [(datetime(2026, 11, day, tzinfo=UTC), name) for day, name in
    ...         [(1, "curl"), (2, "press"), (4, "curl"), (3, "curl")]]
    >>> kept = newest_of_each(days, 2, exercise=lambda done: done[1], age=lambda done: done)
    >>> [(at.day, name) for at, name in kept]
    [(2, 'press'), (3, 'curl'), (4, 'curl')]
    """
    kept: list[Set] = []
    seen: Counter[str] = Counter()
    for set_ in sorted(sets, key=age, reverse=True):
        seen[exercise(set_)] += 1
        if seen[exercise(set_)] <= n:
            kept.append(set_)
    return kept[::-1]
