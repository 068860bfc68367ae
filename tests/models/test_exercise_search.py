"""Candidate settings of the global model, evaluated on a sample."""

import numpy as np

from models.exercise.fit import FitSettings
from models.exercise.search import Candidate, try_candidate
from tests.models.test_exercise_scores import model_of


def test_candidate_is_evaluated_without_samples_of_one_exercise():
    like = model_of(16, labels=3)
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2  # two of three labels
    x = (rng.normal(0, 0.1, (60, 16)) + 4 * y[:, None]).astype(np.float32)
    right, content = try_candidate(Candidate("one", FitSettings()), (x, y), (x, y), like)
    assert right == 1.0
    assert content
