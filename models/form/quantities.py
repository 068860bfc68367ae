"""The numbers of a set that hold up when the same movement is done by the other arm.

Left and right arm of the same person agree on duration, range, peak speed and pause (correlation
within an exercise .78 to .86 on SPAR-10, `muvr evaluate form`); on the share of up and down and
on the variation of tempo they did not (.04, .18 when tried), so neither is used here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.reps.measure import Repetition

QUANTITIES = ("duration_s", "range_rad", "peak_speed", "pause_s")
MIN_SPREADS = np.array([0.3, 0.1, 0.3, 0.3])  # s, rad, rad/s, s: the resolution of the measurement
OUTER = 3  # first and last repetitions that drift is measured on
MIN_FOR_DRIFT = 2 * OUTER


@dataclass(frozen=True, slots=True)
class SetQuantities:
    """One set in numbers.

    Attributes:
        typical: (4,) medians of `QUANTITIES` over its repetitions, in their units.
        speed_kept: peak speed of the last three repetitions over that of the first three; below
            1 is getting slower. None with fewer than six repetitions.
        range_kept: the same for range.
    """

    typical: Floats64
    speed_kept: float | None
    range_kept: float | None


def table(repetitions: Sequence[Repetition]) -> Floats64:
    """(n, 4) `QUANTITIES` of each repetition."""
    rows = [[r.duration_s, r.range_rad, r.peak_speed, r.pause_s] for r in repetitions]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(QUANTITIES))


def end_over_start(values: Floats64) -> float | None:
    """Median of the last three of (n,) over that of the first three; None below six, or from 0.

    >>> end_over_start(np.array([2.0, 2.0, 2.0, 1.5, 1.0, 1.0, 1.0]))
    0.5
    """
    if len(values) < MIN_FOR_DRIFT:
        return None
    first = float(np.median(values[:OUTER]))
    return float(np.median(values[-OUTER:])) / first if first > 0 else None


def quantities(repetitions: Sequence[Repetition]) -> SetQuantities | None:
    """The numbers of a set, None without a single repetition."""
    rows = table(repetitions)
    if not len(rows):
        return None
    return SetQuantities(
        np.median(rows, axis=0), end_over_start(rows[:, 2]), end_over_start(rows[:, 1])
    )
