"""Calibration from users: only from enough of them, and only where it helps those left out."""

from dataclasses import replace

import numpy as np
import pytest

from models.exercise.calibrate import HeldOut
from models.exercise.model import Calibration, softmax
from models.exercise.own_calibration import LEAST_USERS, calibrate_on_users, thinned

SHIPPED = Calibration(window=0.1, abstain_above=1.5)


def user(seed: int, temperature: float, sets: int = 30) -> HeldOut:
    """Ten windows a set whose probabilities come true exactly at this temperature."""
    rng = np.random.default_rng(seed)
    n = 10 * sets
    logits = rng.normal(0, 2, (n, 3))
    truth = np.array([rng.choice(3, p=p) for p in softmax(logits)])
    return HeldOut(logits / temperature, truth, np.arange(n) // 10, rng.normal(0, 0.2, n))


def test_users_correct_what_was_shipped() -> None:
    found = calibrate_on_users([user(k, 0.5, sets=12) for k in range(LEAST_USERS)], SHIPPED)
    assert found is not None
    assert found.window == pytest.approx(0.5, rel=0.1)
    assert found.abstain_above < 1.0  # 240 sets around 0 say where the known ends
    assert (found.known_slope, found.known_centre) == (SHIPPED.known_slope, SHIPPED.known_centre)


def test_few_users_change_nothing() -> None:
    assert (
        calibrate_on_users([user(k, 0.5, sets=12) for k in range(LEAST_USERS - 1)], SHIPPED) is None
    )


def test_users_who_contradict_each_other_change_nothing() -> None:
    """Each fold's users are least sure where the others are surest: what ships lies between."""
    between = replace(SHIPPED, window=0.3)
    several = [user(k, 2.0 if k == 0 else 0.3, sets=600 if k == 0 else 2) for k in range(20)]
    assert calibrate_on_users(several, between) is None


def test_few_sets_do_not_move_the_border_of_the_known() -> None:
    found = calibrate_on_users([user(k, 0.5, sets=8) for k in range(LEAST_USERS)], SHIPPED)
    assert found is not None
    assert found.abstain_above == SHIPPED.abstain_above


def test_a_busy_user_is_thinned_and_sets_stay_apart() -> None:
    busy = user(0, 0.5, sets=100)
    few = thinned(busy, 250)
    assert len(few.truth) == len(few.scores) == len(few.strangeness) == 250
    assert few.set_of.tolist() == sorted(few.set_of.tolist())
    assert set(few.set_of) == set(range(100))
    assert thinned(busy, 5000) is busy
    gaps = thinned(user(1, 0.5, sets=100), 10)
    assert set(gaps.set_of) == set(range(10))
