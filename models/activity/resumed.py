"""A set that goes on after a short pause, in the same movement, is one set."""

import math
from collections.abc import Sequence

import numpy as np

from models.activity.borders import core_span
from models.activity.periodicity import DOWNSAMPLED_HZ, downsampled_channels
from models.activity.settings import SETTINGS
from models.activity.states import Span
from models.activity.traces import (
    NEIGHBOURS_S,
    compared_rows,
    core_distance,
    core_rows,
    recorded_rows,
    scaled_to_core,
)
from models.arrays import Flags, Floats64, Indices
from models.signal.wrist import WristSignal

WINDOW_S = 2.0  # how much of two movements is compared at once


def merge_resumed(signal: WristSignal, spans: Sequence[Span]) -> list[Span]:
    """Spans in order; a set that goes on after a short pause is merged into one."""
    if len(spans) < 2:
        return list(spans)
    x, recorded = downsampled_channels(signal), recorded_rows(signal)
    merged = [spans[0]]
    for span in spans[1:]:
        if is_same_set(x, recorded, merged[-1], span):
            merged[-1] = (merged[-1][0], span[1])
        else:
            merged.append(span)
    return merged


def is_same_set(x: Floats64, recorded: Flags, before: Span, after: Span) -> bool:
    """Whether two spans are one set: a short pause between them, and the same movement.

    Args:
        x: (n, 3 or 6) `downsampled_channels`.
        recorded: (n,) `recorded_rows`.
        before: a span in s.
        after: the span after it.
    """
    if after[0] - before[1] > SETTINGS.max_pause_s:
        return False
    longer, other = sorted((before, after), key=lambda span: span[0] - span[1])
    core = core_rows(recorded, 0, core_span(longer))
    first, end = (round(s * DOWNSAMPLED_HZ) for s in core_span(other))
    if core[-1] - core[0] > 2 * NEIGHBOURS_S * DOWNSAMPLED_HZ:
        rows = np.union1d(_around(recorded, first, end), compared_rows(core))
    else:
        rows = _near(len(x), core_span(longer), after[1] - before[0])
    samples = round(WINDOW_S * DOWNSAMPLED_HZ)
    # Only what the windows around these rows read: a stretch may be a day.
    start = max(0, min(core[0], rows[0]) - samples)
    x, core, rows = x[start : max(core[-1], rows[-1]) + samples], core - start, rows - start
    distance = core_distance(scaled_to_core(x, core), compared_rows(core), samples, rows)
    known = recorded[start:][rows]
    in_other = np.interp(np.arange(first, end) - start, rows[known], distance[known])
    return float(in_other.mean()) < SETTINGS.similar_below


def _around(recorded: Flags, first: int, end: int) -> Indices:
    """The recorded rows from `first` to `end`, and one on either side to interpolate from.

    >>> _around(np.array([True, True, False, False, True, True]), 2, 4).tolist()
    [1, 4]
    """
    at = np.flatnonzero(recorded)
    return at[max(0, at.searchsorted(first) - 1) : at.searchsorted(end) + 1]


def _near(n: int, core_s: Span, near_s: float) -> Indices:
    """The rows within `near_s` of a core that is too short to be compared with itself.

    A row without any of the core 1.5 s away is as far from it as the farthest of these.
    """
    first = max(0, math.floor((core_s[0] - near_s) * DOWNSAMPLED_HZ))
    return np.arange(first, min(n, math.ceil((core_s[1] + near_s) * DOWNSAMPLED_HZ)))
