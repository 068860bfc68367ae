"""The channels of a window: both sensors in the left wrist's frame, and what gravity makes of them.

Everything is computed inside the window, so that a window is the same wherever it was cut out.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64

SMOOTH = 25  # half a second, twice: what is slower is gravity
TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Channels:
    """Windows as channels.

    Attributes:
        every: (m, c, 200), acceleration in g, rotation in rad/s if there is any, then scalars: |a|,
            linear along and across gravity; with rotation also |ω|, along and across gravity.
        axes: how many of them are sensor axes, 6 or 3.
        down: (m, 3, 200), unit vector of gravity.
        linear: (m, 3, 200), acceleration without gravity, g.
    """

    every: Floats64
    axes: int
    down: Floats64
    linear: Floats64


def channels(acc: Floats64, gyro: Floats64 | None) -> Channels:
    """Channels of windows that are already in the left wrist's frame.

    Args:
        acc: (m, 3, 200), g.
        gyro: (m, 3, 200), rad/s, or None.
    """
    gravity = smooth(smooth(acc))
    linear = acc - gravity
    down = gravity / (_norm(gravity) + TINY)
    sensors, scalars = [acc], [_norm(acc), *_along_across(linear, down)]
    if gyro is not None:
        sensors.append(gyro)
        scalars += [_norm(gyro), *_along_across(gyro, down)]
    return Channels(np.concatenate([*sensors, *scalars], axis=1), 3 * len(sensors), down, linear)


def smooth(x: Floats64) -> Floats64:
    """Moving average of 25 samples along the last axis of (m, c, 200); edges are held."""
    padded = np.pad(x, [(0, 0), (0, 0), (SMOOTH // 2, SMOOTH // 2)], mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, SMOOTH, axis=-1).mean(axis=-1)


def _along_across(x: Floats64, down: Floats64) -> tuple[Floats64, Floats64]:
    """Lengths of (m, 3, 200) along gravity and across it, each (m, 1, 200)."""
    along = (x * down).sum(axis=1, keepdims=True)
    return along, _norm(x - along * down)


def _norm(x: Floats64) -> Floats64:
    """Lengths of (m, 3, 200), (m, 1, 200)."""
    return np.sqrt((x**2).sum(axis=1, keepdims=True))
