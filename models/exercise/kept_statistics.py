"""Statistics of the windows that sets keep: what training learns from.

The windows of a set are its mean and what they differ from it. The mean is little work in any
precision; products of the rest are products of counts (`models.exercise.products`).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.linalg import get_blas_funcs

from models.arrays import Floats, Floats64
from models.exercise.kept import KeptWindows
from models.exercise.products import products
from models.exercise.statistics import Frame, Statistics, mirrored
from schemas.errors import NotEnoughLabels

NamedWindows = tuple[str, KeptWindows]  # exercise, windows of a set


def statistics_of_sets(named: Sequence[NamedWindows]) -> Statistics:
    """Statistics of windows as they are, in float64.

    Args:
        named: exercise and windows of every set, in a fixed order: it decides a sum's last bits.

    Raises:
        NotEnoughLabels: none of them has a window.
    """
    found = _summed(named, np.float64(0))
    return replace(found, moments=mirrored(found.moments))


def framed_statistics(named: Sequence[NamedWindows], frame: Frame) -> Statistics:
    """Statistics of windows in a frame; of the moments the upper triangle, below are noughts.

    Args:
        named: as for `statistics_of_sets`.
        frame: where they are measured from.

    Raises:
        NotEnoughLabels: none of them has a window.

    >>> from models.exercise.examples import SetWindows
    >>> from models.exercise.kept import keep
    >>> rows = keep(SetWindows("left", 0.25, 3, np.ones((3, 2), np.float32)))
    >>> curls = keep(SetWindows("left", 1.0, 1, np.zeros((1, 2), np.float32)))
    >>> found = framed_statistics([("row", rows), ("curl", curls)], Frame(np.zeros(2)))
    >>> found.labels, found.seconds.tolist(), found.moments.tolist()
    (('curl', 'row'), [1.0, 0.75], [[0.75, 0.75], [0.0, 0.75]])
    """
    return _summed(named, frame.mean.astype(np.float32))


def at_most(named: Sequence[NamedWindows], most_s: float) -> list[NamedWindows]:
    """Windows that count for so many seconds of each exercise at most, the sets' shares kept.

    Args:
        named: exercise and windows of every set.
        most_s: of an exercise; where there is less, the very same pair comes back.

    >>> from models.exercise.examples import SetWindows
    >>> from models.exercise.kept import keep
    >>> rows = keep(SetWindows("left", 1.0, 3, np.ones((3, 2), np.float32)))
    >>> [one.window_s for _, one in at_most([("row", rows), ("row", rows), ("curl", rows)], 3.0)]
    [0.5, 0.5, 1.0]
    """
    seconds = dict.fromkeys((exercise for exercise, _ in named), 0.0)
    for exercise, windows in named:
        seconds[exercise] += windows.rows * windows.window_s
    return [
        (one[0], replace(one[1], window_s=one[1].window_s * most_s / seconds[one[0]]))
        if seconds[one[0]] > most_s
        else one
        for one in named
    ]


def _summed(named: Sequence[NamedWindows], mean: Floats | np.float64) -> Statistics:
    """Statistics of windows less a mean, in its precision; of the moments the upper triangle."""
    long = [(exercise, windows) for exercise, windows in named if windows.rows]
    if not long:
        raise NotEnoughLabels(f"none of {len(named)} labelled sets is as long as a window")
    windows = [one for _, one in long]
    window_s = np.array([one.window_s for one in windows])
    rows = np.array([one.rows for one in windows])
    least = np.concatenate([one.least for one in windows]).reshape(len(rows), -1).astype(np.float32)
    step = np.concatenate([one.step for one in windows]).reshape(len(rows), -1).astype(np.float32)
    found = products(windows, step * np.sqrt(window_s, dtype=np.float32)[:, None])
    above = (found.sums * step / rows[:, None]).astype(mean.dtype)  # a set's mean over its least
    places = least - mean + above
    heavy = np.sqrt(rows * window_s)[:, None].astype(mean.dtype)
    moments = found.moments.astype(mean.dtype, copy=False)
    for sign, means in ((-1, above), (1, places)):  # around each set's mean, then with it
        moments = _with_products(moments, sign, means * heavy)
    groups, shares = _groups([(exercise, one.side) for exercise, one in long], rows * window_s)
    return Statistics(groups, shares.sum(axis=1), shares @ places, moments)


def _groups(
    of: Sequence[tuple[str, str]], seconds: Floats64
) -> tuple[tuple[tuple[str, str], ...], Floats64]:
    """The groups, ascending, and how many seconds of each set belong to each, (g, s)."""
    groups = tuple(sorted(set(of)))
    belongs = np.array([[mine == group for mine in of] for group in groups])
    return groups, np.where(belongs, seconds, 0.0)


def _with_products(moments: Floats, sign: int, x: Floats) -> Floats:
    """Upper triangle of moments ± xᵀ·x, in their place."""
    (add_product,) = get_blas_funcs(("syrk",), (moments,))
    return add_product(sign, x.T, beta=1, c=moments.T, lower=True, overwrite_c=True).T
