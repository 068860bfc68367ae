"""Protocol S5 of repetitions: folds, choice of settings, and figures."""

import numpy as np

from models.reps.evaluate import RepsExample, best_cell, folds_of, reps_figures
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
