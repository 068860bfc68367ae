"""The ends of a set: copies that are no repetition, and repetitions that were cut off."""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.reps.explain import Explanation
from models.reps.settings import RepsSettings

STRETCHES = np.exp(np.linspace(-0.35, 0.35, 9))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Repetitions on an explanation's grid.

    Attributes:
        spans: (start, end) of each, in grid samples, in order; partial ones included.
        whole: how many of them are whole copies.
        head, tail: share of a repetition that was done before the first and after the last
            whole copy.
    """

    spans: tuple[tuple[int, int], ...]
    whole: int
    head: float
    tail: float


def copy_ranges(explanation: Explanation) -> Floats64:
    """(k,) largest distance from its own beginning that each copy reaches."""
    y, tiling = explanation.grid.y, explanation.tiling
    spans = zip(tiling.starts, tiling.lengths, strict=True)
    return np.array([np.linalg.norm(y[a : a + n] - y[a], axis=1).max() for a, n in spans])


def kept(explanation: Explanation, settings: RepsSettings) -> slice:
    """The copies that remain when small ones are dropped from both ends."""
    ranges = copy_ranges(explanation)
    large = np.flatnonzero(ranges >= settings.edge_range_share * np.median(ranges))
    return slice(int(large[0]), int(large[-1]) + 1)


def stretched(template: Floats64, length: int) -> Floats64:
    """(length, k): the cyclic template read at `length` equally spaced places."""
    points = len(template)
    place = (np.arange(length) + 0.5) / length * points - 0.5
    low = np.floor(place).astype(np.intp)
    part = (place - low)[:, None]
    return template[low % points] * (1 - part) + template[(low + 1) % points] * part


def partial_share(outside: Floats64, template: Floats64, length: float, *, tail: bool) -> float:
    """Share of a repetition that movement outside the copies makes up, by likeness.

    Args:
        outside: (m, k) what comes before the first copy (or after the last, if `tail`).
        template: (points, k) one repetition.
        length: samples that a repetition takes hereabouts.
        tail: whether the beginning of the template is matched instead of its end.

    Returns:
        0..1; 0 where the movement is nothing like the template.
    """
    best_cost, best_share = np.inf, 0.0
    for size in np.unique(np.maximum(np.rint(length * STRETCHES), 2).astype(np.intp)):
        seen = min(len(outside), int(size))
        if seen < 3:
            return 0.0
        copy = stretched(template, int(size))
        part, copy = (outside[:seen], copy[:seen]) if tail else (outside[-seen:], copy[-seen:])
        residual = float(((part - copy) ** 2).mean())
        cost = residual + np.log(size / length) ** 2
        if cost < best_cost and residual < float((part**2).mean()):
            best_cost, best_share = cost, seen / int(size)
    return best_share


def bounds(explanation: Explanation, settings: RepsSettings) -> Bounds:
    """Where each repetition lies, cut-off ones at either end included if large enough.

    A cut-off repetition must last `partial_share` of a whole one both by time in motion and by
    likeness to the template: setting a weight down moves, but not like a repetition.
    """
    view, tiling = explanation.grid, explanation.tiling
    keep = kept(explanation, settings)
    starts, lengths = tiling.starts[keep], tiling.lengths[keep]
    first, last = int(starts[0]), int(starts[-1] + lengths[-1])
    spans = [(int(a), int(a + n)) for a, n in zip(starts, lengths, strict=True)]
    ahead, behind = float(np.median(lengths[:3])), float(np.median(lengths[-3:]))
    head = partial_share(view.y[:first], explanation.template, ahead, tail=False)
    tail = partial_share(view.y[last:], explanation.template, behind, tail=True)
    head = min(head, float(view.moving[:first].sum()) / ahead)
    tail = min(tail, float(view.moving[last:].sum()) / behind)
    whole = len(spans)
    if head > settings.partial_share:
        spans.insert(0, (max(0, first - round(ahead)), first))
    if tail > settings.partial_share:
        spans.append((last, min(len(view.y), last + round(behind))))
    return Bounds(tuple(spans), whole, head, tail)
