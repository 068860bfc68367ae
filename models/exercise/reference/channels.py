"""The channels of a window: both sensors in the left wrist's frame, and what gravity makes of them.

Everything is computed inside the window, so that a window is the same wherever it was cut out.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from models.signal.windows import WINDOW

Array = NDArray[np.floating]  # float32 throughout; numpy's stubs lose the width
SMOOTH = 25  # half a second, twice: what is slower is gravity
TINY = np.float32(1e-6)


@dataclass(frozen=True, slots=True)
class Channels:
    """Windows as channels, all float32.

    Attributes:
        every: (m, c, 200), acceleration in g, rotation in rad/s if there is any, then scalars: |a|,
            linear along and across gravity; with rotation also |ω|, along and across gravity.
        axes: how many of them are sensor axes, 6 or 3.
        down: (m, 3, 200), unit vector of gravity.
        linear: (m, 3, 200), acceleration without gravity, g.
    """

    every: Array
    axes: int
    down: Array
    linear: Array


def channels(acc: Array, gyro: Array | None) -> Channels:
    """Channels of windows that are already in the left wrist's frame.

    Args:
        acc: (m, 3, 200), g.
        gyro: (m, 3, 200), rad/s, or None.
    """
    axes = 3 if gyro is None else 6
    every = np.empty((len(acc), 2 * axes, WINDOW), dtype=np.float32)
    every[:, :3] = acc
    gravity = acc @ _twice_smooth()
    linear = acc - gravity
    gravity /= (_norm(gravity) + TINY)[:, None]
    every[:, axes] = _norm(acc)
    _along_across(linear, gravity, every[:, axes + 1 : axes + 3])
    if gyro is not None:
        every[:, 3:6] = gyro
        every[:, 9] = _norm(gyro)
        _along_across(gyro, gravity, every[:, 10:12])
    return Channels(every, axes, gravity, linear)


def smooth(x: Array) -> Array:
    """Moving average of 25 samples along the last axis; edges are held."""
    half = SMOOTH // 2
    padded = np.empty((*x.shape[:-1], WINDOW + SMOOTH), dtype=np.float64)
    padded[..., 0] = 0
    padded[..., 1 : half + 1] = x[..., :1]
    padded[..., half + 1 : half + 1 + WINDOW] = x
    padded[..., half + 1 + WINDOW :] = x[..., -1:]
    total = np.cumsum(padded, axis=-1)
    return ((total[..., SMOOTH:] - total[..., :-SMOOTH]) / SMOOTH).astype(np.float32)


@lru_cache(maxsize=1)
def _twice_smooth() -> Array:
    """`smooth(smooth(x))` as a matrix (200, 200): one product is twice as fast as two sums."""
    return np.ascontiguousarray(smooth(smooth(np.eye(WINDOW, dtype=np.float32))))


def _along_across(x: Array, down: Array, out: Array) -> None:
    """Lengths along gravity and across it, into (m, 2, 200)."""
    along = x * down
    out[:, 0] = along[:, 0] + along[:, 1] + along[:, 2]
    np.multiply(down, out[:, :1], out=along)
    out[:, 1] = _norm(np.subtract(x, along, out=along))


def _norm(x: Array) -> Array:
    squares = x * x
    length = squares[:, 0] + squares[:, 1]
    length += squares[:, 2]
    return np.sqrt(length, out=length)
