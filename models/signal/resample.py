"""Any timestamps to a regular 50 Hz grid: cubic between samples, low-passed when faster.

The cubic (Hermite with slopes of the neighbours, on the real times) is local: a cut of a recording
and the whole of it agree but for the edges. On a regular 50 Hz stream it is the identity. Lost
samples are bridged by a line: over a gap the slopes of a cubic carry it far off.
"""

import math

import numpy as np

from models.arrays import Floats32, Floats64
from models.signal.runs import Gaps
from models.signal.windows import RATE_HZ

LOW_PASS_FROM = 1.1  # above 55 Hz there is content that 50 Hz would fold back
CUTOFF_HZ = 22.0
HALF_WIDTH_S = 0.1
ROWS_PER_SAMPLE = 8
"""Even rows made of one sample, at most: more would stand for movement that nobody recorded."""


def resample(
    t_s: Floats64,
    values: Floats32,
    grid_s: Floats64,
    gaps_s: Gaps = (),
) -> Floats32:
    """Values at the times of a 50 Hz grid, float32 (m, 3); held constant outside of t_s.

    Args:
        t_s: (n,) strictly ascending.
        values: (n, 3).
        grid_s: (m,) ascending.
        gaps_s: times of the samples before and after each loss.
    """
    if len(t_s) >= len(grid_s) and (t_s[: len(grid_s)] == grid_s).all():
        return values[: len(grid_s)]  # already there: the cubic would give the same, late
    rate_hz = min(rate_of(t_s), _max_rate_hz(t_s))
    if rate_hz > LOW_PASS_FROM * RATE_HZ:
        even_s = np.arange(t_s[0], t_s[-1] + 0.5 / rate_hz, 1 / rate_hz)
        values = _low_pass(cubic(t_s, values, even_s, gaps_s), rate_hz)
        t_s, gaps_s = even_s, ()
    return cubic(t_s, values, grid_s, gaps_s)


def rate_of(t_s: Floats64) -> float:
    """Samples per second of times (n,) by what most steps take; 0 for fewer than 2 samples.

    Steps in whole milliseconds are averaged around their median, so that 9 and 10 ms give 104 Hz.
    """
    steps = np.diff(t_s)
    if len(steps) == 0:
        return 0.0
    median = np.median(steps)
    near = steps[np.abs(steps - median) <= 0.5 * median]
    return float(1 / near.mean()) if len(near) else float(1 / median)


def _max_rate_hz(t_s: Floats64) -> float:
    """The rate at which even rows are no more than `ROWS_PER_SAMPLE` for each sample.

    The rate of bursts 1 ms apart, with seconds between them, says nothing about the whole: hundreds
    of thousands of rows would be made of a few hundred samples.
    """
    took_s = float(t_s[-1] - t_s[0])
    return ROWS_PER_SAMPLE * len(t_s) / took_s if took_s > 0 else math.inf


def cubic(
    t_s: Floats64,
    values: Floats32,
    at_s: Floats64,
    gaps_s: Gaps = (),
) -> Floats32:
    """Cubic Hermite interpolation on real times, straight over lost samples; float32 (m, 3).

    >>> t = np.arange(5.0)
    >>> cubic(t, np.stack([t, 2 * t, 0 * t], axis=1).astype(np.float32), np.array([1.5])).tolist()
    [[1.5, 3.0, 0.0]]
    """
    if len(t_s) < 2:
        return np.repeat(values[:1], len(at_s), axis=0)
    slopes = np.gradient(values.astype(np.float64), t_s, axis=0)
    left = np.clip(np.searchsorted(t_s, at_s, side="right") - 1, 0, len(t_s) - 2)
    width = t_s[left + 1] - t_s[left]
    u = np.clip((at_s - t_s[left]) / width, 0.0, 1.0)[:, None]
    from_left = values[left] * (1 + 2 * u) + slopes[left] * (u * width[:, None])
    from_right = values[left + 1] * (3 - 2 * u) - slopes[left + 1] * ((1 - u) * width[:, None])
    curve = from_left * (1 - u) ** 2 + from_right * u**2
    for row in within(gaps_s, at_s):
        start, end = values[left[row]], values[left[row] + 1]
        curve[row] = start * (1 - u[row]) + end * u[row]
    return curve.astype(np.float32)


def within(gaps_s: Gaps, at_s: Floats64) -> list[slice]:
    """Which of ascending times lie inside each gap.

    >>> within(((0.1, 0.5),), np.array([0.0, 0.1, 0.2, 0.4, 0.5]))
    [slice(2, 4, None)]
    """
    return [
        slice(int(at_s.searchsorted(a, side="right")), int(at_s.searchsorted(b, side="left")))
        for a, b in gaps_s
    ]


def _low_pass(values: Floats32, rate_hz: float) -> Floats32:
    """A windowed sinc without delay; edges are held."""
    half = max(1, round(HALF_WIDTH_S * rate_hz))
    k = np.arange(-half, half + 1)
    taps = np.sinc(2 * CUTOFF_HZ / rate_hz * k) * np.hamming(2 * half + 1)
    taps /= taps.sum()
    padded = np.pad(values, ((half, half), (0, 0)), mode="edge").astype(np.float64)
    axes = [np.convolve(padded[:, axis], taps, mode="valid") for axis in range(values.shape[1])]
    return np.stack(axes, axis=1).astype(np.float32)
