"""Calibration of exercise models, learned from users' held-out scores."""

from dataclasses import replace

import numpy as np
import pytest

from models.exercise.calibrate import HeldOutScores
from models.exercise.user_calibration import MIN_USERS
from models.softmax import softmax
from pipelines.exercise.calibration import (
    SHIPPED,
    Calibrations,
    calibrations_from_manifest,
    held_out_to_bytes,
    learn_calibrations,
    scores_of_sets,
)


def user(seed: int, temperature: float) -> HeldOutScores:
    """Twelve sets of ten windows that are calibrated at this temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (120, 3))
    truth = np.array([rng.choice(3, p=p) for p in softmax(logits)])
    return HeldOutScores(logits / temperature, truth, np.arange(120) // 10, rng.normal(0, 0.2, 120))


@pytest.fixture(scope="module")
def blobs() -> list[bytes]:
    """Overconfident own models of all users, and a global model evaluated on three of them."""
    return [
        held_out_to_bytes(user(k, 0.5) if k < 3 else None, user(k, 0.05)) for k in range(MIN_USERS)
    ]


def test_calibration_is_learned_from_users_held_out_scores(blobs) -> None:
    found = learn_calibrations(blobs, Calibrations())
    assert found.own.window == pytest.approx(0.05, rel=0.15)
    assert found.everybody == Calibrations().everybody
    assert found.learned_on == f"{MIN_USERS} users"
    assert learn_calibrations(blobs, found) == found  # the same users change nothing


def test_too_few_users_leave_the_shipped_calibration(blobs) -> None:
    assert learn_calibrations(blobs[:-1], Calibrations()) == Calibrations()
    assert learn_calibrations([], Calibrations()).learned_on == SHIPPED


def test_calibrations_round_trip_through_the_manifest() -> None:
    own = replace(Calibrations().own, window=0.7)
    found = Calibrations(own=own, learned_on="31 users")
    assert calibrations_from_manifest(found.as_manifest()) == found
    assert calibrations_from_manifest(None) == Calibrations()


def test_scores_of_sets_without_a_model_are_none() -> None:
    assert scores_of_sets(None, []) is None
