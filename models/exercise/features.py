"""515 numbers for a window of acceleration and rotation, 214 for acceleration alone.

Per channel 24 statistics of distribution, spectrum and rhythm; then what the channels have in
common. Batch and single window give the same bytes: every operation works row by row, and no
matrix product has a shape that depends on how many windows there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.exercise.channels import MIRROR_ACC, MIRROR_GYRO, Array, Channels, channels, mirrored
from models.exercise.joint import Principal, joint, joint_names
from models.exercise.single import SINGLE, mean_of, single
from models.signal.windows import RATE_HZ, STEP_S, WINDOW, window_starts
from models.signal.wrist import WristSignal

FEATURES_VERSION = "exercise-features-1"
BLOCK = 32  # windows at once: with twice as many, memory is asked for and given back every time


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of one or more signals.

    Attributes:
        t0_ns: int64 (m,), first sample, nanoseconds since the epoch.
        x: float32 (m, d), features.
    """

    t0_ns: NDArray[np.int64]
    x: Array


@dataclass(frozen=True, slots=True)
class Cut:
    """Windows of one signal in the left wrist's frame, before their features.

    Attributes:
        t0_ns: int64 (m,), first sample, nanoseconds since the epoch.
        acc: float32 (m, 3, 200), g.
        gyro: float32 (m, 3, 200), rad/s, or None.
    """

    t0_ns: NDArray[np.int64]
    acc: Array
    gyro: Array | None


def window_features(signal: WristSignal, step_s: float = STEP_S) -> Windows:
    """Features of every window of a signal; none if it is shorter than 4 s.

    Args:
        signal: at 50 Hz. A right wrist is mirrored, an unknown one is taken for a left one.
        step_s: seconds from window to window.
    """
    return features_of([cut_signal(signal, step_s)])[0]


def cut_signal(signal: WristSignal, step_s: float = STEP_S) -> Cut:
    """The windows of a signal; arguments as for `window_features`."""
    starts = window_starts(len(signal.acc_g), step_s, signal.filled)
    t0_ns = signal.t0_ns + np.rint(starts * (1e9 / RATE_HZ)).astype(np.int64)
    acc = cut_windows(mirrored(signal.acc_g, MIRROR_ACC, signal.side), starts)
    gyro = None
    if signal.gyro_rad_s is not None:
        gyro = cut_windows(mirrored(signal.gyro_rad_s, MIRROR_GYRO, signal.side), starts)
    return Cut(t0_ns, acc, gyro)


def features_of(cuts: Sequence[Cut]) -> list[Windows]:
    """Features of the windows of many signals, computed together; in the same order.

    A window by itself costs four times one among sixteen: most of its time goes into beginning
    some 150 array operations.
    """
    found: dict[int, Windows] = {}
    for has_gyro in (True, False):
        mine = [(i, cut) for i, cut in enumerate(cuts) if (cut.gyro is not None) == has_gyro]
        if not mine:
            continue
        gyros = [cut.gyro for _, cut in mine if cut.gyro is not None]
        x = features(_joined([cut.acc for _, cut in mine]), _joined(gyros) if gyros else None)
        end = 0
        for i, cut in mine:
            first, end = end, end + len(cut.t0_ns)
            found[i] = Windows(cut.t0_ns, x[first:end])
    return [found[i] for i in range(len(cuts))]


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def features(acc: Array, gyro: Array | None) -> Array:
    """Features of windows in the left wrist's frame, float32 (m, 515) or (m, 214).

    Args:
        acc: float32 (m, 3, 200), g.
        gyro: float32 (m, 3, 200), rad/s, or None.
    """
    x = np.empty((len(acc), len(feature_names(gyro is not None))), dtype=np.float32)
    for first in range(0, len(acc), BLOCK):
        rows = slice(first, first + BLOCK)
        describe(channels(acc[rows], None if gyro is None else gyro[rows]), x[rows])
    return x


@dataclass(frozen=True, slots=True)
class Kin:
    """What windows share with turned copies of themselves.

    Attributes:
        scalars: float32 (m, c - axes, 24), statistics of the scalar channels.
        principal: directions and sizes, to be turned along.
    """

    scalars: Array
    principal: Principal


def describe(c: Channels, out: Array, kin: Kin | None = None) -> Kin:
    """Write the features of a few windows: all channels side by side, then what they share.

    Args:
        c: their channels.
        out: (m, d), is written.
        kin: what is known about them already, because they are copies.

    Returns:
        what copies of them would share.
    """
    mean = mean_of(c.every)
    centred = c.every - mean[..., None]
    axes = slice(c.axes if kin else None)
    alone = single(c.every[:, axes], centred[:, axes], mean[:, axes])
    if kin:
        alone = np.concatenate([alone, kin.scalars], axis=1)
    size = alone.shape[1] * alone.shape[2]
    out[:, :size] = alone.reshape(len(out), size)
    out[:, size:], principal = joint(c, centred, kin and kin.principal)
    return Kin(alone[:, c.axes :], principal)


@lru_cache(maxsize=2)
def feature_names(with_gyro: bool) -> tuple[str, ...]:
    """A name per feature, `channel.statistic`; names with "lag" are the cross-correlations.

    >>> len(feature_names(True)), len(feature_names(False))
    (515, 214)
    """
    axes = [f"acc_{a}" for a in "xyz"] + ([f"gyro_{a}" for a in "xyz"] if with_gyro else [])
    scalars = ["acc_norm", "linear_down", "linear_level"]
    if with_gyro:
        scalars += ["gyro_norm", "gyro_down", "gyro_level"]
    singles = [f"{channel}.{s}" for channel in axes + scalars for s in SINGLE]
    return (*singles, *joint_names(axes, scalars))


def cut_windows(x: Array, starts: NDArray[np.int64]) -> Array:
    """Copies (m, 3, 200) of the windows of (n, 3)."""
    found = np.empty((len(starts), 3, WINDOW), dtype=np.float32)
    for window, first in zip(found, starts.tolist(), strict=True):
        window[:] = x[first : first + WINDOW].T  # strided views of all take longer to make
    return found
