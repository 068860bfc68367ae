"""Sufficient statistics: all that linear discriminants need to know of any number of windows.

They add and subtract. A user, a day or a set is put in by `+` and taken out by `-`; a model is
updated, mixed with others' and forgotten without looking at a sample again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_blas_funcs

from schemas.errors import NotEnoughLabels

Group = tuple[str, str]  # exercise, side ("left", "right", "unknown")
Part = tuple[str, str, float, NDArray[np.floating]]  # exercise, side, seconds a window, windows
NOTHING = 1e-6  # seconds that are left of a group by rounding
MIN_SCALE = 1e-3  # a feature that does not change is measured in this unit
IN_CACHE = 8  # sets: their windows are half a megabyte


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
    seconds: NDArray[np.float64]
    sums: NDArray[np.float64]
    moments: NDArray[np.floating]

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

    def scaled(self, factor: float) -> "Statistics":
        """Every window counted `factor` times."""
        return replace(
            self,
            seconds=self.seconds * factor,
            sums=self.sums * factor,
            moments=self.moments * factor,
        )

    def framed(self, frame: "Frame") -> "Statistics":
        """Statistics of x - mean, moments in float32."""
        mean = frame.mean
        cross = np.outer(mean, self.sums.sum(axis=0) - 0.5 * self.total_s * mean)
        moments = (self.moments - cross - cross.T).astype(np.float32)
        return replace(self, sums=self.sums - self.seconds[:, None] * mean, moments=moments)

    def label_seconds(self) -> dict[str, float]:
        """Seconds of each exercise, over both sides."""
        found = dict.fromkeys(self.labels, 0.0)
        for (exercise, _), seconds in zip(self.groups, self.seconds, strict=True):
            found[exercise] += float(seconds)
        return found


@dataclass(frozen=True, slots=True)
class Frame:
    """Where features are measured from.

    Some features lie many deviations from nought: their products need float64. Measured from
    about their mean float32 is enough, and a user costs a third.

    Attributes:
        mean: float64 (d,).
    """

    mean: NDArray[np.float64]


def frame_of(statistics: Statistics) -> Frame:
    """Mean of every feature over all windows."""
    return Frame(statistics.sums.sum(axis=0) / statistics.total_s)


def frame_of_windows(x: NDArray[np.floating]) -> Frame:
    """The same from windows themselves, (m, d), m ≥ 1."""
    return Frame(x.mean(axis=0, dtype=np.float64))


def deviations(statistics: Statistics, mean: NDArray[np.float64]) -> NDArray[np.float64]:
    """Deviation of every feature over all windows from their mean, (d,)."""
    variance = np.diagonal(statistics.moments) / statistics.total_s - mean**2
    return np.sqrt(np.maximum(variance, MIN_SCALE**2))


def framed_statistics(parts: Sequence[Part], frame: Frame) -> Statistics:
    """Statistics of windows in a frame; of the moments the upper triangle, below are noughts.

    Args:
        parts: exercise, side, seconds that each window stands for, and windows, float32 (m, d).
        frame: where they are measured from.

    Raises:
        NotEnoughLabels: there is no window.

    >>> rows, curls = np.ones((3, 2), np.float32), np.zeros((1, 2), np.float32)
    >>> found = framed_statistics(
    ...     [("row", "left", 0.25, rows), ("curl", "left", 1.0, curls)], Frame(np.zeros(2))
    ... )
    >>> found.labels, found.seconds.tolist(), found.moments.tolist()
    (('curl', 'row'), [1.0, 0.75], [[0.75, 0.75], [0.0, 0.75]])
    """
    return _summed(parts, frame.mean.astype(np.float32))


def summed(parts: Sequence[Part]) -> Statistics:
    """Statistics of windows as they are, in float64.

    Args:
        parts: as for `framed_statistics`.

    Raises:
        NotEnoughLabels: there is no window.
    """
    found = _summed(parts, np.float64(0))
    return replace(found, moments=mirrored(found.moments))


def mirrored(upper: NDArray[np.floating]) -> NDArray[np.floating]:
    """The symmetric matrix of which this is the upper triangle, with noughts below.

    >>> mirrored(np.array([[1.0, 2.0], [0.0, 3.0]])).tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """
    whole = upper + upper.T
    np.fill_diagonal(whole, upper.diagonal())
    return whole


def _summed(parts: Sequence[Part], mean: NDArray[np.floating] | np.float64) -> Statistics:
    """Statistics of windows less a mean, in its precision; of the moments the upper triangle."""
    parts = [part for part in parts if len(part[3])]
    if not parts:
        raise NotEnoughLabels("there are no labelled windows at all")
    groups = tuple(sorted({(exercise, side) for exercise, side, _, _ in parts}))
    d = parts[0][3].shape[1]
    seconds, sums = np.zeros(len(groups)), np.zeros((len(groups), d))
    moments = np.zeros((d, d), dtype=mean.dtype, order="F")
    (add_product,) = get_blas_funcs(("syrk",), (moments,))  # a triangle: the other one is the same
    for window_s, sets in _portions(parts):
        z = np.empty((sum(len(x) for *_, x in sets), d), dtype=mean.dtype)
        first = 0
        for exercise, side, _, x in sets:
            rows = np.subtract(x, mean, out=z[first : first + len(x)])
            place = groups.index((exercise, side))
            seconds[place] += window_s * len(x)
            sums[place] += window_s * np.add.reduce(rows, axis=0)
            first += len(x)
        moments = add_product(window_s, z.T, beta=1, c=moments, lower=True, overwrite_c=True)
    return Statistics(groups, seconds, sums, moments.T)


def _portions(parts: Sequence[Part]) -> Iterator[tuple[float, list[Part]]]:
    """A few sets at a time, whose windows count alike: in the cache until they are added."""
    for window_s, alike in groupby(parts, key=lambda part: part[2]):
        while some := list(islice(alike, IN_CACHE)):
            yield window_s, some


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


def weighted(a: Statistics, by_a: float, b: Statistics, by_b: float) -> Statistics:
    """Both together, every window of each counted so many times.

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
