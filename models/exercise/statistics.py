"""Sufficient statistics: all that linear discriminants need to know of any number of windows.

They add and subtract. A user, a day or a set is put in by `+` and taken out by `-`; a model is
updated, mixed with others' and forgotten without looking at a sample again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from schemas.errors import NotEnoughLabels

Group = tuple[str, str]  # exercise, side ("left", "right", "unknown")
NOTHING = 1e-6  # seconds that are left of a group by rounding


@dataclass(frozen=True, slots=True)
class Statistics:
    """Weighted windows of one layout, summed up.

    Attributes:
        groups: (exercise, side), ascending; g of them.
        seconds: float64 (g,), seconds of movement: the weights of the windows.
        sums: float64 (g, d), weighted sums of features.
        moments: float64 (d, d), weighted sum of x xᵀ over all groups.
    """

    groups: tuple[Group, ...]
    seconds: NDArray[np.float64]
    sums: NDArray[np.float64]
    moments: NDArray[np.float64]

    @property
    def labels(self) -> tuple[str, ...]:
        """The exercises, ascending."""
        return tuple(sorted({exercise for exercise, _ in self.groups}))

    @property
    def total_s(self) -> float:
        """Seconds of movement in all."""
        return float(self.seconds.sum())

    def __add__(self, other: "Statistics") -> "Statistics":
        return _combine(self, other, 1.0)

    def __sub__(self, other: "Statistics") -> "Statistics":
        """Take out what was put in; groups of which nothing is left are gone."""
        rest = _combine(self, other, -1.0)
        left = rest.seconds > NOTHING
        return replace(
            rest,
            groups=tuple(g for g, keep in zip(rest.groups, left, strict=True) if keep),
            seconds=rest.seconds[left],
            sums=rest.sums[left],
        )

    def scaled(self, factor: float) -> "Statistics":
        """Every window counted `factor` times."""
        return replace(
            self,
            seconds=self.seconds * factor,
            sums=self.sums * factor,
            moments=self.moments * factor,
        )

    def in_basis(self, basis: NDArray[np.float64]) -> "Statistics":
        """Statistics of x @ basis; basis is (d, k)."""
        return replace(self, sums=self.sums @ basis, moments=basis.T @ self.moments @ basis)

    def label_seconds(self) -> dict[str, float]:
        """Seconds of each exercise, over both sides."""
        found = dict.fromkeys(self.labels, 0.0)
        for (exercise, _), seconds in zip(self.groups, self.seconds, strict=True):
            found[exercise] += float(seconds)
        return found


def statistics_of(
    x: NDArray[np.float32], exercise: str, side: str | None, window_s: float
) -> Statistics:
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


def total(parts: Sequence[Statistics]) -> Statistics:
    """The sum of any number of statistics, in their order.

    Raises:
        NotEnoughLabels: there are none.
    """
    if not parts:
        raise NotEnoughLabels("there are no labelled windows at all")
    return reduce(Statistics.__add__, parts)


def _combine(a: Statistics, b: Statistics, sign: float) -> Statistics:
    groups = a.groups if a.groups == b.groups else tuple(sorted({*a.groups, *b.groups}))
    seconds = np.zeros(len(groups))
    sums = np.zeros((len(groups), a.sums.shape[1]))
    for part, weight in ((a, 1.0), (b, sign)):
        at = [groups.index(g) for g in part.groups]
        seconds[at] += weight * part.seconds
        sums[at] += weight * part.sums
    return Statistics(groups, seconds, sums, a.moments + sign * b.moments)
