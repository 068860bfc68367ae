"""What a model makes of the windows of one set: probabilities, strangeness, and both as a whole."""

import numpy as np

from models.arrays import Floats32, Floats64
from models.exercise.model import CLIP, PROTOTYPE_STEP, ExerciseModel
from models.exercise.scores import DISTANCE_FLOOR, SetScores
from models.softmax import softmax


def score_set(model: ExerciseModel, x: Floats32) -> SetScores:
    """As `Scorer.score_set`, m ≥ 1.

    Args:
        model: whose answer it is.
        x: float32 (m, d), features.
    """
    z = np.clip((x - model.mean) / model.scale, -CLIP, CLIP)
    scores = z @ model.weights.T.astype(np.float32) + model.bias
    window_probabilities = softmax(scores * model.calibration.window)
    off = z[:, None] - model.prototypes * np.float32(PROTOTYPE_STEP)
    nearest = (off**2 * model.precision.astype(np.float32)).sum(axis=-1).min(axis=-1)
    strangeness = np.log(nearest.astype(np.float64) + DISTANCE_FLOOR) - model.typical
    return SetScores(
        window_probabilities,
        strangeness,
        model.of_set(window_probabilities),
        hesitation(window_probabilities),
    )


def hesitation(window_probabilities: Floats64) -> float:
    """Mean -log probability of each window's most likely exercise: 0 where all are certain.

    Args:
        window_probabilities: (m, k), m ≥ 1.

    >>> round(hesitation(np.array([[0.5, 0.5], [0.25, 0.75]])), 3)
    0.49
    """
    return -float(np.add.reduce(np.log(window_probabilities.max(axis=1)))) / len(
        window_probabilities
    )
