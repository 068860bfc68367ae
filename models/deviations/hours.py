"""How often an exercise is deviated from, per hour of the day: the question in plain Python."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class DeviationAtHour(NamedTuple):
    """The columns of a row of the mart's `deviations` that the question needs.

    `exercise` is the planned one, None for an extra set.
    """

    exercise: str | None
    local_hour: int
    deviated: bool


class HourOfDay(NamedTuple):
    """What became of the planned sets of one hour, 0 to 23 where the person was."""

    local_hour: int
    planned: int
    deviated: int


def deviated_by_hour(rows: Iterable[DeviationAtHour], exercise: str) -> list[HourOfDay]:
    """Hours in which an exercise was planned, in order.

    >>> rows = [DeviationAtHour("row", 7, True), DeviationAtHour("row", 7, False)]
    >>> rows += [DeviationAtHour(None, 7, True)]
    >>> deviated_by_hour(rows, "row")
    [HourOfDay(local_hour=7, planned=2, deviated=1)]
    """
    planned: Counter[int] = Counter()
    deviated: Counter[int] = Counter()
    for row in rows:
        if row.exercise == exercise:
            planned[row.local_hour] += 1
            deviated[row.local_hour] += row.deviated
    return [HourOfDay(hour, planned[hour], deviated[hour]) for hour in sorted(planned)]
