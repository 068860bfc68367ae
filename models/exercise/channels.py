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
MIRROR_ACC = np.array([-1, 1, 1], dtype=np.float32)
MIRROR_GYRO = np.array([1, -1, -1], dtype=np.float32)
TINY = np.float32(1e-6)


@dataclass(frozen=True, slots=True)
class Channels:
    """Windows as channels, all float32.

    Attributes:
        acc: (m, 3, 200), g.
        gyro: (m, 3, 200), rad/s, or None.
        down: (m, 3, 200), unit vector of gravity.
        linear: (m, 3, 200), acceleration without gravity, g.
        scalar: (m, c, 200): |a|, linear along and across gravity; with rotation also |ω|, along
            and across gravity.
    """

    acc: Array
    gyro: Array | None
    down: Array
    linear: Array
    scalar: Array


def channels(acc: Array, gyro: Array | None) -> Channels:
    """Channels of windows that are already in the left wrist's frame.

    Args:
        acc: (m, 3, 200), g.
        gyro: (m, 3, 200), rad/s, or None.
    """
    gravity = acc @ _twice_smooth()
    down = gravity / (_norm(gravity)[:, None] + TINY)
    linear = acc - gravity
    scalars = [_norm(acc), *_along_across(linear, down)]
    if gyro is not None:
        scalars += [_norm(gyro), *_along_across(gyro, down)]
    return Channels(acc, gyro, down, linear, np.stack(scalars, axis=1))


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


def mirrored(x: Array, signs: Array, side: str | None) -> Array:
    """A right wrist as the left one that would move alike; (n, 3)."""
    return x * signs if side == "right" else x


def _along_across(x: Array, down: Array) -> tuple[Array, Array]:
    along = x[:, 0] * down[:, 0] + x[:, 1] * down[:, 1] + x[:, 2] * down[:, 2]
    return along, _norm(x - along[:, None] * down)


def _norm(x: Array) -> Array:
    return np.sqrt(x[:, 0] * x[:, 0] + x[:, 1] * x[:, 1] + x[:, 2] * x[:, 2])
