"""The gate of models per user: evidence of a run, topped up with that of earlier ones."""

from math import nan
from uuid import UUID

import pytest

from models.history import DAY_S, DoneSet, SetLog
from pipelines.intensity import learn_intensity
from pipelines.lifecycle.open_refusals import (
    LITTLE_EVIDENCE,
    LITTLE_EVIDENCE_OF_SERVING,
    NO_EVIDENCE,
)
from pipelines.lifecycle.retries import is_unfinished
from pipelines.personal.family import PersonalModel
from pipelines.personal.gate import LOST, LOST_TO_SERVING, MIN_SETS_TO_JUDGE, Evidence
from store.jobs import UserOutcome

WINNING = Evidence(MIN_SETS_TO_JUDGE, 400.0, 500.0)
LOSING = Evidence(MIN_SETS_TO_JUDGE, 500.0, 400.0)


def test_evidence_of_enough_sets_ignores_earlier_runs():
    assert LOSING.topped_up([WINNING]) == LOSING
    assert WINNING.topped_up([LOSING]) == WINNING


def test_evidence_of_few_sets_is_outweighed_by_the_run_before():
    """Five sets lost by a hair beside 995 at .4 and .5: 2.01 + 398 against 2 + 497.5."""
    judged = Evidence(5, 2.01, 2.0).topped_up([WINNING])
    assert judged == Evidence(1000, pytest.approx(400.01), pytest.approx(499.5))
    assert judged.refusal() == ""


def test_evidence_is_topped_up_with_the_newest_runs_first():
    """A big early run counts only for what the newer ones lack."""
    newer = Evidence(600, 400.0, 300.0)
    early = Evidence(100_000, 40_000.0, 50_000.0)
    judged = Evidence(300, 200.0, 150.0).topped_up([newer, early])
    assert judged == Evidence(1000, pytest.approx(640), pytest.approx(500))
    assert judged.refusal() == LOST


@pytest.mark.parametrize(
    ("evidence", "refusal"),
    [
        (Evidence(), NO_EVIDENCE),
        (Evidence(5, 2.0, 2.0), LITTLE_EVIDENCE),
        (Evidence(MIN_SETS_TO_JUDGE - 1, 2.0, 2.0), LITTLE_EVIDENCE),
        (Evidence(MIN_SETS_TO_JUDGE, 2.0, 2.0), LOST),
        (Evidence(5, 1.9, 2.0), ""),
        (Evidence(MIN_SETS_TO_JUDGE, nan, 2.0), LOST),
        (Evidence(MIN_SETS_TO_JUDGE, 1.9, nan), LOST),
    ],
)
def test_refusal_says_whether_evidence_was_lacking(evidence, refusal):
    assert evidence.refusal() == refusal


@pytest.mark.parametrize(
    ("sets", "error", "refusal"),
    [
        (MIN_SETS_TO_JUDGE, 48.1, LOST_TO_SERVING),
        (MIN_SETS_TO_JUDGE, 47.9, ""),
        (MIN_SETS_TO_JUDGE - 1, 48.1, LITTLE_EVIDENCE_OF_SERVING),
        (MIN_SETS_TO_JUDGE, 100.0, LOST),
    ],
)
def test_recipe_that_is_much_worse_than_the_serving_one_is_refused(sets, error, refusal):
    """WINNING leaves .8 of the baseline's error; 1.2 times that is .96."""
    assert Evidence(sets, 2 * error, 100.0).refusal(WINNING) == refusal
    refused = UserOutcome(UUID(int=7), "sets", "refused", refusal, "", "{}")
    assert is_unfinished(refused) == (0 < sets < MIN_SETS_TO_JUDGE)


def test_earlier_runs_are_read_only_as_far_as_they_are_needed():
    def runs():
        yield Evidence()
        yield WINNING
        raise AssertionError("the oldest run was read")

    assert Evidence(5, 2.0, 2.0).topped_up(runs()).sets == MIN_SETS_TO_JUDGE
    assert LOSING.topped_up(runs()) == LOSING


@pytest.mark.parametrize(
    ("sets", "error", "says"), [(20, 11.1, True), (20, 11.0, False), (19, 30.0, False)]
)
def test_veto_needs_enough_sets_and_a_clear_loss(sets, error, says):
    assert Evidence(sets, error, 10.0).vetoes == says


@pytest.mark.parametrize(("error", "says"), [(3e-15, False), (1e-9, False), (1e-3, True)])
def test_veto_of_a_user_who_always_answers_the_same_needs_more_than_rounding(error, says):
    """The same as last time is exactly right, and a mean of equal numbers may be a bit off."""
    assert Evidence(30, error, 0.0).vetoes == says


def test_model_of_a_user_who_always_feels_the_same_is_not_vetoed():
    rows = [
        DoneSet(str(day), day * DAY_S, "squat", 5, 100.0 + number, 0.9)
        for day in range(40)
        for number in range(3)
    ]
    [learned] = learn_intensity([SetLog.of(rows)], 26 * DAY_S)
    assert isinstance(learned, PersonalModel)
    assert learned.evidence.sets == 42
    assert learned.evidence.error > learned.evidence.baseline_error == 0.0
    assert not learned.evidence.vetoes


@pytest.mark.parametrize(("sets", "earlier"), [(474, 2095), (1, 999), (7, 10**6 + 3)])
def test_evidence_that_was_topped_up_is_never_a_bit_too_little(sets, earlier):
    """474 + (526 / 2095) * 2095 is less than 1000: its users would be learned again every night."""
    judged = Evidence(sets, 2.0, 1.0).topped_up([Evidence(earlier, 2.0, 1.0)])
    assert judged.sets == MIN_SETS_TO_JUDGE
    assert judged.refusal() == LOST
