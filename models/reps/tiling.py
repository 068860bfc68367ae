"""The best cover of a set by stretched copies of one template, with pauses and skips."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from models.arrays import Flags, Floats32, Floats64, Indices
from models.reps.cover import cheapest_cover
from models.reps.settings import RepsSettings

GROUPS = 3


@dataclass(frozen=True, slots=True)
class Tiling:
    """Copies of a template laid over a set.

    Attributes:
        starts, lengths: (k,) first sample and samples of each copy.
        gains: (k,) how much larger than the template each copy is.
        residuals: (k,) squared error of each copy, summed over its samples.
    """

    starts: Indices
    lengths: Indices
    gains: Floats64
    residuals: Floats64

    def inside(self, n: int) -> Flags:
        """(n,) true for the samples that lie in a copy."""
        border = np.zeros(n + 1, dtype=np.intp)
        np.add.at(border, self.starts, 1)
        np.add.at(border, self.starts + self.lengths, -1)
        return np.cumsum(border[:n]) > 0


@dataclass(frozen=True, slots=True)
class Board:
    """A set laid out for tiling: all that does not depend on the template.

    Attributes:
        y: (n, k) the set.
        windows: float32 (n, longest · k), the samples that end with each one, zeros before the
            first.
        energy: float32 (n, lengths), squared length of what a copy of each length would cover if
            it ended there; infinite where it would leave the set.
    """

    y: Floats64
    windows: Floats32
    energy: Floats32


@dataclass(frozen=True, slots=True)
class StretchWeights:
    """How a template becomes copies of several lengths.

    Attributes:
        lengths: which of `copy_lengths` they are.
        longest: samples of the longest; shorter ones follow zeros.
        weights: float32 (lengths · longest, points).
    """

    lengths: slice
    longest: int
    weights: Floats32


@lru_cache(maxsize=8)
def copy_lengths(settings: RepsSettings) -> Indices:
    """(m,) allowed lengths of a copy in samples, in equal logarithmic steps, none twice."""
    low, high = settings.shortest_copy, settings.longest_copy
    steps = np.geomspace(low, high, settings.lengths) * settings.per_period
    return np.unique(np.rint(steps).astype(np.intp))


@lru_cache(maxsize=8)
def stretch(settings: RepsSettings) -> tuple[StretchWeights, ...]:
    """Weights that stretch a cyclic template to each length, in groups of like length."""
    lengths = copy_lengths(settings)
    groups = [g for g in np.array_split(np.arange(len(lengths)), GROUPS) if len(g)]
    return tuple(_stretched(lengths, int(g[0]), int(g[-1]) + 1, settings.points) for g in groups)


def _stretched(lengths: Indices, first: int, last: int, points: int) -> StretchWeights:
    """Weights for lengths[first:last]; shorter copies end where the longest of them ends."""
    longest = int(lengths[last - 1])
    out = np.zeros((last - first, longest, points), dtype=np.float32)
    for k, length in enumerate(lengths[first:last]):
        place = (np.arange(length) + 0.5) / length * points - 0.5
        low = np.floor(place).astype(np.intp)
        part = place - low
        rows = longest - length + np.arange(length)
        out[k, rows, low % points] += 1 - part
        out[k, rows, (low + 1) % points] += part
    return StretchWeights(slice(first, last), longest, out.reshape(-1, points))


def starts_before(n: int, lengths: Indices) -> Indices:
    """(n, m) border at which a copy begins that ends with each sample; negative: before the set."""
    return np.arange(1, n + 1)[:, None] - lengths


def board_of(y: Floats64, settings: RepsSettings) -> Board:
    """Lay out a set (n, k) for any number of tilings."""
    lengths = copy_lengths(settings)
    n, k = y.shape
    longest = int(lengths[-1])
    padded = np.zeros((longest + n, k), dtype=np.float32)
    padded[longest:] = y
    views = sliding_window_view(padded.ravel(), longest * k)[k::k]
    before = starts_before(n, lengths)
    sums = np.concatenate([np.full(longest, -np.inf), [0.0], np.cumsum((y**2).sum(axis=1))])
    energy = sums[longest + 1 :, None] - sums[before + longest]
    return Board(y, np.ascontiguousarray(views), energy.astype(np.float32))


def likeness(board: Board, template: Floats64, settings: RepsSettings) -> tuple[Floats32, Floats32]:
    """Products of every copy with what lies under it (n, lengths), and its own energy (lengths,).

    Copies are multiplied in groups: a product as wide as the longest is half zeros.
    """
    k = template.shape[1]
    cross = np.empty_like(board.energy)
    size: list[Floats32] = []
    for group in stretch(settings):
        copies = (group.weights @ template.astype(np.float32)).reshape(-1, group.longest * k)
        cross[:, group.lengths] = board.windows[:, -group.longest * k :] @ copies.T
        size.append(np.vecdot(copies, copies))
    return cross, np.maximum(np.concatenate(size), np.float32(1e-9))


def copy_costs(
    board: Board, template: Floats64, settings: RepsSettings
) -> tuple[Floats32, Floats32, Floats32]:
    """Cost, gain and residual of a copy of every length ending with every sample.

    Cost = residual after the best gain within limits + a price of being longer or shorter than
    the period + a price of being larger or smaller than the template.

    Returns:
        Three float32 (n, lengths) arrays; cost is infinite where a copy would leave the set.
    """
    lengths = copy_lengths(settings)
    cross, size = likeness(board, template, settings)
    gain = cross / size
    np.clip(gain, settings.least_gain, settings.most_gain, out=gain)
    cross *= 2
    cross -= gain * size
    cross *= gain
    residual = np.subtract(board.energy, cross, out=cross)
    np.maximum(residual, 0, out=residual)
    stretched = np.log(lengths / settings.per_period) ** 2
    fixed = (settings.length_weight * settings.per_period * stretched).astype(np.float32)
    varying = (settings.gain_weight * lengths).astype(np.float32)
    cost = np.log(gain)
    cost *= cost
    cost *= varying
    cost += residual
    cost += fixed
    return cost, gain, residual


def idle_costs(
    y: Floats64, template: Floats64, settings: RepsSettings
) -> tuple[Floats64, Floats64]:
    """Price of leaving each sample outside every copy, two (n,) arrays: pause and skip.

    A pause is stillness where a repetition begins and ends; a skip is any other movement, and
    is cheaper within a period of either end, where one picks the weight up and puts it down.
    """
    pause = ((y - template[0]) ** 2).sum(axis=1) + settings.pause_cost
    at = np.arange(len(y))
    edge = np.minimum(at, at[::-1]) < settings.per_period
    return pause, np.where(edge, settings.skip_edge_cost, settings.skip_cost)


def resting(pause: Floats64, skip: Floats64) -> Flags:
    """(n,) which samples are better called a pause than a skip, from the price (n,) of each."""
    return pause < skip


def tile(board: Board, template: Floats64, settings: RepsSettings) -> Tiling:
    """Cover a set by copies of `template` (points, k) at the least cost."""
    lengths = copy_lengths(settings)
    cost, gain, residual = copy_costs(board, template, settings)
    idle = np.minimum(*idle_costs(board.y, template, settings))
    starts, which = cheapest_cover(cost, idle, lengths)
    at = starts + lengths[which] - 1, which
    return Tiling(
        starts, lengths[which], gain[at].astype(np.float64), residual[at].astype(np.float64)
    )


def refitted(y: Floats64, template: Floats64, tiling: Tiling, settings: RepsSettings) -> Floats64:
    """The template that explains the copies best, given where they lie and how large they are.

    Args:
        y: (n, k) the set.
        template: (points, k), which comes back where there is no copy.
        tiling: the copies.
        settings: the counter's constants.

    Returns:
        (points, k).
    """
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
