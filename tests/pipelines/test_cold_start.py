"""The recipe of the global model for new users, chosen by evaluation on held-out users."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from uuid import uuid4

import pytest

from models.exercise.codec import to_bytes
from pipelines.exercise.calibration import Calibrations
from pipelines.exercise.gate import compare
from pipelines.exercise.global_fit import fit_from_sums
from pipelines.exercise.trials import UserTrial
from pipelines.experiments.cold_start import compare_models, held_out_user
from pipelines.experiments.promotion import promote_winner
from pipelines.lifecycle.pointers import OVERTAKEN, served_versions
from tests.pipelines.global_sums import (
    AT,
    RECIPE,
    STRANGER,
    each,
    passing_members,
    serving,
    trained,
)
from tests.pipelines.people import LAYOUT, sets_of


def test_held_out_users_are_excluded_from_the_sums(statistics, sums):
    known = {user: one for user, one in statistics.items() if user != STRANGER}
    expected = fit_from_sums(each(known), LAYOUT, Calibrations()).learned.model
    assert to_bytes(sums) == to_bytes(expected)


def test_recipe_with_more_right_sets_of_held_out_users_takes_over(spar, sums):
    people = [held_out_user(STRANGER, sets_of(spar, 2), RECIPE)]
    wrong = replace(sums, labels=(*sums.labels[1:], sums.labels[0]))  # every name is wrong
    better = compare_models(sums, wrong, people)
    assert (better.people, better.sets) == (1, 16)
    assert better.challenger > 0.5 > better.serving
    assert better.takes_over
    assert not compare_models(wrong, sums, people).takes_over
    equal = compare_models(sums, sums, people)
    assert (equal.won, equal.lost, equal.takes_over) == (0, 0, False)


@pytest.mark.parametrize(
    ("won", "lost", "majority_right", "takes_over"),
    [(5, 0, False, True), (4, 0, False, False), (9, 5, False, False), (5, 0, True, False)],
)
def test_recipe_takes_over_only_if_it_wins_significantly_and_beats_the_majority(
    won, lost, majority_right, takes_over
):
    hits = {f"w{n}": True for n in range(won)} | {f"l{n}": False for n in range(lost)}
    other = {name: not hit for name, hit in hits.items()}
    done = {name: f"exercise {name}" for name in hits}
    trial = UserTrial("a", len(hits), hits, other, dict.fromkeys(hits, majority_right), done)
    assert compare([trial]).takes_over == takes_over


def test_comparison_without_held_out_users_does_not_take_over():
    assert not compare([]).takes_over


@pytest.mark.parametrize("takes_over", [True, False])
def test_comparison_with_sums_that_were_replaced_meanwhile_promotes_nothing(
    store, statistics, takes_over: bool
):
    members = passing_members(statistics)
    fewer = {user: one for user, one in statistics.items() if user != STRANGER}
    compared, newer = (
        fit_from_sums(each(one), LAYOUT, Calibrations()) for one in (fewer, statistics)
    )
    for one in (compared, newer):  # the second replaces what the experiment began with
        trained(store, one, members)
    before = serving(store)
    run = SimpleNamespace(
        metrics={},
        reasons=Counter(),
        status="done",
        run_id=uuid4(),
        clock=lambda: AT,
        require_lease=lambda: None,
    )
    served = served_versions(store, ("exercise",))
    averaged = to_bytes(compared.learned.model)
    hits = {str(n): takes_over for n in range(5)}
    others = {name: not hit for name, hit in hits.items()}
    done = {name: f"exercise {name}" for name in hits}
    comparison = compare([UserTrial("a", 5, hits, others, dict.fromkeys(hits, False), done)])
    assert comparison.takes_over == takes_over
    job = SimpleNamespace(database=store, run=run)
    assert promote_winner(job, compared, averaged, comparison, {}, served).overtaken
    assert (run.status, run.reasons) == ("refused", {OVERTAKEN: 1})
    assert serving(store) == before
