"""What surrounds a set, compared with its own middle: size, posture, likeness, at 10 Hz."""

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
LIKENESS_S = (1.0, 2.0, 4.0)
LIKE_1S, LIKE_2S = -4, -3  # their columns
GRAVITY = 25  # samples, twice: what is slower is gravity
CALM = 5  # rows: speed is that of half a second
QUIET = 0.02  # g or rad/s that are as good as none
NEAR_S = 20.0  # more than any candidate border and what is looked at around it
MOST_COMPARED = 1200  # rows of the middle: two minutes show how a set is
BLOCK = 2048  # rows at once: an hour of running may be taken for one set


@dataclass(frozen=True, slots=True)
class Postures:
    """Where down is, and how much that varies inside a set.

    Attributes:
        gravity_g: (n, 3) ten times a second.
        spread_g: typical distance inside the set's middle from its mean.
    """

    gravity_g: Floats64
    spread_g: float


def smoothed(x: Floats64, samples: int) -> Floats64:
    """Moving average of (n, c), n ≥ 1, along axis 0, edges held; (n, c), same unit."""
    ahead = samples // 2
    padded = np.pad(x, ((ahead, samples - 1 - ahead), (0, 0)), mode="edge")
    return sliding_window_view(padded, samples, axis=0).mean(axis=-1)


def traces(signal: WristSignal, core_s: Span, near_s: float = NEAR_S) -> Floats64:
    """What a set's surroundings look like from its middle, ten times a second.

    Args:
        signal: the recording at 50 Hz.
        core_s: start and end of the set's middle.
        near_s: how far around the middle is looked. What is farther is given the value of the
            nearest that is not: to look at all of a long recording for each of its sets takes
            minutes.

    Returns:
        (n, 7) with rotation, (n, 6) without: size of linear acceleration and of rotation
        (log, relative to the middle), angle of gravity to the middle's, how unlike any one, two
        or four seconds of the middle it is (log, relative to the middle itself), and the share
        of the middle in which the wrist turns more slowly. Where samples were lost, what lies
        between those before and after.
    """
    return near_only(signal, core_s, near_s, lambda part, first: traces_near(part, first, core_s))


def near_only(
    signal: WristSignal, core_s: Span, near_s: float, of: Callable[[WristSignal, int], Floats64]
) -> Floats64:
    """Rows at 10 Hz of the whole recording, computed from what lies around a set alone.

    Args:
        signal: the recording at 50 Hz.
        core_s: start and end of the set's middle.
        near_s: how far around it is computed.
        of: rows (r, c) of a part of the recording that begins with the row of this number.

    Returns:
        (n, c); what is farther has the value of the nearest row that is not.
    """
    rows = len(signal.acc_g) // STEP
    first = max(0, math.floor((core_s[0] - near_s) * DOWNSAMPLED_HZ))
    end = min(rows, math.ceil((core_s[1] + near_s) * DOWNSAMPLED_HZ))
    found = of(slice_of(signal, first * STEP, end * STEP), first)
    return np.pad(found, ((first, rows - end), (0, 0)), mode="edge")


def traces_near(signal: WristSignal, first: int, core_s: Span) -> Floats64:
    """(r, 7 or 6) `traces` of a part of a recording that begins with row `first` at 10 Hz."""
    x = downsampled_channels(signal)
    heard = recorded_rows(signal)
    core = core_rows(heard, first, core_s)
    acc = signal.acc_g.astype(np.float64)
    gravity = smoothed(smoothed(acc, GRAVITY), GRAVITY)
    sizes = [log_size(acc - gravity)]
    if signal.gyro_rad_s is not None:
        sizes.append(log_size(signal.gyro_rad_s.astype(np.float64)))
    spread = max(float(np.sqrt(x[core].var(axis=0).sum())), 1e-6)
    some = core[:: 1 + len(core) // MOST_COMPARED]
    unlike = [unlikeness(x / spread, some, round(s * DOWNSAMPLED_HZ)) for s in LIKENESS_S]
    found = np.column_stack(
        [
            *(size - np.median(size[core]) for size in sizes),
            3 * turned(downsampled(gravity), some),
            *unlike,
            speed_rank(x, core),
        ]
    )
    return found if heard.all() else bridged(found, heard)


def core_rows(heard: Flags, first: int, core_s: Span) -> Indices:
    """Rows of a part that lie in the core: those that were heard, all where none was.

    Args:
        heard: (r,) of the part's rows at 10 Hz.
        first: number of its first row in the recording.
        core_s: start and end of the set's middle in the recording.

    Returns:
        (k,) numbers of rows in the part.
    """
    at_s = (np.arange(first, first + len(heard)) + 0.5) / DOWNSAMPLED_HZ
    inside = (at_s >= core_s[0]) & (at_s < core_s[1])
    return np.flatnonzero(inside & heard if (inside & heard).any() else inside)


def speed_rank(x: Floats64, core: Indices) -> Floats64:
    """(n,) share of the core that turns more slowly, 0..1: half a second of rest is near 0.

    Args:
        x: (n, 3 or 6) `downsampled_channels`; without rotation, how fast acceleration changes.
        core: rows of the set's middle.
    """
    calm = smoothed(x, CALM)
    turning = calm[:, 3:] if x.shape[1] > 3 else np.gradient(calm, axis=0)
    speed = np.linalg.norm(turning, axis=1)
    return np.searchsorted(np.sort(speed[core]), speed) / len(core)


def postures(signal: WristSignal, core_s: Span, near_s: float = NEAR_S) -> Postures:
    """The wrist's postures around a set; far from it, that of the nearest row that is near."""
    gravity = near_only(signal, core_s, near_s, lambda part, _: gravity_rows(part))
    heard = np.ones(len(gravity), dtype=np.bool_)
    core = gravity[core_rows(heard, 0, core_s)]
    return Postures(gravity, float(np.sqrt(core.var(axis=0).sum())))


def gravity_rows(signal: WristSignal) -> Floats64:
    """(n // 5, 3) gravity in g at 10 Hz, straight lines over what was lost."""
    acc = signal.acc_g.astype(np.float64)
    found = smoothed(downsampled(smoothed(smoothed(acc, GRAVITY), GRAVITY)), 3)
    heard = recorded_rows(signal)
    return found if heard.all() or not heard.any() else bridged(found, heard)


def turned(gravity: Floats64, core: Indices) -> Floats64:
    """(n,) angle between gravity and that of the nearest twentieth of the core, radians."""
    down = gravity / np.maximum(np.linalg.norm(gravity, axis=1), 1e-6)[:, None]

    def from_core(rows: Floats64) -> Floats64:
        """(r,) for unit vectors (r, 3): the angle that a twentieth of the core is nearer than."""
        return np.quantile(np.arccos(np.clip(rows @ down[core].T, -1, 1)), 0.05, axis=1)

    return np.concatenate([from_core(down[k : k + BLOCK]) for k in range(0, len(down), BLOCK)])


def recorded_rows(signal: WristSignal) -> Flags:
    """(n // 5,) whether none of the five samples of a row at 10 Hz was lost."""
    rows = len(signal.acc_g) // STEP
    if signal.filled is None:
        return np.ones(rows, dtype=np.bool_)
    lost = signal.filled[: rows * STEP].reshape(rows, STEP)
    return np.count_nonzero(lost, axis=1) == 0


def bridged(trace: Floats64, heard: Flags) -> Floats64:
    """A trace (n, c) with straight lines over the rows that were not heard.

    >>> bridged(np.array([[1.0], [9.0], [3.0]]), np.array([True, False, True])).tolist()
    [[1.0], [2.0], [3.0]]
    """
    rows = np.arange(len(trace), dtype=np.float64)
    columns = [np.interp(rows, rows[heard], column[heard]) for column in trace.T]
    return np.column_stack(columns)


def log_size(x: Floats64) -> Floats64:
    """(n // 5,) logarithm of the size of movement over half a second, from 50 Hz to 10 Hz."""
    power = smoothed((x**2).sum(axis=1, keepdims=True), GRAVITY)
    return np.log(np.sqrt(downsampled(power)[:, 0]) + QUIET)


def unlikeness(x: Floats64, core: Indices, samples: int) -> Floats64:
    """(n,) log distance of the window around each sample to the nearest one of the core.

    Relative to what is usual inside the core; windows closer than 1.5 s are not compared.
    """
    ahead = samples // 2
    padded = np.pad(x, ((ahead, samples - 1 - ahead), (0, 0)), mode="edge")
    windows = sliding_window_view(padded, samples, axis=0).reshape(len(x), -1) / np.sqrt(samples)
    size = (windows**2).sum(axis=1)
    nearest, farthest = np.empty(len(x)), 0.0
    for k in range(0, len(x), BLOCK):
        rows = slice(k, k + BLOCK)
        squares = size[rows, None] + size[core][None, :] - 2 * windows[rows] @ windows[core].T
        at = np.arange(len(x))[rows, None]
        apart = np.abs(at - core[None, :]) > NEIGHBOURS_S * DOWNSAMPLED_HZ
        nearest[rows] = np.where(apart, squares, np.inf).min(axis=1)
        farthest = max(farthest, float(squares.max()))
    nearest = np.sqrt(np.maximum(np.minimum(nearest, farthest), 0.0))
    return np.log((nearest + 0.02) / (np.median(nearest[core]) + 0.02))
