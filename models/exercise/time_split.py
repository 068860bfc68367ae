"""Split sets in time, exercise by exercise: models learn from the earlier part."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any, TypeVar

Set = TypeVar("Set")
SPARED_FROM = 2  # sets of an exercise; a single one cannot be spared for judging


def split_in_time(
    sets: Sequence[Set],
    share: float,
    *,
    exercise: Callable[[Set], str],
    age: Callable[[Set], Any],
) -> tuple[list[Set], list[Set]]:
    """The first `share` of each exercise's sets, and its later ones.

    For data that was loaded at once, when no single date would leave sets of every exercise on both
    sides. An exercise with a single set stays on the early side.

    Args:
        sets: in any order.
        share: above 0 and below 1.
        exercise: of a set.
        age: what orders the sets of an exercise, oldest first.

    Returns:
        Both exercise by exercise in the order of their names, oldest first within one.

    >>> days = ["curl 1", "press 2", "curl 3"]
    >>> split_in_time(days, 0.7, exercise=lambda d: d[:-2], age=lambda d: d[-1])
    (['curl 1', 'press 2'], ['curl 3'])
    """
    by_exercise: dict[str, list[Set]] = defaultdict(list)
    for set_ in sorted(sets, key=age):
        by_exercise[exercise(set_)].append(set_)
    early: list[Set] = []
    late: list[Set] = []
    for _, several in sorted(by_exercise.items()):
        first = len(several)
        if first >= SPARED_FROM:
            first = min(ceil(share * first), first - 1)
        early += several[:first]
        late += several[first:]
    return early, late
