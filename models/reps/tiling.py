"""The best cover of a set by stretched copies of one template, with pauses and skips."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.reps.prepare import Array
from models.reps.settings import RepsSettings

Ints = NDArray[np.intp]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Tiling:
    """Copies of a template laid over a set.

    Attributes:
        starts, lengths: (k,) first sample and samples of each copy.
        gains: (k,) how much larger than the template each copy is.
        residuals: (k,) squared error of each copy, summed over its samples.
    """

    starts: Ints
    lengths: Ints
    gains: Array
    residuals: Array

    def inside(self, n: int) -> NDArray[np.bool_]:
        """(n,) true for the samples that lie in a copy."""
        border = np.zeros(n + 1, dtype=np.intp)
        np.add.at(border, self.starts, 1)
        np.add.at(border, self.starts + self.lengths, -1)
        return np.cumsum(border[:n]) > 0


@lru_cache(maxsize=8)
def copy_lengths(settings: RepsSettings) -> Ints:
    """Allowed lengths of a copy in samples, in equal logarithmic steps, none twice."""
    low, high = settings.shortest_copy, settings.longest_copy
    steps = np.geomspace(low, high, settings.lengths) * settings.per_period
    return np.unique(np.rint(steps).astype(np.intp))


@lru_cache(maxsize=8)
def stretch(settings: RepsSettings) -> Array:
    """(lengths, longest, points): weights that stretch a cyclic template to each length."""
    lengths = copy_lengths(settings)
    out = np.zeros((len(lengths), int(lengths[-1]), settings.points))
    for k, length in enumerate(lengths):
        place = (np.arange(length) + 0.5) / length * settings.points - 0.5
        low = np.floor(place).astype(np.intp)
        part = place - low
        rows = np.arange(length)
        out[k, rows, low % settings.points] += 1 - part
        out[k, rows, (low + 1) % settings.points] += part
    return out


def copy_costs(y: Array, template: Array, settings: RepsSettings) -> tuple[Floats, Floats, Floats]:
    """Cost, gain and residual of a copy of every length starting at every sample.

    Cost = residual after the best gain within limits + a price of being longer or shorter than
    the period + a price of being larger or smaller than the template.

    Returns:
        Three float32 (n, lengths) arrays; cost is infinite where a copy would leave the set.
    """
    lengths = copy_lengths(settings)
    n, k = y.shape
    longest = int(lengths[-1])
    copies = (stretch(settings) @ template).astype(np.float32)
    padded = np.vstack([y, np.zeros((longest, k))]).astype(np.float32)
    views = sliding_window_view(padded.ravel(), longest * k)[: n * k : k]
    cross = np.ascontiguousarray(views) @ copies.reshape(len(lengths), -1).T
    energy = np.concatenate([[0.0], np.cumsum((y**2).sum(axis=1)), np.zeros(longest)])
    energy[n + 1 :] = energy[n]
    at = np.arange(n)[:, None]
    own = (energy[at + lengths] - energy[at]).astype(np.float32)
    size = np.maximum((copies**2).sum(axis=(1, 2)), np.float32(1e-9))
    gain = np.clip(cross / size, settings.least_gain, settings.most_gain)
    residual = np.maximum(own - gain * (2 * cross - gain * size), 0)
    stretched = np.log(lengths / settings.per_period) ** 2
    fixed = (settings.length_weight * settings.per_period * stretched).astype(np.float32)
    varying = (settings.gain_weight * lengths).astype(np.float32)
    cost = residual + fixed + varying * np.log(gain) ** 2
    cost[at + lengths > n] = np.inf
    return cost, gain, residual


def idle_costs(y: Array, template: Array, settings: RepsSettings) -> tuple[Array, Array]:
    """Price of leaving each sample outside every copy, two (n,) arrays: pause and skip.

    A pause is stillness where a repetition begins and ends; a skip is any other movement, and
    is cheaper within a period of either end, where one picks the weight up and puts it down.
    """
    pause = ((y - template[0]) ** 2).sum(axis=1) + settings.pause_cost
    at = np.arange(len(y))
    edge = np.minimum(at, at[::-1]) < settings.per_period
    return pause, np.where(edge, settings.skip_edge_cost, settings.skip_cost)


def resting(pause: Array, skip: Array) -> NDArray[np.bool_]:
    """Which samples are better called a pause than a skip."""
    return pause < skip


def cheapest_cover(cost: Floats, idle: Array, lengths: Ints) -> list[tuple[int, int]]:
    """Dynamic programme over the borders 0..n of a set.

    best[e] = min(best[e-1] + idle[e-1], min over l of best[e - l] + cost[e - l, l]). A copy is
    at least `lengths[0]` long, so that many ends can be decided at once; within such a block
    only the chain of idle samples remains, and that is a running minimum.

    Args:
        cost: (n, m) price of a copy by start and length.
        idle: (n,) price of a sample outside.
        lengths: (m,) increasing lengths in samples.

    Returns:
        (start, length index) of every copy, in order.
    """
    n, reach, block = len(cost), int(lengths[-1]), int(lengths[0])
    starts = np.arange(n + 1)[:, None] - lengths
    by_end = cost[np.maximum(starts, 0), np.arange(len(lengths))]
    by_end[starts < 0] = np.inf
    spent = np.concatenate([[0.0], np.cumsum(idle)])
    best = np.full(reach + n + 1, np.inf)
    best[reach] = 0.0
    came = np.full(n + 1, -1, dtype=np.intp)
    chain = np.empty(block + 1)
    for first in range(1, n + 1, block):
        last = min(first + block, n + 1)
        offers = best[starts[first:last] + reach] + by_end[first:last]
        which = offers.argmin(axis=1)
        shifted = offers.min(axis=1) - spent[first:last]
        chain[0] = best[reach + first - 1] - spent[first - 1]
        chain[1 : last - first + 1] = shifted
        lowest = np.minimum.accumulate(chain[: last - first + 1])[1:]
        best[reach + first : reach + last] = lowest + spent[first:last]
        came[first:last] = np.where(shifted <= lowest, which, -1)
    return traced(came, lengths)


def traced(came: Ints, lengths: Ints) -> list[tuple[int, int]]:
    """Follow the choices back from the end."""
    copies: list[tuple[int, int]] = []
    end = len(came) - 1
    while end > 0:
        which = int(came[end])
        if which < 0:
            end -= 1
            continue
        end -= int(lengths[which])
        copies.append((end, which))
    return copies[::-1]


def tile(y: Array, template: Array, settings: RepsSettings) -> Tiling:
    """Cover `y` (n, k) by copies of `template` (points, k) at the least cost."""
    lengths = copy_lengths(settings)
    cost, gain, residual = copy_costs(y, template, settings)
    copies = cheapest_cover(cost, np.minimum(*idle_costs(y, template, settings)), lengths)
    starts = np.array([s for s, _ in copies], dtype=np.intp)
    which = np.array([w for _, w in copies], dtype=np.intp)
    gains = gain[starts, which].astype(np.float64)
    return Tiling(starts, lengths[which], gains, residual[starts, which].astype(np.float64))


def refitted(y: Array, template: Array, tiling: Tiling, settings: RepsSettings) -> Array:
    """The template that explains the copies best, given where they lie and how large they are."""
    if not len(tiling.starts):
        return template
    middle = (np.arange(settings.points) + 0.5) / settings.points
    at = tiling.starts[:, None] + middle[None, :] * tiling.lengths[:, None] - 0.5
    at = np.clip(at, 0, len(y) - 1.000001)
    low = at.astype(np.intp)
    high = np.minimum(low + 1, len(y) - 1)
    part = (at - low)[..., None]
    copies = y[low] * (1 - part) + y[high] * part
    gain = tiling.gains[:, None, None]
    return (gain * copies).sum(axis=0) / (gain**2).sum(axis=0)
