"""Features of activity models: those of exercise windows, and the periodicity around them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from models.activity.periodicity import PERIODICITY_FEATURES, periodicity
from models.arrays import Flags, Floats32, Floats64, Indices, Ints64
from models.exercise.features import FEATURES_VERSION, window_features
from models.exercise.names import feature_names, low_rate_count
from models.signal.windows import RATE_HZ, WINDOW, WINDOW_S, window_starts
from models.signal.wrist import WristSignal

ACTIVITY_VERSION = f"activity-features-1+{FEATURES_VERSION}"

STILL_G = 0.003


@dataclass(frozen=True, slots=True)
class ActivityWindows:
    """Windows of one signal.

    Attributes:
        centre_s: (m,) middle of each window, seconds after the signal's first sample.
        x: float32 (m, d), 410 features with rotation, fewer without.
        still: (m,) true where nothing moves: a watch on a table, or a sensor that repeats its last
            value (one gym recording does for 43 s).
    """

    centre_s: Floats64
    x: Floats32
    still: Flags


@lru_cache(maxsize=2)
def used_columns(with_gyro: bool) -> Indices:
    """(d,) columns of the exercise features in use: all but the cross-correlations ("lag").

    >>> len(used_columns(True))
    407
    """
    names = feature_names(with_gyro)
    return np.array([k for k, name in enumerate(names) if "lag" not in name], dtype=np.intp)


@lru_cache(maxsize=2)
def low_rate_columns(with_gyro: bool) -> Indices:
    """(s,) columns whose values hardly depend on the sampling rate, from 10 Hz on.

    >>> len(low_rate_columns(True)), len(low_rate_columns(False))
    (251, 115)
    """
    kept = used_columns(with_gyro) < low_rate_count(with_gyro)
    return np.flatnonzero([*kept, *[True] * PERIODICITY_FEATURES])


def activity_features(signal: WristSignal, step_s: float) -> ActivityWindows:
    """Features of every window of a signal; none where it is shorter than 4 s."""
    windows = window_features(signal, step_s)
    starts = window_starts(len(signal.acc_g), step_s, signal.filled)
    centre_s = starts / RATE_HZ + WINDOW_S / 2
    rhythm = periodicity(signal, centre_s).astype(np.float32)
    x = np.hstack([windows.x[:, used_columns(has_gyro(signal))], rhythm])
    return ActivityWindows(centre_s, x, still_windows(signal, starts))


def still_windows(signal: WristSignal, starts: Ints64) -> Flags:
    """(m,) true for windows whose acceleration varies less than that of any worn sensor."""
    if not len(starts):
        return np.zeros(0, dtype=bool)
    windows = sliding_window_view(signal.acc_g, WINDOW, axis=0)[starts]
    return np.sqrt(windows.var(axis=-1, dtype=np.float64).sum(axis=1)) < STILL_G


def has_gyro(signal: WristSignal) -> bool:
    """Whether rotation was recorded."""
    return signal.gyro_rad_s is not None
