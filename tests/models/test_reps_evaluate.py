"""Protocol S5: folds that keep groups apart, a plateau that is chosen, figures that are known."""

import numpy as np

from models.reps.evaluate import RepsExample, best_cell, folds_of, reps_figures
from tests.models.test_reps import curl


def test_a_group_never_lies_on_both_sides_of_a_split() -> None:
    sets = [RepsExample("spar", f"{k % 7}", (), 20) for k in range(21)]
    folds = folds_of(sets)
    assert set(folds.values()) == set(range(5))
    assert len(folds) == 7


def test_the_plateau_is_chosen_and_not_the_lone_peak() -> None:
    merit = np.zeros((6, 7, 5))
    merit[0, 0, 0] = 1.0
    merit[2:5, 2:5, 2:5] = 0.8
    assert best_cell(merit) == (3, 3, 3)


def test_figures_of_sets_with_a_known_answer() -> None:
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
