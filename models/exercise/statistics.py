"""Sufficient statistics: all that linear discriminants need to know of any number of windows.

They add and subtract. A user, a day or a set is put in by `+` and taken out by `-`; a model is
updated, mixed with others' and forgotten without looking at a sample again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from models.arrays import Floats, Floats32, Floats64
from schemas.errors import NotEnoughLabels

Group = tuple[str, str]  # exercise, side ("left", "right", "unknown")
NOTHING = 1e-6  # seconds that are left of a group by rounding
MIN_SCALE = 1e-3  # a feature that does not change is measured in this unit


@dataclass(frozen=True, slots=True)
class Statistics:
    """Weighted windows of one layout, summed up.

    Attributes:
        groups: (exercise, side), ascending; g of them.
        seconds: float64 (g,), seconds of movement: the weights of the windows.
        sums: float64 (g, d), weighted sums of features.
        moments: (d, d), weighted sum of x xᵀ over all groups: float64 of raw features, float32
            in a `Frame`, where nothing looks below the diagonal.
    """

    groups: tuple[Group, ...]
    seconds: Floats64
    sums: Floats64
    moments: Floats

    @property
    def labels(self) -> tuple[str, ...]:
        """The exercises, ascending."""
        return tuple(sorted({exercise for exercise, _ in self.groups}))

    @property
    def total_s(self) -> float:
        """Seconds of movement in all."""
        return float(self.seconds.sum())

    def __add__(self, other: "Statistics") -> "Statistics":
        return weighted(self, 1.0, other, 1.0)

    def __sub__(self, other: "Statistics") -> "Statistics":
        """Take out what was put in; groups of which nothing is left are gone."""
        rest = weighted(self, 1.0, other, -1.0)
        left = rest.seconds > NOTHING
        return replace(
            rest,
            groups=tuple(g for g, keep in zip(rest.groups, left, strict=True) if keep),
            seconds=rest.seconds[left],
            sums=rest.sums[left],
        )

    def framed(self, frame: "Frame") -> "Statistics":
        """Statistics of x - mean, moments in float32."""
        mean = frame.mean
        cross = np.outer(mean, self.sums.sum(axis=0) - 0.5 * self.total_s * mean)
        moments = (self.moments - cross - cross.T).astype(np.float32)
        return replace(self, sums=self.sums - self.seconds[:, None] * mean, moments=moments)

    def label_seconds(self) -> dict[str, float]:
        """Seconds of each exercise, over both sides."""
        seconds_of = dict.fromkeys(self.labels, 0.0)
        for (exercise, _), seconds in zip(self.groups, self.seconds, strict=True):
            seconds_of[exercise] += float(seconds)
        return seconds_of


@dataclass(frozen=True, slots=True)
class Frame:
    """Where features are measured from.

    Some features lie many deviations from 0: their products need float64. Measured from
    about their mean float32 is enough, and a user costs a third.

    Attributes:
        mean: float64 (d,).
    """

    mean: Floats64


def frame_of(statistics: Statistics) -> Frame:
    """Mean of every feature over all windows."""
    return Frame(statistics.sums.sum(axis=0) / statistics.total_s)


def deviations(statistics: Statistics, mean: Floats64) -> Floats64:
    """Deviation of every feature over all windows from their mean, (d,)."""
    variance = np.diagonal(statistics.moments) / statistics.total_s - mean**2
    return np.sqrt(np.maximum(variance, MIN_SCALE**2))


def statistics_of(x: Floats32, exercise: str, side: str | None, window_s: float) -> Statistics:
    """Statistics of windows of one exercise on one wrist.

    Args:
        x: float32 (m, d); rows that are not finite are left out.
        exercise: any name.
        side: the wrist, None where nobody said.
        window_s: seconds that each window stands for: its step, shared among its copies.

    >>> a = statistics_of(np.ones((3, 2), np.float32), "row", "left", 0.5)
    >>> a.total_s, (a + a - a).moments.tolist()
    (1.5, [[1.5, 1.5], [1.5, 1.5]])
    """
    rows = x[np.isfinite(x).all(axis=1)].astype(np.float64)
    return Statistics(
        groups=((exercise, side or "unknown"),),
        seconds=np.array([len(rows) * window_s]),
        sums=rows.sum(axis=0, keepdims=True) * window_s,
        moments=rows.T @ rows * window_s,
    )


def symmetric(upper: Floats) -> Floats:
    """The symmetric matrix (d, d) of which this is the upper triangle, with zeros below.

    >>> symmetric(np.array([[1.0, 2.0], [0.0, 3.0]])).tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """
    whole = upper + upper.T
    np.fill_diagonal(whole, upper.diagonal())
    return whole


def total(parts: Sequence[Statistics]) -> Statistics:
    """The sum of any number of statistics, in their order.

    Raises:
        NotEnoughLabels: there are none.
    """
    if not parts:
        raise NotEnoughLabels("there are no labelled windows at all")
    return reduce(Statistics.__add__, parts)


def weighted(a: Statistics, by_a: float, b: Statistics, by_b: float) -> Statistics:
    """The sum of two statistics, each window of them counted `by_a` or `by_b` times.

    >>> ones = statistics_of(np.ones((1, 1), np.float32), "row", "left", 1.0)
    >>> weighted(ones, 2.0, ones, 3.0).moments.tolist()
    [[5.0]]
    """
    groups = a.groups if a.groups == b.groups else tuple(sorted({*a.groups, *b.groups}))
    seconds = np.zeros(len(groups))
    sums = np.zeros((len(groups), a.sums.shape[1]))
    for part, weight in ((a, by_a), (b, by_b)):
        at = [groups.index(g) for g in part.groups]
        seconds[at] += weight * part.seconds
        sums[at] += weight * part.sums
    moments = b.moments * by_b
    moments += a.moments if by_a == 1 else a.moments * by_a
    return Statistics(groups, seconds, sums, moments)
