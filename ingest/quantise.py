"""Measured values as 16-bit counts: in JSON chunks, acquisitions and CSV files."""

import numpy as np
from numpy.typing import NDArray

MIN_STEP = 1e-6
"""The smallest step, in the unit of the values: zeros need one too."""


def quantised(values: NDArray[np.float64]) -> tuple[float, NDArray[np.int16]]:
    """The step of values, and how many steps each is.

    The step is the largest magnitude over 32,767, so the same values always give the same counts.

    >>> step, counts = quantised(np.array([[0.0, -2.0, 0.5]]))
    >>> step == 2 / 32767, counts.tolist()
    (True, [[0, -32767, 8192]])
    >>> quantised(np.zeros((1, 3)))
    (1e-06, array([[0, 0, 0]], dtype=int16))

    Args:
        values: finite, of any shape but not empty.

    Returns:
        The step in the unit of the values, and counts of their shape.
    """
    step = max(float(np.abs(values).max()) / 32767, MIN_STEP)
    return step, np.rint(values / step).astype(np.int16)
