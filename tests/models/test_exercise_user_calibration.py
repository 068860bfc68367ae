"""Calibration on users: only with enough users, and only if it helps the users left out."""

from dataclasses import fields, replace

import numpy as np
import pytest

from models.exercise.calibrate import HeldOutScores, calibrate
from models.exercise.codec import from_bytes, to_bytes
from models.exercise.fit import fit_user
from models.exercise.probability import Calibration
from models.exercise.statistics import statistics_of, total
from models.exercise.user_calibration import (
    MAX_THRESHOLD,
    MIN_USERS,
    PRIOR_DOUBT,
    PRIOR_THRESHOLD_SETS,
    calibrate_for_user,
    calibrate_on_users,
    subsampled,
)
from models.softmax import softmax

SHIPPED = Calibration(window=0.1, abstain_above=1.5)


def user(seed: int, temperature: float, sets: int = 30) -> HeldOutScores:
    """Sets of ten windows that are calibrated at this temperature."""
    rng = np.random.default_rng(seed)
    n = 10 * sets
    logits = rng.normal(0, 2, (n, 3))
    truth = np.array([rng.choice(3, p=p) for p in softmax(logits)])
    return HeldOutScores(logits / temperature, truth, np.arange(n) // 10, rng.normal(0, 0.2, n))


def test_users_replace_the_shipped_calibration() -> None:
    learned = calibrate_on_users([user(k, 0.5, sets=10) for k in range(MIN_USERS)], SHIPPED)
    assert learned is not None
    assert learned.window == pytest.approx(0.5, rel=0.1)
    assert learned.abstain_above < 1.0  # learned from just enough sets around 0
    assert (learned.known_slope, learned.known_centre) == (
        SHIPPED.known_slope,
        SHIPPED.known_centre,
    )


def test_too_few_users_give_no_calibration() -> None:
    assert (
        calibrate_on_users([user(k, 0.5, sets=12) for k in range(MIN_USERS - 1)], SHIPPED) is None
    )


def test_calibration_that_helps_its_own_users_alone_is_not_learned() -> None:
    """Only in one fold is the shipped one bad, for a user with more sets than all others."""
    shipped = replace(SHIPPED, window=1.0)
    several = [user(k, 1.0, sets=2) for k in range(20)]
    several[6] = user(6, 0.1, sets=600)
    assert calibrate_on_users(several, shipped) is None


def test_too_few_sets_leave_the_shipped_abstention_threshold() -> None:
    """One set is missing."""
    several = [user(k, 0.5, sets=9 if k == 0 else 10) for k in range(MIN_USERS)]
    learned = calibrate_on_users(several, SHIPPED)
    assert learned is not None
    assert learned.abstain_above == SHIPPED.abstain_above


def test_users_with_many_sets_are_subsampled_by_whole_sets_evenly_spaced() -> None:
    busy = user(0, 0.5, sets=100)
    few = subsampled(busy, 259)
    kept = [4 * n + 2 for n in range(25)]  # 25 of 100 sets of ten windows: the middle of every four
    rows = np.isin(busy.set_of, kept)
    assert few.set_of.tolist() == np.arange(25).repeat(10).tolist()
    for part in ("scores", "truth", "strangeness"):
        assert np.array_equal(getattr(few, part), getattr(busy, part)[rows])
    assert subsampled(busy, 1000) is busy


def test_one_set_is_kept_whole_however_long() -> None:
    long = replace(user(0, 0.5, sets=3), set_of=np.repeat([0, 1, 2], [5, 20, 5]))
    assert subsampled(long, 10).scores.tolist() == [
        *long.scores[:5].tolist(),
        *long.scores[25:].tolist(),
    ]
    assert subsampled(long, 4).scores.tolist() == long.scores[5:25].tolist()


def correlated_user(seed: int, sets: int = 120, windows: int = 30) -> HeldOutScores:
    """Sets of one exercise each: what its windows share tells less than their number claims."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, sets)
    shared = 2 * np.eye(3)[truth] + rng.normal(0, 1, (sets, 3))
    scores = shared.repeat(windows, axis=0) + rng.normal(0, 3, (sets * windows, 3))
    set_of = np.arange(sets).repeat(windows)
    return HeldOutScores(scores, truth[set_of], set_of, rng.normal(0, 1, sets * windows))


def test_calibration_on_subsampled_sets_equals_that_on_all() -> None:
    """Of users who train every day as of others: a set is all its windows."""
    users = [correlated_user(k) for k in range(MIN_USERS)]
    every, few = calibrate(users), calibrate([subsampled(scores) for scores in users])
    assert few.window == pytest.approx(every.window, rel=0.1)
    assert few.whole == pytest.approx(every.whole, rel=0.25)
    assert few.abstain_above == pytest.approx(every.abstain_above, abs=0.1)
    thinned = calibrate([every_tenth(scores) for scores in users])
    assert thinned.whole < every.whole / 1.5


def every_tenth(scores: HeldOutScores) -> HeldOutScores:
    return HeldOutScores(*(getattr(scores, part.name)[::10] for part in fields(scores)))


def asked_sets(seed: int, wrong: int, right: int, strange: float = 0.0) -> HeldOutScores:
    """Sets of five windows with confident scores, so many of them wrong."""
    n = wrong + right
    truth = np.array([1] * wrong + [0] * right)
    scores = np.tile([30.0, 0.0, 0.0], (5 * n, 1))
    spread = np.random.default_rng(seed).normal(strange, 0.1, n)
    return HeldOutScores(scores, truth.repeat(5), np.arange(n).repeat(5), spread.repeat(5))


def test_doubt_starts_at_its_prior_and_follows_the_users_error_rate() -> None:
    prior = replace(SHIPPED, doubt=PRIOR_DOUBT, abstain_above=MAX_THRESHOLD)
    assert calibrate_for_user(SHIPPED, None) == prior
    half = calibrate_for_user(SHIPPED, asked_sets(0, wrong=20, right=20))
    assert half.doubt == pytest.approx((0.5 + PRIOR_DOUBT) / 2)  # as many sets as the prior has
    few, many = (calibrate_for_user(SHIPPED, asked_sets(0, wrong=0, right=n)) for n in (4, 400))
    assert many.doubt < 0.01 < 0.07 < few.doubt < PRIOR_DOUBT


def test_abstention_threshold_gets_stricter_with_many_similar_sets() -> None:
    single, few, many = (
        calibrate_for_user(SHIPPED, asked_sets(0, wrong=0, right=n)).abstain_above
        for n in (1, 4, 400)
    )
    assert single == few == MAX_THRESHOLD
    assert many == pytest.approx(0.165, abs=0.05)  # 1.65 deviations of 0.1 above 0


def test_two_sets_move_the_abstention_threshold_by_their_share() -> None:
    """Novelties of 0 and 0.2: their mean plus 1.65 deviations weighs 2 against 10."""
    pair = replace(asked_sets(0, wrong=0, right=2), strangeness=np.repeat([0.0, 0.2], 5))
    own = 0.1 + 1.65 * np.std([0.0, 0.2], ddof=1)
    shipped = replace(SHIPPED, abstain_above=0.9)
    threshold = calibrate_for_user(shipped, pair).abstain_above
    assert threshold == pytest.approx((2 * own + 10 * 0.9) / 12)


def test_abstention_threshold_exceeds_max_threshold_only_with_enough_sets() -> None:
    """A model from few sets must abstain on sets that are far from them."""
    few, enough = (
        calibrate_for_user(SHIPPED, asked_sets(0, wrong=0, right=n, strange=3.0)).abstain_above
        for n in (PRIOR_THRESHOLD_SETS - 1, PRIOR_THRESHOLD_SETS)
    )
    assert (few, enough) == (MAX_THRESHOLD, SHIPPED.abstain_above)
    near = calibrate_for_user(replace(SHIPPED, abstain_above=0.7), None)
    assert near.abstain_above == 0.7


def test_doubt_lowers_the_probability_but_keeps_the_label() -> None:
    rng = np.random.default_rng(0)
    x = {name: rng.normal(n, 0.5, (40, 214)).astype(np.float32) for n, name in enumerate("abc")}
    statistics = total([statistics_of(rows, name, "left", 1.0) for name, rows in x.items()])
    sure = fit_user(statistics, model_id="wrist-acc3", calibration=SHIPPED)
    doubted = replace(sure, calibration=replace(SHIPPED, doubt=0.3))
    times = np.arange(40, dtype=np.int64)
    initial, after = (model.predict_windows(times, x["b"]) for model in (sure, doubted))
    assert (after.exercise, after.windows) == (initial.exercise, initial.windows)
    assert after.probability == pytest.approx(0.7 * initial.probability + 0.1)
    assert from_bytes(to_bytes(doubted)).calibration.doubt == 0.3
