"""Calibration, abstention and scores, on synthetic scores and real recordings."""

import numpy as np
import pytest

from models.auroc import auroc
from models.exercise.calibrate import (
    HeldOutScores,
    calibrate,
    log_loss,
    set_novelty,
    window_novelty,
)
from models.exercise.evaluate import calibration_error, labelled_windows, score
from models.exercise.examples import ExampleSettings
from models.exercise.fit import fit_global, fit_user
from models.exercise.probability import Calibration, pool_windows
from models.exercise.protocols.trials import Movement, evaluation_windows, part, training_statistics
from models.exercise.statistics import Statistics, total
from models.signal.wrist import wrist_signals
from models.softmax import softmax
from schemas.errors import NotEnoughLabels

ENOUGH = ExampleSettings(step_s=0.5)


def held(seed: int, temperature: float) -> HeldOutScores:
    """Scores that are calibrated at this temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (4000, 3))
    truth = np.array([rng.choice(3, p=p) for p in softmax(logits)])
    return HeldOutScores(
        logits / temperature, truth, np.arange(4000) // 8, rng.normal(0, 0.2, 4000)
    )


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_calibration_recovers_the_temperature_of_the_scores(temperature):
    sample = held(0, temperature)
    assert calibrate([sample]).window == pytest.approx(temperature, rel=0.1)
    assert log_loss([sample], temperature) < log_loss([sample], 3 * temperature)


def test_abstention_threshold_accepts_99_percent_of_known_sets():
    sample = held(1, 0.3)
    strange = np.random.default_rng(2).normal(2, 0.2, 500)
    one_set = np.zeros(500, dtype=np.int64)
    found = calibrate([sample], [HeldOutScores(np.zeros((500, 3)), one_set, one_set, strange)])
    sets = np.bincount(sample.set_of, weights=sample.strangeness) / 8
    assert (sets > found.abstain_above).mean() <= 0.01
    assert 0.5 < found.known_centre < 1.5  # midway between two equal clouds around 0 and 2
    assert found.known_slope > 3


def test_p_known_is_calibrated_on_novelty_including_hesitation():
    """Here only hesitation separates known from unknown sets; strangeness does not."""
    n = 400
    one_set, likeliest = np.arange(n) // 4, np.zeros(n, dtype=np.int64)
    sure, torn = np.tile([9.0, 0.0], (n, 1)), np.zeros((n, 2))
    strangeness = np.random.default_rng(4).normal(0.5, 0.1, n)
    known, unknown = (
        HeldOutScores(scores, likeliest, one_set, strangeness) for scores in (sure, torn)
    )
    initial = Calibration(hesitation=4.0)
    found = calibrate([known], [unknown], initial=initial)
    assert 0.5 < found.known_centre < 0.5 + 4 * np.log(2)
    for held, expected in ((known, 1.0), (unknown, 0.0)):
        novelty = window_novelty(held, found)
        assert set_novelty(held, found) == pytest.approx(novelty.reshape(-1, 4).mean(axis=1))
        p_known = 1 / (1 + np.exp(found.known_slope * (novelty - found.known_centre)))
        assert p_known == pytest.approx(np.full(n, expected), abs=0.2)


def test_calibration_without_held_out_sets_is_the_initial_one():
    initial = Calibration(window=0.7)
    assert calibrate([], initial=initial) == initial


def test_pooled_windows_outweigh_one_outlier():
    """Nine windows are 9 : 1 for the first label; by the sum of logs one outlier would win."""
    windows = np.array([[0.9, 0.1]] * 9 + [[1e-12, 1.0]])
    assert np.log(windows).sum(axis=0).argmax() == 1
    assert pool_windows(windows, 3.0).argmax() == 0


def test_calibration_error_is_the_gap_between_confidence_and_accuracy():
    right = np.array([True] * 6 + [False] * 4)
    assert calibration_error(right, np.full(10, 0.95)) == pytest.approx(0.35)
    assert calibration_error(right, np.full(10, 0.6)) == pytest.approx(0)


def test_auroc_of_separated_equal_and_reversed_scores():
    low, high = np.zeros(5), np.ones(5)
    assert (auroc(low, high), auroc(low, low), auroc(high, low)) == (1.0, 0.5, 0.0)
    assert np.isnan([auroc(low, high[:0]), auroc(low[:0], high), auroc(low[:0], high[:0])]).all()


@pytest.fixture(scope="module")
def halves(spar) -> dict[str, tuple[list[Movement], list[Movement]]]:
    """Per person: the first 70 % of every recording, and the last 30 %."""
    found: dict[str, tuple[list[Movement], list[Movement]]] = {}
    for recorded in spar:
        signals = tuple(wrist_signals(recorded.recording))
        whole = Movement(recorded.person, "", recorded.sets[0].exercise, "", signals)
        early, late = found.setdefault(recorded.person, ([], []))
        early.append(part(whole, 0, 0.7))
        late.append(part(whole, 0.7, 1))
    return found


@pytest.fixture(scope="module")
def statistics(halves) -> dict[str, Statistics]:
    return {
        p: total([training_statistics([m], ENOUGH) for m in early])
        for p, (early, _) in halves.items()
    }


def test_accuracy_on_real_recordings_of_own_and_unseen_people(halves, statistics):
    """The required minimum: own models 98 %, unseen people 87 % of windows, 91 % of sets."""
    everybody = total(list(statistics.values()))
    own, unseen, unseen_sets = [], [], []
    for person, (_, late) in halves.items():
        others = fit_global(everybody - statistics[person])
        own.append(score(fit_user(statistics[person]), evaluation_windows(late)).window_accuracy)
        found = score(others.model, evaluation_windows(late))
        unseen.append(found.window_accuracy)
        unseen_sets.append(found.set_accuracy)
    assert np.mean(own) >= 0.98
    assert np.mean(unseen) >= 0.87
    assert np.mean(unseen_sets) >= 0.91


def test_shuffled_labels_score_no_better_than_chance(halves, statistics):
    """The promotion gate relies on this."""
    person = statistics["01"]
    exercises = sorted({e for e, _ in person.groups})
    turned = dict(zip(exercises, exercises[1:] + exercises[:1], strict=True))
    groups = sorted((turned[e], side) for e, side in person.groups)
    order = [
        person.groups.index(g) for g in sorted(person.groups, key=lambda g: (turned[g[0]], g[1]))
    ]
    poisoned = Statistics(tuple(groups), person.seconds[order], person.sums[order], person.moments)
    assert score(fit_user(poisoned), evaluation_windows(halves["01"][1])).window_accuracy < 0.1


def test_score_needs_at_least_one_set():
    with pytest.raises(NotEnoughLabels):
        score(None, [])
    assert labelled_windows([], "row") is None
