"""The promotion gate on populations with known accuracy."""

from dataclasses import replace
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.exercise.gate import (
    MIN_SETS,
    STRATA,
    Verdict,
    compare,
    insufficient_evidence,
    judge,
    regression_reason,
    stratum_of,
    veto,
)
from pipelines.exercise.trials import MIN_PEOPLE, CommonShares, UserTrial, disagreements, sign_test

MARGIN = 0.01


def trial(owner, challenger, serving=(), majority=None, labelled_sets=30, sets_of_each=1):
    """One user's sets, in the order of their exercises, of as many sets each."""
    majority = [False] * len(challenger) if majority is None else majority
    return UserTrial(
        owner,
        labelled_sets,
        {f"s{n}": bool(hit) for n, hit in enumerate(challenger)},
        {f"s{n}": bool(hit) for n, hit in enumerate(serving)},
        {f"s{n}": bool(hit) for n, hit in enumerate(majority)},
        {f"s{n}": f"exercise {n // sets_of_each}" for n in range(len(challenger))},
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


def test_challenger_that_beats_what_serves_but_no_constant_answer_does_not_take_over():
    won = trial("a", [1] * 9, [0] * 9, [1] * 9)
    assert (compare([won]).majority, compare([won]).takes_over) == (1.0, False)
    assert compare([replace(won, majority=won.serving)]).takes_over


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
    assert veto(lost).startswith("worse than what serves now on 8 of 8 later sets")
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
        {f"s{n}": f"exercise {n}" for n in range(10)},
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


def world(seed, people, lost, won, *, exercises=6, sets_of_each=8, whole=False):
    """Users whose exercises, or who themselves, are lost or won as a whole with these chances."""
    random = np.random.default_rng(seed).random((people, 1 if whole else exercises))
    repeats = sets_of_each * (exercises if whole else 1)
    right = np.repeat(random >= lost, repeats, axis=1)
    serving = np.repeat((random < lost) | (random >= lost + won), repeats, axis=1)
    return [
        trial(f"u{n}", *hits, sets_of_each=sets_of_each)
        for n, hits in enumerate(zip(right, serving, strict=True))
    ]


def share_of_worlds(happens, *given, **sizes):
    """The share of a hundred worlds in which something happens."""
    return sum(bool(happens(world(seed, *given, **sizes))) for seed in range(100)) / 100


def refused(trials):
    """Whether these users' stratum is refused beside what serves now."""
    return not all(verdict.passes for verdict in judge(trials, margin=MARGIN).values())


def vetoed(trials):
    """Whether the only user's model is vetoed."""
    [only] = trials
    return veto(only)


def takes_over(trials):
    """Whether the challenger serves newcomers."""
    return compare(trials).takes_over


def test_luck_with_one_exercise_of_one_person_is_no_evidence():
    """Five sets won of 780: five of one exercise, about which two models differ once."""
    hits = [True] * 30
    trials = [trial(f"u{n}", hits, hits, sets_of_each=5) for n in range(25)]
    won = trial("lucky", hits, [False] * 5 + hits[5:], sets_of_each=5)
    assert not compare([*trials, won]).takes_over
    assert (
        regression_reason(
            [*trials, replace(won, challenger=won.serving, serving=won.challenger)], margin=0.0
        )
        == ""
    )


@pytest.mark.parametrize("sets_of_each", [1, 8])
@pytest.mark.parametrize("happens", [takes_over, refused])
def test_models_that_are_equally_good_seldom_differ_however_many_sets_there_are(
    happens, sets_of_each
):
    """In sets, more than a quarter of these worlds would differ at eight sets of each exercise."""
    assert share_of_worlds(happens, 26, 0.03, 0.03, sets_of_each=sets_of_each) < 0.07


@pytest.mark.parametrize("people", range(2, 9))
@pytest.mark.parametrize("happens", [takes_over, refused])
def test_one_of_several_people_does_not_decide(happens, people):
    """A watch that sits otherwise loses all of one person's exercises, or wins them."""
    hits = [True] * 48
    agree = [trial(f"u{n}", hits, hits, sets_of_each=8) for n in range(people - 1)]
    won, lost = trial("a", hits, [False] * 48), trial("a", [False] * 24 + hits[24:], hits)
    assert not happens([*agree, won if happens is takes_over else lost])
    assert share_of_worlds(happens, people, 0.1, 0.1, whole=True) < 0.2


def test_only_person_with_later_sets_does_not_decide_for_others_with_one_exercise():
    hits = [True] * 30
    lost = trial("a", [False] * 5 + hits[5:], hits, sets_of_each=5)
    unasked = [trial(f"u{n}", [], [], sets_of_each=5) for n in range(20)]
    assert regression_reason([lost, *unasked], MARGIN) == ""
    won = replace(lost, challenger=lost.serving, serving=lost.challenger)
    assert not compare([won]).takes_over
    half = trial("a", [False] * 15 + hits[15:], hits, sets_of_each=5)
    assert regression_reason([half], MARGIN).endswith(
        "worse in 3 of 6 exercises of one person, better in 0 (later sets: 15 lost, 0 won)"
    )


def test_user_keeps_what_names_an_exercise_that_the_new_model_does_not():
    """Both are asked about the same exercises tomorrow."""
    lost = trial("a", [False] * 5 + [True] * 43, [True] * 48, sets_of_each=8)
    assert veto(lost) == "worse than what serves now on 5 of 48 later sets, better on 0"


@pytest.mark.parametrize(
    ("people", "lost", "least"), [(26, 0.2, 0.97), (8, 0.4, 0.9), (3, 0.5, 0.8)]
)
def test_worse_recipe_is_refused_by_few_people_as_well(people, lost, least):
    assert share_of_worlds(refused, people, lost, 0.03) > least


@pytest.mark.parametrize("exercises", [1, 2, 3, 4, 6])
def test_model_of_one_user_that_knows_nothing_is_vetoed(exercises):
    """Also one that did a single exercise: the sets are counted."""
    assert share_of_worlds(vetoed, 1, 1.0, 0.0, exercises=exercises) == 1.0


def test_where_half_of_few_exercises_are_lost_the_sets_decide():
    """Two exercises of four are too few units for a test."""
    half = [False] * 8 + [True] * 8
    lost = [trial(f"u{n}", half, [True] * 16, sets_of_each=8) for n in range(2)]
    reason = regression_reason(lost, MARGIN)
    assert reason.endswith(
        "worse in 2 of 4 exercises of 2 people, better in 0 (later sets: 16 lost, 0 won)"
    )
    third = [False] * 8 + [True] * 16
    fewer = [trial(f"u{n}", third, [True] * 24, sets_of_each=8) for n in range(2)]
    assert regression_reason(fewer, MARGIN) == ""


def test_units_are_people_from_eight_on_and_their_exercises_below():
    hits, others = [False] * 8 + [True] * 8, [True] * 16
    people = [trial(f"u{n}", hits, others, sets_of_each=8) for n in range(MIN_PEOPLE)]
    counted = disagreements(people)
    assert (counted.unit, counted.compared, counted.units) == ("people", 8, (0, 8))
    counted = disagreements(people[1:])
    assert (counted.unit, counted.compared, counted.units) == ("exercises", 14, (0, 7))
    counted_alone = disagreements(people[:1])
    assert (counted_alone.unit, counted_alone.compared, counted_alone.units) == (
        "exercises",
        2,
        (0, 1),
    )
    unasked = replace(people[0], serving={})
    assert disagreements([unasked, *people[1:]]) == counted
    assert disagreements(people[:0:-1]) == counted


def test_recipe_that_wins_more_sets_is_not_refused_for_many_small_losses():
    """A set lost of each of eight exercises, and ten won of the ninth."""
    won, serving = [True] * 10, [False] * 10
    for _ in range(8):
        won, serving = [False, *[True] * 9, *won], [*[True] * 10, *serving]
    better = [trial(name, won, serving, sets_of_each=10) for name in "ab"]
    counted = disagreements(better)
    assert (counted.units, counted.sets) == ((2, 16), (20, 16))
    assert regression_reason(better, margin=-1.0) == ""
    swapped = [replace(one, challenger=one.serving, serving=one.challenger) for one in better]
    assert not compare(swapped).takes_over
