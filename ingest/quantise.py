"""Measured values as 16-bit counts: in JSON chunks, acquisitions and imports."""

import numpy as np
from numpy.typing import NDArray

MIN_STEP = 1e-6
"""The smallest step, in the unit of the values: zeros need one too."""
_INT16 = np.iinfo(np.int16)


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


def held_in_16_bits(
    counts: NDArray[np.float64] | NDArray[np.int64],
) -> tuple[float, NDArray[np.int16]]:
    """Counts of a sensor as they are, or in larger steps where 16 bits do not hold the largest.

    >>> held_in_16_bits(np.array([[1, -32768, 3]]))
    (1.0, array([[     1, -32768,      3]], dtype=int16))
    >>> step, counts = held_in_16_bits(np.array([[0, 40_000, -20_000]]))
    >>> step == 40_000 / 32767, counts.tolist()
    (True, [[0, 32767, -16384]])

    Args:
        counts: whole numbers, of any shape but not empty.

    Returns:
        How many counts a step is, and steps of the counts' shape.
    """
    if _INT16.min <= counts.min() and counts.max() <= _INT16.max:
        return 1.0, counts.astype(np.int16)
    return quantised(counts.astype(np.float64))
