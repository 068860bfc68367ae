"""Exercise models with random weights."""

from dataclasses import replace

import numpy as np

from models.exercise.model import ExerciseModel, LowRateDiscriminant
from models.exercise.names import feature_names, low_rate_count
from models.exercise.probability import Calibration

CALIBRATION = Calibration(window=0.4, whole=3.0, doubt=0.05, hesitation=2.0)


def model_of(size: int, labels: int = 5, prototypes: int = 9) -> ExerciseModel:
    rng = np.random.default_rng(size)
    return ExerciseModel(
        model_id="wrist-acc3",
        level="user",
        labels=tuple(f"exercise {k}" for k in range(labels)),
        mean=rng.normal(0, 3, size).astype(np.float32),
        scale=rng.uniform(0.1, 2, size).astype(np.float32),
        weights=rng.normal(0, 0.3, (labels, size)).astype(np.float16),
        bias=rng.normal(0, 1, labels).astype(np.float32),
        prototypes=rng.integers(-60, 60, (prototypes, size)).astype(np.int8),
        precision=rng.uniform(0.2, 4, size).astype(np.float16),
        typical=2.0,
        calibration=CALIBRATION,
    )


def storable_model_of(labels: int) -> ExerciseModel:
    """A model of a layout's features, with weights for low rates, which call everything alike."""
    weights = np.zeros((labels, low_rate_count(False)), np.int8)
    low_rate = LowRateDiscriminant(weights, 1.0, np.zeros(labels, np.float32), 0.0)
    return replace(model_of(len(feature_names(False)), labels=labels), low_rate=low_rate)
