"""Protocol S5 of repetitions: folds, choice of settings, and figures."""

from dataclasses import replace

import numpy as np
import pytest

from models.reps import evaluate
from models.reps.count import CONFIDENCE, SETTINGS, count_repetitions
from models.reps.evaluate import (
    cross_validated,
    learned_confidence,
    reps_figures,
    served_confidence,
    shipped_confidence_gap,
    traits_of_parts,
)
from models.reps.examples import RepsExample, explained, folds_of
from models.reps.weights import best_cell, errors_by_weights, merits
from models.signal.wrist import WristSignal
from tests.models.curls import SECOND_NS, curl


def test_folds_do_not_split_groups() -> None:
    sets = [RepsExample("spar", f"{k % 7}", (), 20) for k in range(21)]
    folds = folds_of(sets)
    assert set(folds.values()) == set(range(5))
    assert len(folds) == 7


def test_best_cell_prefers_a_plateau_to_an_isolated_peak() -> None:
    merit = np.zeros((6, 7, 5))
    merit[0, 0, 0] = 1.0
    merit[2:5, 2:5, 2:5] = 0.8
    assert best_cell(merit) == (3, 3, 3)


def test_reps_figures_of_sets_with_known_counts() -> None:
    sets = [
        RepsExample(
            source, str(k), (curl(6 + k, seed=k, period_s=2.0 + 0.2 * k),), 6 + k, 6 + k + off
        )
        for source, off in (("spar", 0), ("gym", 2))
        for k in range(5)
    ]
    figures = reps_figures(sets)
    assert figures["s5_spar"] == figures["s5_spar_exact"] == 1.0
    assert figures["s5_gym_acc_only"] == figures["s5_gym_exact_acc_only"] == 1.0
    assert figures["s5_gym_as_labelled"] == 0.0
    assert 0 < figures["s5_shipped_confidence_gap"] < 1


def test_shipped_confidence_has_no_gap_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = [
        RepsExample("spar", str(k), (curl(6 + k, seed=k, period_s=2.0 + 0.2 * k),), 6 + k)
        for k in range(5)
    ]
    rows = explained(sets, acc_only=False)
    errors = errors_by_weights(rows)
    assert shipped_confidence_gap(rows, errors) > 0.01
    monkeypatch.setattr(evaluate, "CONFIDENCE", learned_confidence(rows, errors))
    assert shipped_confidence_gap(rows, errors) == 0


CLEAR, UNCLEAR = curl(8), curl(4, seed=2, noise=0.2, period_s=1.3)
STILL, SHORT = curl(0, rest_s=4.0), curl(0, rest_s=0.5)


@pytest.mark.parametrize(
    ("stretches", "is_zero"),
    [
        ([CLEAR], False),
        ([CLEAR, UNCLEAR], False),
        ([UNCLEAR, CLEAR], False),
        ([CLEAR, STILL], True),
        ([CLEAR, SHORT], True),
        ([STILL], True),
        ([], True),
    ],
)
def test_evaluated_confidence_is_the_served_one(
    stretches: list[WristSignal], *, is_zero: bool
) -> None:
    """A set with long gaps is as certain as its least certain stretch."""
    signals = tuple(replace(s, t0_ns=60 * SECOND_NS * k) for k, s in enumerate(stretches))
    (row,) = explained([RepsExample("gym", "monday", signals, 8)], acc_only=False)
    confidence = served_confidence(traits_of_parts(row, SETTINGS), CONFIDENCE)
    assert confidence == count_repetitions(signals).confidence
    assert (confidence == 0) == is_zero


def test_confidence_of_a_set_with_a_gap_is_cross_validated_as_it_is_served() -> None:
    sets = [
        RepsExample("spar", str(k), (curl(6 + k, seed=k, period_s=2.0 + 0.2 * k),), 6 + k)
        for k in range(5)
    ]
    gap = (CLEAR, replace(STILL, t0_ns=60 * SECOND_NS))
    rows = explained([*sets, RepsExample("spar", "0", gap, 8)], acc_only=False)
    surety = cross_validated(rows, errors_by_weights(rows)).surety
    assert (surety == 0).tolist() == [False] * 5 + [True]


def test_kinds_without_a_used_set_do_not_weigh_in() -> None:
    """All gym sets are of one day, thus of one fold: the others choose by SPAR alone."""
    sets = [
        RepsExample(source, group, (curl(6, seed=k, period_s=2.0),), 6)
        for k, (source, group) in enumerate((("spar", "a"), ("spar", "b"), ("gym", "monday")))
    ]
    rows = explained(sets, acc_only=False)
    errors = errors_by_weights(rows)
    errors[0, 0, 0] = 5  # a cell that SPAR would not choose
    used = np.array([True, True, False])
    expected = merits(errors[..., :2], rows[:2], np.array([True, True]))
    assert merits(errors, rows, used).tolist() == expected.tolist()
    assert best_cell(merits(errors, rows, used)) != (0, 0, 0)
    assert (merits(errors, rows, np.zeros(3, dtype=bool)) == 0).all()


def test_one_gym_day_leaves_the_figures_of_spar_as_they_are() -> None:
    spar = [
        RepsExample("spar", str(k), (curl(6 + k, seed=k, period_s=2.0 + 0.2 * k),), 6 + k)
        for k in range(5)
    ]
    day = [RepsExample("gym", "monday", (curl(7, seed=9, period_s=2.1),), 7)]
    figures = reps_figures([*spar, *day])
    assert figures["s5_spar_exact"] == figures["s5_gym_exact"] == 1.0
