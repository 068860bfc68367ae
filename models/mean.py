"""The mean that figures are made of."""

import math
from collections.abc import Iterable

import numpy as np


def mean(values: Iterable[float]) -> float:
    """The mean of numbers or booleans; NaN of none: nothing could be asked.

    >>> mean([True, False]), mean([])
    (0.5, nan)
    """
    several = list(values)
    return float(np.mean(several)) if several else math.nan
