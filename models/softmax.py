"""Softmax and log losses of scores."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats, Floats64


def softmax(scores: Floats) -> Floats64:
    """Probabilities along the last axis.

    >>> softmax(np.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    weights = scores.astype(np.float64)
    weights -= np.maximum.reduce(scores, axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= np.add.reduce(weights, axis=-1, keepdims=True)
    return weights


def log_losses(scores: Floats64, truth: NDArray[np.integer]) -> Floats64:
    """-log probability of the truth, (m,), without a probability that could be 0.

    Args:
        scores: (m, k), before softmax.
        truth: (m,), a column each.

    >>> log_losses(np.array([[0.0, 0.0], [0.0, 800.0]]), np.array([1, 0])).round(3).tolist()
    [0.693, 800.0]
    """
    top = scores.max(axis=1, keepdims=True)
    total_log = (top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True)))[:, 0]
    return total_log - scores[np.arange(len(truth)), truth]
