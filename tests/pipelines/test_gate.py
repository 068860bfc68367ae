"""The promotion gate on populations with known accuracy."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.exercise.gate import (
    MIN_SETS,
    STRATA,
    Verdict,
    insufficient_evidence,
    judge,
    sign_test,
    stratum_of,
    veto,
)
from pipelines.exercise.trials import CommonShares, UserTrial

MARGIN = 0.01


def trial(owner, challenger, serving=(), majority=None, labelled_sets=30):
    majority = [False] * len(challenger) if majority is None else majority
    return UserTrial(
        owner,
        labelled_sets,
        {f"s{n}": bool(hit) for n, hit in enumerate(challenger)},
        {f"s{n}": bool(hit) for n, hit in enumerate(serving)},
        {f"s{n}": bool(hit) for n, hit in enumerate(majority)},
    )


def test_better_recipe_passes_and_the_verdict_has_its_shares_of_right_sets():
    [verdict] = judge([trial("a", [1, 1, 1, 0], [1, 0, 0, 0])], margin=MARGIN).values()
    assert verdict.passes
    assert verdict.beside_serving == CommonShares(4, 0.75, 0.25)
    assert verdict.beside_majority == CommonShares(4, 0.75, 0.0)


def test_verdict_that_passes_has_no_pair_of_shares_beyond_the_margin():
    """The serving model is asked about nine of ten sets: the tenth, which is lost, is not its."""
    hits = [1] * 9 + [0]
    late = trial("a", hits, [1] * 9)
    [verdict] = judge([late], margin=MARGIN).values()
    assert verdict.passes
    assert verdict.beside_serving == CommonShares(9, 1.0, 1.0)
    assert verdict.beside_majority == CommonShares(10, 0.9, 0.0)


def test_worse_recipe_is_refused_only_in_its_stratum():
    rng = np.random.default_rng(1)
    good = [trial(f"g{n}", rng.random(10) < 0.95, rng.random(10) < 0.7) for n in range(30)]
    bad = [
        trial(f"b{n}", rng.random(10) < 0.7, rng.random(10) < 0.95, labelled_sets=7)
        for n in range(30)
    ]
    verdicts = judge([*good, *bad], margin=MARGIN)
    assert verdicts["20-49"].passes
    assert not verdicts["5-9"].passes
    assert "what serves now" in verdicts["5-9"].reason


def test_significant_loss_within_the_margin_passes():
    hits = [True] * 1990 + [False] * 10  # ten lost and none won: p = 2 ** -10
    assert judge([trial("a", hits, [True] * 2000)], margin=0.01)["20-49"].passes
    assert not judge([trial("a", hits, [True] * 2000)], margin=0.001)["20-49"].passes


def test_insignificant_loss_beyond_the_margin_passes():
    hits = [True] * 16 + [False] * 4  # four lost and none won: p = 1/16
    assert judge([trial("a", hits, [True] * 20)], margin=0.01)["20-49"].passes


@pytest.mark.parametrize(("margin", "passes"), [(0.5, True), (0.25, False)])
def test_loss_of_exactly_the_margin_passes(margin, passes):
    hits = [True] * 8 + [False] * 8  # eight lost and none won: p = 2 ** -8
    assert judge([trial("a", hits, [True] * 16)], margin=margin)["20-49"].passes == passes


def test_recipe_exactly_as_good_as_the_majority_is_refused():
    [verdict] = judge([trial("a", [1, 0], (), [0, 1])], margin=MARGIN).values()
    assert not verdict.passes


@pytest.mark.parametrize(("sets", "decides"), [(MIN_SETS - 1, False), (MIN_SETS, True)])
def test_stratum_decides_for_users_without_later_sets_only_if_it_has_enough(sets, decides):
    passing = Verdict("5-9", True, "", 1, sets, None, None)
    assert (insufficient_evidence(trial("a", []), passing) == "") == decides
    assert insufficient_evidence(trial("b", [1]), passing) == ""


def test_sets_on_which_a_constant_answer_is_right_are_no_evidence_but_can_veto():
    """All of a user's later sets are of the most frequent exercise: no majority is asked."""
    passing = Verdict("20+", True, "", 9, MIN_SETS, None, None)
    lost = trial("a", [0] * 8, [1] * 8, majority=[])
    assert insufficient_evidence(lost, passing) == ""
    assert "worse than what serves now on 8 of 8" in veto(lost)
    [verdict] = judge([trial("b", [1] * 8, [0] * 8, majority=[])], margin=MARGIN).values()
    assert (verdict.sets, verdict.reason) == (0, "no later set to judge by")


def test_recipe_no_better_than_the_majority_is_refused_without_an_incumbent():
    """Seven exercises, labels shuffled: one in seven is right, and so is the most frequent."""
    rng = np.random.default_rng(2)
    trials = [trial(f"u{n}", rng.random(20) < 1 / 8, (), rng.random(20) < 1 / 6) for n in range(50)]
    [verdict] = judge(trials, margin=MARGIN).values()
    assert not verdict.passes
    assert "most frequent" in verdict.reason


def test_verdict_does_not_pass_without_later_sets():
    [verdict] = judge([trial("a", [])], margin=MARGIN).values()
    assert not verdict.passes
    assert verdict.reason == "no later set to judge by"


def test_only_sets_that_are_new_to_both_models_are_compared():
    """The incumbent learned from s0 to s7: only s8 and s9 lie after its cut-off."""
    partly_new = UserTrial(
        "a",
        30,
        {f"s{n}": n >= 8 for n in range(10)},
        {"s8": True, "s9": False},
        {f"s{n}": False for n in range(10)},
    )
    [verdict] = judge([partly_new], margin=MARGIN).values()
    assert verdict.beside_serving == CommonShares(2, 1.0, 0.5)
    assert verdict.passes


def test_veto_needs_a_significant_loss():
    assert veto(trial("a", [0] * 4 + [1] * 6, [1] * 10)) == ""  # 4 of 4: p = 1/16
    assert veto(trial("a", [0] * 5 + [1] * 5, [1] * 10))  # 5 of 5: p = 1/32
    assert veto(trial("a", [1] * 10, [0] * 10)) == ""


@pytest.mark.parametrize(("n", "chance"), [(1, 0.5), (4, 1 / 16), (10, 2**-10)])
def test_sign_test_without_wins_is_a_power_of_one_half(n, chance):
    assert sign_test(n, 0) == chance


@given(st.integers(0, 60), st.integers(0, 60))
def test_sign_test_is_the_sum_of_the_binomial_terms(lost, won):
    n = lost + won
    assert sign_test(lost, won) == sum(comb(n, k) for k in range(lost, n + 1)) / 2**n


@pytest.mark.timeout(60, func_only=True)
def test_sign_test_of_many_sets_ends():
    """Each term anew took minutes here and hours for three times as many."""
    assert sign_test(30_000, 30_000) == pytest.approx(0.5, abs=0.01)


@given(st.integers(0, 30), st.integers(0, 30))
def test_opposite_sign_tests_sum_to_one_plus_the_observed_outcome(lost, won):
    n = lost + won
    if n:
        both = sign_test(lost, won) + sign_test(won, lost)
        middle = sign_test(lost, won) - (sign_test(lost + 1, won - 1) if won else 0.0)
        assert both == pytest.approx(1 + middle)
    assert lost > won or sign_test(lost, won) >= 0.5


@given(st.integers(1, 10_000))
def test_stratum_name_contains_the_count(n):
    name = stratum_of(n)
    low, _, high = name.removesuffix("+").partition("-")
    assert int(low) <= n
    assert name == f"{STRATA[-1]}+" or n <= int(high)
