"""Periodicity of wrist movement over twelve seconds, three windows long."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from models.arrays import Floats, Floats64
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal

SPAN_S = 12.0
DOWNSAMPLED_HZ = 10.0
SHORTEST_S, LONGEST_S = 0.8, 5.5
VALLEY = 0.3  # a peak counts only after a valley, or stillness would be periodic
GYRO_SHARE = 1 / 3  # rad/s that weigh as much as 1 g
STEP = round(RATE_HZ / DOWNSAMPLED_HZ)
BLOCK = 256
PERIODICITY_FEATURES = 3  # columns of `periodicity`


def downsampled(x: Floats) -> Floats64:
    """(n // 5, c) means of five samples each: 50 Hz to 10 Hz."""
    n = len(x) // STEP
    return x[: n * STEP].reshape(n, STEP, -1).mean(axis=1, dtype=np.float64)


def downsampled_channels(signal: WristSignal) -> Floats64:
    """(n // 5, 3 or 6) acceleration in g and rotation in 3 rad/s, at 10 Hz."""
    acc = downsampled(signal.acc_g)
    if signal.gyro_rad_s is None:
        return acc
    return np.hstack([acc, downsampled(signal.gyro_rad_s) * GYRO_SHARE])


def periodicity(signal: WristSignal, centres_s: Floats64) -> Floats64:
    """Periodicity of the movement around given times.

    Args:
        signal: at 50 Hz.
        centres_s: (m,) seconds after its first sample.

    Returns:
        (m, 3): height of the highest autocorrelation peak between .8 and 5.5 s (0 where there
        is none), logarithm of the movement's amplitude, logarithm of the peak's lag in s. In a
        perfectly regular movement a multiple of the period is as high as the period.
    """
    if not len(centres_s):  # a stretch between two gaps may be shorter than a row at 10 Hz
        return np.empty((0, PERIODICITY_FEATURES))
    x = downsampled_channels(signal)
    length = min(len(x), round(SPAN_S * DOWNSAMPLED_HZ))
    first = np.rint(centres_s * DOWNSAMPLED_HZ).astype(np.intp) - length // 2
    first = np.clip(first, 0, len(x) - length)
    views = sliding_window_view(x, length, axis=0)
    blocks = [peaks(views[first[k : k + BLOCK]]) for k in range(0, len(first), BLOCK)]
    return np.concatenate(blocks)


def peaks(windows: Floats64) -> Floats64:
    """`periodicity` of windows (m, channels, length)."""
    length = windows.shape[-1]
    centred = windows - windows.mean(axis=-1, keepdims=True)
    power = (np.abs(np.fft.rfft(centred, 2 * length, axis=-1)) ** 2).sum(axis=1)
    curve = np.fft.irfft(power, 2 * length, axis=-1)[:, :length] / np.arange(length, 0, -1)
    size = np.sqrt(np.maximum(curve[:, 0], 0.0))
    curve = curve / np.maximum(curve[:, :1], 1e-9)
    lags = np.arange(
        round(SHORTEST_S * DOWNSAMPLED_HZ),
        min(round(LONGEST_S * DOWNSAMPLED_HZ), int(0.7 * length)),
    )
    if not len(lags):
        return np.column_stack([np.zeros(len(size)), np.log(size + 1e-3), np.zeros(len(size))])
    after_valley = np.minimum.accumulate(curve, axis=1)[:, lags] < VALLEY
    heights = np.where(after_valley, curve[:, lags], 0.0)
    best = heights.argmax(axis=1)
    height = heights[np.arange(len(best)), best]
    return np.column_stack([height, np.log(size + 1e-3), np.log(lags[best] / DOWNSAMPLED_HZ)])
