"""Abstention for unknown movement: far from all exercises, or between several of them."""

from dataclasses import replace

import numpy as np
import pytest

from models.exercise.calibrate import HeldOutScores, calibrate, score_held_out, set_novelty
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import USER_CALIBRATION, fit_user
from models.exercise.model import ExerciseModel
from models.exercise.probability import Calibration
from models.exercise.reference.predictions import hesitation
from models.exercise.statistics import statistics_of, total
from models.exercise.user_calibration import calibrate_for_user

TIMES = np.arange(40, dtype=np.int64)
DEAF = Calibration(abstain_above=1.3)  # uses strangeness alone
OPEN = replace(DEAF, hesitation=4.0)


def windows(at: tuple[float, float], seed: int) -> np.ndarray:
    """Forty windows of two features around a place."""
    rng = np.random.default_rng(seed)
    return rng.normal(at, 0.5, (40, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> ExerciseModel:
    """Two exercises, at -1 and at 1 of the first feature; the second feature is noise."""
    parts = [
        statistics_of(windows((-1, 0), 0), "curl", "left", 1.0),
        statistics_of(windows((1, 0), 1), "row", "left", 1.0),
    ]
    return fit_user(total(parts), model_id="wrist-acc3", calibration=OPEN)


def test_probability_of_known_movement_is_logistic_in_the_novelty():
    """Its odds are 1 at the centre, and 3 or 1/3 log(3) / slope below or above it."""
    calibration = Calibration(known_centre=0.8, known_slope=2.0)
    off = np.log(3) / 2.0
    novelty = np.array([0.8 - off, 0.8, 0.8 + off, -1e6, 1e6])
    assert calibration.known_of_each(novelty) == pytest.approx([0.75, 0.5, 0.25, 1.0, 0.0])


def test_movement_between_two_exercises_causes_abstention(model):
    """Its strangeness is low: only the hesitation shows it."""
    between = windows((0, 0.4), 2)
    assert 0 < model.strangeness(between).mean() < 1.3
    heard = model.predict_windows(TIMES, between)
    assert (heard.exercise, heard.reason) == (None, "unknown-movement")
    deaf = replace(model, calibration=DEAF).predict_windows(TIMES, between)
    assert deaf.exercise == heard.guess
    assert heard.known < deaf.known


def test_stranger_set_away_from_other_exercises_keeps_its_name(model):
    """It is stranger than a set between the exercises, but without hesitation."""
    between = model.predict_windows(TIMES, windows((0, 0.4), 2))
    other_day = model.predict_windows(TIMES, windows((2, 0.4), 3))
    assert other_day.strangeness > between.strangeness
    assert other_day.exercise == "row"


def test_novelty_is_strangeness_plus_weighted_hesitation(model):
    """Two windows at 1 : 1 and at 3 : 1 hesitate by log 2 and by log 4/3."""
    each = np.array([[0.5, 0.5], [0.25, 0.75]])
    hesitates = hesitation(each)
    assert model.novelty(0.2, hesitates) == pytest.approx(0.2 + 4 * np.log([2, 4 / 3]).mean())
    assert replace(model, calibration=DEAF).novelty(0.2, hesitates) == 0.2


def test_novelty_of_held_out_sets_equals_that_of_the_model(model):
    sets = [
        LabelledWindows("row", TIMES, windows((x, 0), k)) for k, x in enumerate((1.0, 0.1, 0.5))
    ]
    scores = score_held_out(model, sets)
    assert scores is not None
    one_by_one = [
        model.novelty(float(model.strangeness(s.x).mean()), hesitation(model.probabilities(s.x)))
        for s in sets
    ]
    assert set_novelty(scores, model.calibration) == pytest.approx(one_by_one, abs=1e-5)


def hesitant(n: int, seed: int) -> HeldOutScores:
    """Sets of four windows with zero strangeness and odds between 3 : 1 and 9 : 1."""
    rng = np.random.default_rng(seed)
    odds = rng.uniform(3, 9, n)
    truth = (rng.uniform(size=n) > odds / (1 + odds)).astype(np.int64)  # calibrated
    scores = np.stack([np.log(odds), np.zeros(n)], axis=1).repeat(4, axis=0)
    return HeldOutScores(scores, truth.repeat(4), np.arange(n).repeat(4), np.zeros(4 * n))


def test_hesitation_alone_does_not_cause_abstention():
    """The shared and the user's threshold both apply to the sum of strangeness and hesitation."""
    calibration = replace(OPEN, window=1.0)
    scores = hesitant(400, 0)
    novelty = set_novelty(scores, calibration)
    mine = calibrate_for_user(calibration, scores).abstain_above
    assert mine == pytest.approx((400 * (novelty.mean() + 1.65 * novelty.std()) + 13) / 410, 0.001)
    assert 0 < (novelty > mine).mean() < 0.15
    shared = calibrate([scores], initial=calibration)
    refused = set_novelty(scores, shared) > shared.abstain_above
    assert refused.mean() <= 0.01


def test_shipped_calibration_has_a_hesitation_weight():
    assert USER_CALIBRATION.hesitation > 0
    assert calibrate([], initial=USER_CALIBRATION) == USER_CALIBRATION
