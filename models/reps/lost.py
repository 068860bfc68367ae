"""Fills movement that was lost within a set, from where the set is most alike.

A straight line over two lost seconds looks like a pause, and the repetitions in it are gone. But a
set repeats itself: where the movement just before and after the loss is found again elsewhere in
the set, what lay between there has been here, too.
"""

from itertools import pairwise

import numpy as np

from models.arrays import Flags, Floats64
from models.signal.windows import RATE_HZ

LEAST = round(0.75 * RATE_HZ)  # a line over less is hardly seen by the counter
AROUND = round(1.0 * RATE_HZ)  # what is compared on either side
FARTHEST = round(20 * RATE_HZ)
STEP = 2
ALIKE = 0.5  # mean squared distance over variance; of anything with anything it is 2
LEAST_HEARD_SHARE = 0.5  # of the rows that are compared: fewer tell nothing


def continued(x: Floats64, lost: Flags) -> Floats64:
    """A set with its longer losses filled from where it is most alike; lines stay where none is.

    Args:
        x: (n, 3 or 6) acceleration, and rotation; lost rows on lines.
        lost: (n,) which they are.
    """
    scale = _scale(x[~lost])
    whole = x.copy()
    for first, end in _spans(lost):
        shift = _likest(x / scale, lost, first, end) if end - first >= LEAST else None
        if shift is not None:
            part = x[first - 1 + shift : end + 1 + shift]
            ends = whole[[first - 1, end]] - part[[0, -1]]
            along = np.linspace(0, 1, len(part))[:, None]
            whole[first:end] = (part + ends[0] * (1 - along) + ends[1] * along)[1:-1]
    return whole


def _scale(x: Floats64) -> Floats64:
    """(3 or 6,) spread of each sensor: both weigh the same."""
    spreads = [np.sqrt(x[:, k : k + 3].var(axis=0).sum()) for k in range(0, x.shape[1], 3)]
    return np.repeat(np.maximum(spreads, 1e-6), 3)


def _spans(lost: Flags) -> list[tuple[int, int]]:
    """First and one past the last row of each loss with something heard on either side."""
    borders = (np.flatnonzero(np.diff(lost.astype(np.int8))) + 1).tolist()
    return [(a, b) for a, b in pairwise(borders) if lost[a]]


def _likest(x: Floats64, lost: Flags, first: int, end: int) -> int | None:
    """How many rows away the set went on as around this loss; None where it nowhere did."""
    rows = np.r_[max(0, first - AROUND) : first, end : min(len(x), end + AROUND)]
    rows = rows[~lost[rows]]
    shifts = np.arange(-FARTHEST, FARTHEST + 1, STEP)
    shifts = shifts[(rows[0] + shifts >= 0) & (rows[-1] + shifts < len(x))]
    so_far = np.concatenate([[0], np.cumsum(lost)])
    low, high = first - 1 + shifts, end + 1 + shifts
    shifts = shifts[
        (low >= 0) & (high <= len(x)) & (so_far[high.clip(0, len(x))] == so_far[low.clip(0)])
    ]
    if not len(shifts):
        return None
    there = rows[None, :] + shifts[:, None]
    heard = ~lost[there]
    apart = ((x[there] - x[rows]) ** 2).sum(axis=2)
    far = (apart * heard).sum(axis=1) / np.maximum(heard.sum(axis=1), 1)
    far[heard.mean(axis=1) < LEAST_HEARD_SHARE] = np.inf
    best = int(far.argmin())
    return int(shifts[best]) if far[best] < ALIKE * x.shape[1] / 3 else None
