"""The cheapest cover of a set, as `models.reps.cover` has it."""

import numpy as np

from models.arrays import Floats, Indices
from models.reps.tiling import starts_before


def cheapest_cover(cost: Floats, idle: Floats, lengths: Indices) -> list[tuple[int, int]]:
    """Dynamic programme over the borders 0..n of a set.

    best[e] = min(best[e-1] + idle[e-1], min over l of best[e-l] + cost[e-1, l]). Everything is
    counted against idling from the beginning, so that an idle sample changes nothing and a run of
    them is a running minimum. A copy is at least `lengths[0]` long, so that many ends can be
    decided at once.

    Args:
        cost: (n, m) price of a copy by last sample and length; infinite where it would begin
            before the set.
        idle: (n,) price of a sample outside.
        lengths: (m,) increasing lengths in samples.

    Returns:
        (start, length index) of every copy, in order.
    """
    n, reach, block = len(cost), int(lengths[-1]), int(lengths[0])
    before = starts_before(n, lengths) + reach
    spent = np.concatenate([np.zeros(reach + 1), np.cumsum(idle)])
    gain = cost - (spent[reach + 1 :, None] - spent[before])
    best = np.zeros(reach + n + 1)  # the first `reach` are never the cheapest: cost is infinite
    for first in range(0, n, block):
        last = min(first + block, n)
        offers = best[before[first:last]]
        offers += gain[first:last]
        ends = best[reach + first : reach + last + 1]
        np.minimum.reduce(offers, axis=1, out=ends[1:])
        np.minimum.accumulate(ends, out=ends)
    return traced(best, gain, before, lengths)


def traced(best: Floats, gain: Floats, before: Indices, lengths: Indices) -> list[tuple[int, int]]:
    """Follow the choices back from the end: what a sample did not make cheaper, it idled.

    Args:
        best: (reach + n + 1,) lowest cost up to each border; 0 for the `reach` before it.
        gain: (n, m) price of a copy by last sample and length, against idling.
        before: (n, m) where in `best` the border is at which such a copy begins.
        lengths: (m,) increasing lengths in samples.

    Returns:
        (start, length index) of every copy, in order.
    """
    reach = int(lengths[-1])
    ends = np.flatnonzero(best[reach + 1 :] < best[reach:-1])
    copies: list[tuple[int, int]] = []
    end = len(gain)
    for last in ends[::-1].tolist():
        if last >= end:
            continue
        which = int((best[before[last]] + gain[last]).argmin())
        end = last + 1 - int(lengths[which])
        copies.append((end, which))
    return copies[::-1]
