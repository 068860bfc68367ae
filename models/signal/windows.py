"""Where the windows of a signal begin."""

import numpy as np

from models.arrays import Flags, Ints64

RATE_HZ = 50.0
WINDOW_S = 4.0
STEP_S = 1.0
WINDOW = int(WINDOW_S * RATE_HZ)
MAX_FILLED = 0.25
"""Share of a window that may be filled in where samples were lost; with more it is left out."""


def window_starts(n: int, step_s: float = STEP_S, filled: Flags | None = None) -> Ints64:
    """Indices of the first samples of the windows that fit into n samples at 50 Hz.

    Args:
        n: samples of the signal; below 200 there is no window.
        step_s: seconds from one window to the next.
        filled: (n,), samples that were lost; windows with more than a quarter of them are left out.

    >>> window_starts(300).tolist()
    [0, 50, 100]
    >>> window_starts(199).tolist()
    []
    """
    starts = np.arange(0, n - WINDOW + 1, max(1, round(step_s * RATE_HZ)), dtype=np.int64)
    if filled is None:
        return starts
    so_far = np.concatenate([[0], np.cumsum(filled)])
    return starts[so_far[starts + WINDOW] - so_far[starts] <= MAX_FILLED * WINDOW]
