"""Sufficient statistics of quantised windows, which training learns from.

The windows of a set are its minimum plus counts of steps. The minimum is cheap in any precision;
second moments of the counts are integer products (`models.exercise.products`).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import get_blas_funcs

from models.arrays import Floats, Floats64
from models.exercise.products import products
from models.exercise.quantised import QuantisedWindows
from models.exercise.statistics import Frame, Statistics, symmetric
from schemas.errors import NotEnoughLabels

ExerciseWindows = tuple[str, QuantisedWindows]  # exercise, windows of a set


def statistics_of_sets(labelled: Sequence[ExerciseWindows]) -> Statistics:
    """Statistics of windows as they are, in float64.

    Args:
        labelled: exercise and windows of every set, in a fixed order: sums round differently in
            another.

    Raises:
        NotEnoughLabels: none of them has a window.
    """
    sums = _summed(labelled, np.float64(0))
    return replace(sums, moments=symmetric(sums.moments))


def framed_statistics(labelled: Sequence[ExerciseWindows], frame: Frame) -> Statistics:
    """Statistics of windows in a frame; of the moments the upper triangle, zeros below.

    Args:
        labelled: as for `statistics_of_sets`.
        frame: where they are measured from.

    Raises:
        NotEnoughLabels: none of them has a window.

    >>> from models.exercise.examples import SetWindows
    >>> from models.exercise.quantised import quantise
    >>> rows = quantise(SetWindows("left", 0.25, 3, np.ones((3, 2), np.float32)))
    >>> curls = quantise(SetWindows("left", 1.0, 1, np.zeros((1, 2), np.float32)))
    >>> sums = framed_statistics([("row", rows), ("curl", curls)], Frame(np.zeros(2)))
    >>> sums.labels, sums.seconds.tolist(), sums.moments.tolist()
    (('curl', 'row'), [1.0, 0.75], [[0.75, 0.75], [0.0, 0.75]])
    """
    return _summed(labelled, frame.mean.astype(np.float32))


def cap_seconds(labelled: Sequence[ExerciseWindows], max_s: float) -> list[ExerciseWindows]:
    """Windows downweighted so that no exercise counts for more than `max_s` seconds.

    Args:
        labelled: exercise and windows of every set.
        max_s: of an exercise; the pairs of an exercise with less are returned as they are.

    >>> from models.exercise.examples import SetWindows
    >>> from models.exercise.quantised import quantise
    >>> rows = quantise(SetWindows("left", 1.0, 3, np.ones((3, 2), np.float32)))
    >>> capped = cap_seconds([("row", rows), ("row", rows), ("curl", rows)], 3.0)
    >>> [windows.window_s for _, windows in capped]
    [0.5, 0.5, 1.0]
    """
    seconds = dict.fromkeys((exercise for exercise, _ in labelled), 0.0)
    for exercise, windows in labelled:
        seconds[exercise] += windows.rows * windows.window_s
    capped: list[ExerciseWindows] = []
    for exercise, windows in labelled:
        if seconds[exercise] > max_s:
            window_s = windows.window_s * max_s / seconds[exercise]
            capped.append((exercise, replace(windows, window_s=window_s)))
        else:
            capped.append((exercise, windows))
    return capped


def _summed(labelled: Sequence[ExerciseWindows], mean: Floats | np.float64) -> Statistics:
    """Statistics of windows minus a mean, in its precision; of the moments the upper triangle."""
    nonempty = [(exercise, windows) for exercise, windows in labelled if windows.rows]
    if not nonempty:
        raise NotEnoughLabels(f"none of {len(labelled)} labelled sets is as long as a window")
    sets = [windows for _, windows in nonempty]
    window_s = np.array([windows.window_s for windows in sets])
    rows = np.array([windows.rows for windows in sets])
    minimum = (
        np.concatenate([windows.minimum for windows in sets])
        .reshape(len(sets), -1)
        .astype(np.float32)
    )
    step = (
        np.concatenate([windows.step for windows in sets]).reshape(len(sets), -1).astype(np.float32)
    )
    counts = products(sets, step * np.sqrt(window_s, dtype=np.float32)[:, None])
    above_minimum = counts.sums * step / rows[:, None].astype(mean.dtype)
    from_mean = minimum - mean
    seconds = rows * window_s
    # Around each set's minimum u moments are those of counts; around `mean` they are, for each of
    # its seconds, u·uᵀ + u·aᵀ + a·uᵀ more, a being the set's mean above its minimum.
    moments = _with_products(
        counts.moments.astype(mean.dtype, copy=False),
        from_mean * seconds[:, None].astype(mean.dtype),
        from_mean / 2 + above_minimum,
    )
    groups, shares = _groups([(exercise, windows.side) for exercise, windows in nonempty], seconds)
    return Statistics(groups, shares.sum(axis=1), shares @ (from_mean + above_minimum), moments)


def _groups(
    of: Sequence[tuple[str, str]], seconds: Floats64
) -> tuple[tuple[tuple[str, str], ...], Floats64]:
    """The groups, ascending, and the seconds of each set that belong to each, (g, s)."""
    groups = tuple(sorted(set(of)))
    shares = np.zeros((len(groups), len(of)))
    shares[[groups.index(group) for group in of], np.arange(len(of))] = seconds
    return groups, shares


def _with_products(moments: Floats, x: Floats, y: Floats) -> Floats:
    """Upper triangle of moments + xᵀ·y + yᵀ·x, in their place."""
    (add_products,) = get_blas_funcs(("syr2k",), (moments,))
    return add_products(1, x.T, y.T, beta=1, c=moments.T, lower=True, overwrite_c=True).T
