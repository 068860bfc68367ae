"""Whether a new global model of exercises may serve, told from its members' hits."""

from types import SimpleNamespace
from uuid import UUID

import pytest

from pipelines.exercise.calibration import Calibrations
from pipelines.exercise.global_gate import judge_global
from pipelines.exercise.promotion import ModelCandidate
from schemas.inputs import ACC3
from tests.pipelines.global_sums import made_rungs
from tests.pipelines.people import LAYOUT

RICH, POOR = UUID(int=1), UUID(int=2)
SETS = {f"{n}": n % 2 == 0 for n in range(8)}


STRANGER = UUID(int=3)


def judged(*others, **members):
    """The reason why a model of two members with these rungs may not serve, beside others."""
    model = SimpleNamespace(members={str(RICH), str(POOR)}, calibrations=Calibrations())
    users = {"rich": RICH, "poor": POOR}
    candidates = [
        ModelCandidate(users[name], LAYOUT, "v", b"", 16, made_rungs(**rungs))
        for name, rungs in members.items()
    ]
    return judge_global(LAYOUT, model, [*candidates, *others], 0.01).reason


@pytest.mark.parametrize(
    ("rich", "reason"),
    [
        ({"everybody": SETS, "majority": dict.fromkeys(SETS, False)}, ""),
        ({"everybody": SETS, "majority": SETS}, "right in 0.500 of sets, the most frequent in 0.5"),
        ({"majority": SETS}, "no member can judge it: without that member it knows fewer than two"),
        ({}, "no later set of a member to judge by"),
    ],
    ids=["better", "as good as a constant", "nothing is left without the member", "no late sets"],
)
def test_refusal_of_a_global_model_says_what_its_members_lack(rich, reason):
    said = judged(rich=rich, poor={})
    assert said.startswith(reason)
    assert bool(said) == bool(reason)


def test_constant_answer_counts_on_sets_that_the_global_model_is_asked_about_alone():
    """Without the rich member nothing is left: that member's sets compare nobody."""
    poor = {"everybody": {"s": True, "t": False}, "majority": {"s": False, "t": False}}
    assert judged(rich={"majority": dict.fromkeys(SETS, True)}, poor=poor) == ""


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (LAYOUT, "of people who are not in it: right in 0.000 of sets, what serves now in 1.000"),
        (ACC3, ""),
    ],
    ids=["of this layout", "of another layout"],
)
def test_people_who_are_not_in_a_global_model_refuse_what_is_worse_for_them_alone(layout, reason):
    """They are no evidence that it beats a constant answer, which is always right for this one."""
    right, wrong = dict.fromkeys(SETS, True), dict.fromkeys(SETS, False)
    rungs = made_rungs(everybody=wrong, former=right, majority=right)
    stranger = ModelCandidate(STRANGER, layout, "v", b"", 16, rungs)
    said = judged(stranger, rich={"everybody": SETS, "majority": wrong}, poor={})
    assert said.startswith(reason)
    assert bool(said) == bool(reason)
