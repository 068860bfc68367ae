"""From scores to probabilities of a window, and from those to what a whole set says."""

import numpy as np
from numpy.typing import NDArray

LEAST = 1e-6  # no window says never


def whole_set(each: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Probabilities of a set from those of its windows: mean logs times a factor.

    Logs are taken after calibration, so that one odd window cannot outvote the others.

    Args:
        each: (m, k), m ≥ 1.
        factor: how many windows' worth of independent evidence a set is.

    >>> whole_set(np.array([[0.8, 0.2], [0.8, 0.2]]), 1.0).round(3).tolist()
    [0.8, 0.2]
    """
    return softmax(mean_log(each)[None] * factor)[0]


def mean_log(each: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean log probability of every exercise, (k,)."""
    return np.add.reduce(np.log(each + LEAST), axis=0) / len(each)


def hesitation(each: NDArray[np.float64]) -> float:
    """Mean -log probability of each window's likeliest exercise: 0 where all are sure.

    Args:
        each: (m, k), m ≥ 1.

    >>> round(hesitation(np.array([[0.5, 0.5], [0.25, 0.75]])), 3)
    0.49
    """
    return -float(np.add.reduce(np.log(each.max(axis=1)))) / len(each)


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities along the last axis.

    >>> softmax(np.zeros((1, 4))).tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    weights = scores.astype(np.float64)
    weights -= np.maximum.reduce(scores, axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    weights /= np.add.reduce(weights, axis=-1, keepdims=True)
    return weights
