"""The surroundings of a set relative to its core, at 10 Hz: amplitude, posture, distance."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from models.activity.periodicity import DOWNSAMPLED_HZ, STEP, downsampled, downsampled_channels
from models.activity.states import Span
from models.arrays import Flags, Floats64, Indices
from models.signal.wrist import WristSignal, slice_of

NEIGHBOURS_S = 1.5  # a window is not compared with itself
COMPARED_S = (1.0, 2.0, 4.0)
DISTANCE_1S = -4  # its column
GRAVITY = 25  # samples of a moving average, applied twice: what is slower is gravity
SPEED_ROWS = 5  # speed is measured over half a second
QUIET = 0.02  # g or rad/s below which movement is noise
NEAR_S = 20.0  # beyond every candidate border and its features
MAX_COMPARED = 1200  # rows of the core: two minutes are enough
BLOCK = 2048  # rows at once: an hour of running may be one set


@dataclass(frozen=True, slots=True)
class Postures:
    """The direction of gravity, and how much it varies within a set.

    Attributes:
        gravity_g: (n, 3) at 10 Hz.
        spread_g: typical distance from its mean within the core.
    """

    gravity_g: Floats64
    spread_g: float


def smoothed(x: Floats64, samples: int) -> Floats64:
    """Moving average of (n, c), n ≥ 1, along axis 0, edges held; (n, c), same unit."""
    ahead = samples // 2
    padded = np.pad(x, ((ahead, samples - 1 - ahead), (0, 0)), mode="edge")
    return sliding_window_view(padded, samples, axis=0).mean(axis=-1)


def traces(signal: WristSignal, core_s: Span) -> Floats64:
    """Features of the surroundings of a set relative to its core, at 10 Hz.

    Args:
        signal: the recording at 50 Hz.
        core_s: start and end of the core.

    Returns:
        (n, 7) with rotation, (n, 6) without: amplitude of linear acceleration and of rotation
        (log, relative to the core), angle between gravity and the core's, distance to the nearest
        one, two or four seconds of the core (log, relative to the core itself), and the share of
        the core in which the wrist turns more slowly. Lost samples are interpolated. Rows over
        `NEAR_S` away from the core repeat the nearest computed one: to compute all of a long
        recording for each of its sets takes minutes.
    """
    return near_set(signal, core_s, NEAR_S, lambda part, first: traces_near(part, first, core_s))


def near_set(
    signal: WristSignal, core_s: Span, near_s: float, of: Callable[[WristSignal, int], Floats64]
) -> Floats64:
    """Rows at 10 Hz of the whole recording, computed only near a set.

    Args:
        signal: the recording at 50 Hz.
        core_s: start and end of the core.
        near_s: how far around it rows are computed.
        of: gives rows (r, c) of a part of the recording, and is told the number of its first row.

    Returns:
        (n, c); farther rows repeat the nearest computed one.
    """
    rows = len(signal.acc_g) // STEP
    first = max(0, math.floor((core_s[0] - near_s) * DOWNSAMPLED_HZ))
    end = min(rows, math.ceil((core_s[1] + near_s) * DOWNSAMPLED_HZ))
    near = of(slice_of(signal, first * STEP, end * STEP), first)
    return np.pad(near, ((first, rows - end), (0, 0)), mode="edge")


def traces_near(signal: WristSignal, first: int, core_s: Span) -> Floats64:
    """(r, 7 or 6) `traces` of a part of a recording that begins with row `first` at 10 Hz."""
    x = downsampled_channels(signal)
    recorded = recorded_rows(signal)
    core = core_rows(recorded, first, core_s)
    acc = signal.acc_g.astype(np.float64)
    gravity = smoothed(smoothed(acc, GRAVITY), GRAVITY)
    sizes = [log_size(acc - gravity)]
    if signal.gyro_rad_s is not None:
        sizes.append(log_size(signal.gyro_rad_s.astype(np.float64)))
    scaled, compared = scaled_to_core(x, core), compared_rows(core)
    unlike = [core_distance(scaled, compared, round(s * DOWNSAMPLED_HZ)) for s in COMPARED_S]
    rows = np.column_stack(
        [
            *(size - np.median(size[core]) for size in sizes),
            3 * gravity_angle(downsampled(gravity), compared),
            *unlike,
            speed_rank(x, core),
        ]
    )
    return rows if recorded.all() else interpolated(rows, recorded)


def core_rows(recorded: Flags, first: int, core_s: Span) -> Indices:
    """Rows of a part that lie in the core: those without lost samples, all where there are none.

    Args:
        recorded: (r,) `recorded_rows` of the part.
        first: number of its first row in the recording.
        core_s: start and end of the core in the recording.

    Returns:
        (k,) numbers of rows in the part.
    """
    at_s = (np.arange(first, first + len(recorded)) + 0.5) / DOWNSAMPLED_HZ
    inside = (at_s >= core_s[0]) & (at_s < core_s[1])
    return np.flatnonzero(inside & recorded if (inside & recorded).any() else inside)


def compared_rows(core: Indices) -> Indices:
    """(k,) rows of a core (n,) with which others are compared, evenly spread over it."""
    return core[:: 1 + len(core) // MAX_COMPARED]


def scaled_to_core(x: Floats64, core: Indices) -> Floats64:
    """(n, c) channels (n, c), in spreads of the rows (k,) of the core."""
    return x / max(float(np.sqrt(x[core].var(axis=0).sum())), 1e-6)


def speed_rank(x: Floats64, core: Indices) -> Floats64:
    """(n,) share of the core in which the wrist turns more slowly, 0..1; near 0 at rest.

    Args:
        x: (n, 3 or 6) `downsampled_channels`; without rotation the change of acceleration is used.
        core: rows of the core.
    """
    smooth = smoothed(x, SPEED_ROWS)
    turning = smooth[:, 3:] if x.shape[1] > 3 else np.gradient(smooth, axis=0)
    speed = np.linalg.norm(turning, axis=1)
    return np.searchsorted(np.sort(speed[core]), speed) / len(core)


def postures(signal: WristSignal, core_s: Span) -> Postures:
    """The wrist's postures around a set; farther rows repeat the nearest computed one."""
    gravity = near_set(signal, core_s, NEAR_S, lambda part, _: gravity_rows(part))
    recorded = np.ones(len(gravity), dtype=np.bool_)
    core = gravity[core_rows(recorded, 0, core_s)]
    return Postures(gravity, float(np.sqrt(core.var(axis=0).sum())))


def gravity_rows(signal: WristSignal) -> Floats64:
    """(n // 5, 3) gravity in g at 10 Hz, interpolated over lost samples."""
    acc = signal.acc_g.astype(np.float64)
    gravity = smoothed(downsampled(smoothed(smoothed(acc, GRAVITY), GRAVITY)), 3)
    recorded = recorded_rows(signal)
    return gravity if recorded.all() or not recorded.any() else interpolated(gravity, recorded)


def gravity_angle(gravity: Floats64, core: Indices) -> Floats64:
    """(n,) angle between gravity and the core's, radians: the 5 % quantile over the core."""
    down = gravity / np.maximum(np.linalg.norm(gravity, axis=1), 1e-6)[:, None]

    def from_core(rows: Floats64) -> Floats64:
        """(r,) 5 % quantile of the angles between unit vectors (r, 3) and the core."""
        return np.quantile(np.arccos(np.clip(rows @ down[core].T, -1, 1)), 0.05, axis=1)

    return np.concatenate([from_core(down[k : k + BLOCK]) for k in range(0, len(down), BLOCK)])


def recorded_rows(signal: WristSignal) -> Flags:
    """(n // 5,) whether all five samples of a row at 10 Hz were recorded."""
    rows = len(signal.acc_g) // STEP
    if signal.filled is None:
        return np.ones(rows, dtype=np.bool_)
    lost = signal.filled[: rows * STEP].reshape(rows, STEP)
    return np.count_nonzero(lost, axis=1) == 0


def interpolated(trace: Floats64, recorded: Flags) -> Floats64:
    """A trace (n, c), interpolated linearly over rows that were not recorded.

    >>> interpolated(np.array([[1.0], [9.0], [3.0]]), np.array([True, False, True])).tolist()
    [[1.0], [2.0], [3.0]]
    """
    rows = np.arange(len(trace), dtype=np.float64)
    columns = [np.interp(rows, rows[recorded], column[recorded]) for column in trace.T]
    return np.column_stack(columns)


def log_size(x: Floats64) -> Floats64:
    """(n // 5,) log amplitude of movement over half a second, from 50 Hz to 10 Hz."""
    power = smoothed((x**2).sum(axis=1, keepdims=True), GRAVITY)
    return np.log(np.sqrt(downsampled(power)[:, 0]) + QUIET)


def core_distance(
    x: Floats64, core: Indices, samples: int, rows: Indices | None = None
) -> Floats64:
    """(r,) log distance of the window around each row to the nearest window of the core.

    Relative to the median within the core; windows closer in time than 1.5 s are not compared.

    Args:
        x: (n, c) at 10 Hz. Its windows are copied in blocks: all of them would take `samples` times
            as much memory.
        core: (k,) rows of the core.
        samples: rows of a window.
        rows: (r,) ascending, those of the core among them; all (n,) where it is None.
    """
    rows = np.arange(len(x)) if rows is None else rows
    ahead = samples // 2
    padded = np.pad(x, ((ahead, samples - 1 - ahead), (0, 0)), mode="edge")
    windows = sliding_window_view(padded, samples, axis=0)
    core_windows = flattened(windows[core])
    core_size = (core_windows**2).sum(axis=1)
    nearest, farthest = np.empty(len(rows)), 0.0
    for k in range(0, len(rows), BLOCK):
        at = rows[k : k + BLOCK]
        block = flattened(windows[at])
        size = (block**2).sum(axis=1)
        squares = size[:, None] + core_size[None, :] - 2 * block @ core_windows.T
        apart = np.abs(at[:, None] - core[None, :]) > NEIGHBOURS_S * DOWNSAMPLED_HZ
        nearest[k : k + BLOCK] = np.where(apart, squares, np.inf).min(axis=1)
        farthest = max(farthest, float(squares.max()))
    nearest = np.sqrt(np.maximum(np.minimum(nearest, farthest), 0.0))
    return np.log((nearest + 0.02) / (np.median(nearest[rows.searchsorted(core)]) + 0.02))


def flattened(windows: Floats64) -> Floats64:
    """(m, c * s) copies of windows (m, c, s), scaled so that distances are means over samples."""
    return windows.reshape(len(windows), -1) / np.sqrt(windows.shape[-1])
