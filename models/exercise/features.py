"""515 numbers for a window of acceleration and rotation, 214 for acceleration alone.

Per channel 24 statistics of distribution, spectrum and rhythm; then what the channels have in
common. `models.exercise.reference` spells them out, `models.exercise.kernel` computes them. Batch
and single window give the same bytes.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats32, Ints64
from models.exercise.axis_map import MIRROR, Triple
from models.exercise.kernel import features
from models.signal.pieces import Side
from models.signal.windows import RATE_HZ, STEP_S, WINDOW, window_starts
from models.signal.wrist import WristSignal

FEATURES_VERSION = "exercise-features-3"
"""What stored models and statistics were learned from; those of another version are not read."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of one or more signals.

    Attributes:
        t0_ns: int64 (m,), first sample, nanoseconds since the epoch.
        x: float32 (m, d), features.
    """

    t0_ns: Ints64
    x: Floats32


@dataclass(frozen=True, slots=True)
class Cut:
    """Windows of one signal in the left wrist's frame, before their features.

    Attributes:
        t0_ns: int64 (m,), first sample, nanoseconds since the epoch.
        acc: float32 (m, 3, 200), g.
        gyro: float32 (m, 3, 200), rad/s, or None.
    """

    t0_ns: Ints64
    acc: Floats32
    gyro: Floats32 | None


def window_features(signal: WristSignal, step_s: float = STEP_S) -> Windows:
    """Features of every window of a signal; none if it is shorter than 4 s.

    Args:
        signal: at 50 Hz. A right wrist is mirrored, an unknown one is taken for a left one.
        step_s: seconds from window to window.
    """
    cut = cut_signal(signal, step_s)
    return Windows(cut.t0_ns, features(cut.acc, cut.gyro))


def cut_signal(signal: WristSignal, step_s: float = STEP_S) -> Cut:
    """The windows of a signal; arguments as for `window_features`."""
    starts = window_starts(len(signal.acc_g), step_s, signal.filled)
    t0_ns = signal.t0_ns + np.rint(starts * (1e9 / RATE_HZ)).astype(np.int64)
    acc = cut_windows(mirrored(signal.acc_g, MIRROR.acc, signal.side), starts)
    gyro = None
    if signal.gyro_rad_s is not None:
        gyro = cut_windows(mirrored(signal.gyro_rad_s, MIRROR.gyro, signal.side), starts)
    return Cut(t0_ns, acc, gyro)


def mirrored(x: Floats32, signs: Triple, side: Side | None) -> Floats32:
    """A right wrist as the left one that would move alike; float32 (n, 3)."""
    return x * np.array(signs, dtype=np.float32) if side == "right" else x


def cut_windows(x: Floats32, starts: Ints64) -> Floats32:
    """Copies (m, 3, 200) of the windows of (n, 3)."""
    windows = np.empty((len(starts), 3, WINDOW), dtype=np.float32)
    for window, first in zip(windows, starts.tolist(), strict=True):
        window[:] = x[first : first + WINDOW].T  # strided views of all take longer to make
    return windows
