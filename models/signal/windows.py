"""Where the windows of a signal begin."""

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 50.0
WINDOW_S = 4.0
STEP_S = 1.0
WINDOW = int(WINDOW_S * RATE_HZ)


def window_starts(n: int, step_s: float = STEP_S) -> NDArray[np.int64]:
    """Indices of the first samples of the windows that fit into n samples at 50 Hz.

    Args:
        n: samples of the signal; below 200 there is no window.
        step_s: seconds from one window to the next.

    >>> window_starts(300).tolist()
    [0, 50, 100]
    >>> window_starts(199).tolist()
    []
    """
    return np.arange(0, n - WINDOW + 1, max(1, round(step_s * RATE_HZ)), dtype=np.int64)
