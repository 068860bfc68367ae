"""Candidate settings of the global model, evaluated on a sample."""

from dataclasses import replace

import numpy as np
import pytest

from models.exercise.codec import from_bytes
from models.exercise.fit import FitSettings
from models.exercise.names import feature_names
from models.exercise.perceptron import PerceptronSettings
from models.exercise.search import Candidate, try_candidate
from tests.models.made_exercise_model import storable_model_of

FEATURES = len(feature_names(False))


def test_candidate_is_evaluated_without_samples_of_one_exercise():
    like = storable_model_of(3)
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2  # two of three labels
    x = (rng.normal(0, 0.1, (60, FEATURES)) + 4 * y[:, None]).astype(np.float32)
    right, content = try_candidate(Candidate("one", FitSettings()), (x, y), (x, y), like)
    assert right == 1.0
    assert content


@pytest.mark.parametrize("settings", [FitSettings(), PerceptronSettings()])
def test_judged_candidate_is_the_stored_one(settings: FitSettings | PerceptronSettings) -> None:
    """Near 1000 float16 knows whole and half numbers only: here, half a deviation is .005."""
    flat = storable_model_of(2)
    like = replace(flat, mean=np.full_like(flat.mean, 1000), scale=np.full_like(flat.scale, 1e-2))
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    x = (rng.normal(0, 0.1, (200, FEATURES)) + y[:, None]).astype(np.float32)
    right, content = try_candidate(Candidate("one", settings), (x, y), (x, y), like)
    stored = from_bytes(content)
    names = [stored.labels.index(label) for label in like.labels]
    named = stored.scores(like.mean + like.scale * x)[:, names].argmax(axis=1)
    assert right == (named == y).mean()
