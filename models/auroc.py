"""Area under the receiver operating characteristic: how well a score separates two classes."""

import math

import numpy as np
from scipy.stats import rankdata

from models.arrays import Floats


def auroc(low: Floats, high: Floats) -> float:
    """Chance that one of `high` (n,) is above one of `low` (m,), ties counting half; NaN of none.

    >>> auroc(np.array([0.0, 1.0]), np.array([1.0, 2.0])), auroc(np.array([0.0]), np.array([]))
    (0.875, nan)
    """
    pairs = len(low) * len(high)
    if not pairs:
        return math.nan
    ranks = rankdata(np.concatenate([low, high]))[len(low) :]
    above = ranks.sum() - len(high) * (len(high) + 1) / 2
    return float(above / pairs)
