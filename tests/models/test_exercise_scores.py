"""Compiled scores against the numpy reference."""

import copy
import hashlib
from dataclasses import replace

import numpy as np
import pytest

from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration
from models.exercise.reference.predictions import score_set
from models.exercise.scores import MAX_ROW, Scorer
from tests.models.made_exercise_model import model_of


def windows_for(model: ExerciseModel, m: int) -> np.ndarray:
    """Windows with some features beyond the clipping range."""
    z = np.random.default_rng(m).standard_t(2, (m, len(model.mean)))
    return (model.mean + model.scale * z).astype(np.float32)


@pytest.mark.parametrize("size", [1, 16, 214, 515])
@pytest.mark.parametrize("m", [1, 2, 17])
def test_compiled_scores_equal_the_numpy_reference(size, m):
    model = model_of(size)
    x = windows_for(model, m)
    found, want = model.score_set(x, []), score_set(model, x)
    for name in ("window_probabilities", "strangeness", "set_probabilities", "hesitation"):
        assert getattr(found, name) == pytest.approx(getattr(want, name), rel=2e-4, abs=1e-6), name
    z = model.standardised(x)
    scores = z @ model.weights.T.astype(np.float32) + model.bias
    assert model.scores(x) == pytest.approx(scores, rel=1e-4, abs=1e-4)


def test_window_at_a_prototype_gets_its_label():
    """The window lies on the first of two unit vectors and scores 1 against 0."""
    ones, rows = np.ones(2, np.float32), np.eye(2, dtype=np.float32)
    scorer = Scorer(0 * ones, ones, rows, 0 * ones, rows, ones, 0.0, Calibration(window=1, whole=1))
    seen = scorer.score_set(rows[:1])
    surest = np.e / (np.e + 1)
    assert seen.window_probabilities[0] == pytest.approx([surest, 1 - surest])
    assert seen.set_probabilities == pytest.approx(seen.window_probabilities[0], abs=1e-5)
    assert seen.strangeness[0] == pytest.approx(np.log(1e-6))
    assert seen.hesitation == pytest.approx(-np.log(surest))


def test_scores_of_a_window_are_the_same_alone_and_in_a_batch():
    model = model_of(515)
    x = windows_for(model, 9)
    seen = model.score_set(x, [])
    for k in range(len(x)):
        alone = model.score_set(x[k : k + 1], [])
        assert (
            alone.window_probabilities.tobytes() == seen.window_probabilities[k : k + 1].tobytes()
        )
        assert alone.strangeness.tobytes() == seen.strangeness[k : k + 1].tobytes()


def test_nan_feature_gives_nan_scores_of_its_window_only():
    model = model_of(16)
    x = windows_for(model, 3)
    x[1, 5] = np.nan
    seen = model.score_set(x, [])
    assert np.isnan(seen.window_probabilities[1]).all()
    assert np.isnan(seen.strangeness[1])
    assert np.isfinite(seen.window_probabilities[[0, 2]]).all()


def test_compiled_scores_have_the_expected_hash():
    """The inputs are multiples of 1/8, so that only the compiled code rounds."""
    set_probabilities = np.random.default_rng(1).integers(1, 64, (9, 515)).astype(np.float32) / 8
    model = replace(
        model_of(515),
        mean=set_probabilities[0],
        scale=set_probabilities[1],
        weights=(set_probabilities[2:7] - 4).astype(np.float16),
        bias=set_probabilities[7, :5],
    )
    scores = model.scores(np.stack([set_probabilities[8], -set_probabilities[8]]))
    assert hashlib.sha256(scores.tobytes()).hexdigest() == SAME_SCORES


SAME_SCORES = "782f32d349e3015a60e264f20d8550c3e751ba821c041630fdb18fa928128693"


def test_copied_model_gives_the_same_scores():
    model = model_of(16)
    x = windows_for(model, 3)
    there = copy.deepcopy(model)
    assert there._scorer is not model._scorer
    assert (
        there.score_set(x, []).window_probabilities.tobytes()
        == model.score_set(x, []).window_probabilities.tobytes()
    )


def test_empty_input_gives_empty_scores():
    model = model_of(16)
    assert model.scores(np.empty((0, 16), np.float32)).shape == (0, 5)
    assert model.strangeness(np.empty((0, 16), np.float32)).shape == (0,)


@pytest.mark.parametrize("shape", [(3, 15), (3, 17), (16,), (1, 1, 16)])
def test_windows_of_a_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match="windows are"):
        model_of(16).scores(np.zeros(shape, np.float32))


@pytest.mark.parametrize(
    "other",
    [
        {"scale": np.ones(15, np.float32)},
        {"bias": np.ones(4, np.float32)},
        {"weights": np.ones((5, 40), np.float16)},
        {"prototypes": np.empty((0, 16), np.int8)},
        {"precision": np.ones(40, np.float16)},
        {"mean": np.ones(MAX_ROW + 1, np.float32)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_model_with_inconsistent_arrays_is_refused(other):
    with pytest.raises(ValueError, match=r"is expected|prototypes|broadcast"):
        replace(model_of(16), **other)
