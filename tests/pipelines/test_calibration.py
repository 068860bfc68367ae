"""How far models are trusted, learned on users: what travels, and what becomes of it."""

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
    """Twelve sets of ten windows whose probabilities come true at this temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (120, 3))
    truth = np.array([rng.choice(3, p=p) for p in softmax(logits)])
    return HeldOutScores(logits / temperature, truth, np.arange(120) // 10, rng.normal(0, 0.2, 120))


@pytest.fixture(scope="module")
def blobs() -> list[bytes]:
    """Own models that are too sure of themselves, and a global model that was asked of few."""
    return [
        held_out_to_bytes(user(k, 0.5) if k < 3 else None, user(k, 0.05)) for k in range(MIN_USERS)
    ]


def test_users_teach_how_far_their_models_are_trusted(blobs) -> None:
    found = learn_calibrations(blobs, Calibrations())
    assert found.own.window == pytest.approx(0.05, rel=0.15)
    assert found.everybody == Calibrations().everybody
    assert found.learned_on == f"{MIN_USERS} users"
    assert learn_calibrations(blobs, found) == found  # the same users again say nothing new


def test_too_few_users_leave_what_ships(blobs) -> None:
    assert learn_calibrations(blobs[:-1], Calibrations()) == Calibrations()
    assert learn_calibrations([], Calibrations()).learned_on == SHIPPED


def test_calibrations_survive_the_manifest() -> None:
    own = replace(Calibrations().own, window=0.7)
    found = Calibrations(own=own, learned_on="31 users")
    assert calibrations_from_manifest(found.as_manifest()) == found
    assert calibrations_from_manifest(None) == Calibrations()
    older = Calibrations().as_manifest()
    del older["own"]["hesitation"]
    assert calibrations_from_manifest(older) == Calibrations()


def test_no_model_says_nothing() -> None:
    assert scores_of_sets(None, []) is None
