"""Protocol S5 of repetitions: folds, choice of settings, and figures."""

import numpy as np
import pytest

from models.reps import evaluate
from models.reps.evaluate import (
    RepsExample,
    best_cell,
    errors_by_weights,
    explained,
    folds_of,
    learned_confidence,
    reps_figures,
    shipped_confidence_gap,
)
from tests.models.test_reps import curl


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
