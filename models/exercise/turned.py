"""Windows and slightly turned copies of them: what a turn leaves alone is computed once.

A turn changes the sensors' axes and where gravity points in them. It changes no length: the six
scalar channels of a copy are those of its window, and so are their statistics, half of all. Gravity
and principal axes turn along with the sensors, so they are not looked for again.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.exercise.channels import Channels, channels
from models.exercise.features import BLOCK, describe, feature_names

Array = NDArray[np.floating]  # float32 throughout; numpy's stubs lose the width


def features_with_copies(acc: Array, gyro: Array | None, turns: Array) -> tuple[Array, Array]:
    """Features of windows, and of copies of them as they would be with the strap turned.

    Args:
        acc: float32 (m, 3, 200), g, in the left wrist's frame.
        gyro: float32 (m, 3, 200), rad/s, or None.
        turns: float32 (k, m, 3, 3), k rotations of every window.

    Returns:
        float32 (m, d), the bytes that `features` gives, and (k, m, d), those of `features` of
        `turns @ acc` and `turns @ gyro` but for rounding.
    """
    d = len(feature_names(gyro is not None))
    x = np.empty((len(acc), d), dtype=np.float32)
    copies = np.empty((len(turns), len(acc), d), dtype=np.float32)
    for first in range(0, len(acc), BLOCK):
        rows = slice(first, first + BLOCK)
        c = channels(acc[rows], None if gyro is None else gyro[rows])
        kin = describe(c, x[rows])
        for turn, copy in zip(turns[:, rows], copies[:, rows], strict=True):
            describe(turned(c, turn), copy, replace(kin, principal=kin.principal.turned(turn)))
    return x, copies


def turned(c: Channels, turn: Array) -> Channels:
    """The channels of windows after rotations (m, 3, 3) of the sensors' axes."""
    every = np.empty_like(c.every)
    for first in range(0, c.axes, 3):
        np.matmul(turn, c.every[:, first : first + 3], out=every[:, first : first + 3])
    every[:, c.axes :] = c.every[:, c.axes :]
    return replace(c, every=every, down=turn @ c.down, linear=turn @ c.linear)
