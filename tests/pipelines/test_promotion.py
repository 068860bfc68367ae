"""Promotion of models: pointers move relative to the version in effect."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID, uuid4

import pytest

from pipelines.exercise.gate import MIN_SETS
from pipelines.exercise.promotion import ModelCandidate, compared_shares, promote, verdicts_of
from pipelines.lifecycle.pointers import (
    CLOCK_TOLERANCE,
    NOT_KEPT,
    OVERTAKEN,
    ROLLED_BACK,
    incumbent_of,
    move_pointers,
    pointers_in_effect,
    read_serving,
)
from pipelines.lifecycle.runs import Run
from schemas.ids import version_of
from schemas.times import us_of
from store.champions import Champions
from store.database import Database
from store.models import ModelKey, Models, StoredModel
from store.pointers import Challenger
from tests.pipelines.global_sums import made_rungs
from tests.pipelines.made_families import lease_of

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LAYOUT, FAMILY = "sets", "load"


def a_run(run_id: UUID) -> Run:
    return Run(FAMILY, run_id, NOW, lease_of(FAMILY))


def version_as_of(content: bytes | str | None) -> str:
    """The version of these bytes, "" of none."""
    return version_of(hashlib.sha256(content).digest()) if isinstance(content, bytes) else ""


class Learner:
    """One user whose model is whatever bytes a run makes."""

    def __init__(self, database: Database) -> None:
        self.database, self.user = database, uuid4()
        self.key = ModelKey.of_user(self.user, LAYOUT, FAMILY)

    def train(
        self, content: bytes, expected_version: bytes | Literal[""] | None = None
    ) -> tuple[str, str, UUID]:
        """A run that stores a model and promotes it if it may; its status, reason and id.

        The model was evaluated against the bytes `expected_version`, "" for none; else against
        what serves now.
        """
        run_id = uuid4()
        model = StoredModel.of(self.key, content, {}, run_id, NOW)
        asyncio.run(Models(self.database).put(model))
        against = self.serves() if expected_version is None else expected_version
        move = Challenger.of(model), version_as_of(against)
        outcomes = move_pointers(self.database, [move])
        return *outcomes[0], run_id

    def move(self, content: bytes) -> tuple[str, str]:
        """Promote bytes that were not stored."""
        model = StoredModel.of(self.key, content, {}, uuid4(), NOW)
        move = Challenger.of(model), version_as_of(self.serves())
        return move_pointers(self.database, [move])[0]

    def withdraw(self, run_id: UUID) -> None:
        asyncio.run(Champions(self.database).withdraw(run_id, "a test", NOW))

    def roll_back(self) -> None:
        asyncio.run(Champions(self.database).rollback(self.key, NOW))

    def serves(self) -> bytes | None:
        pointers = pointers_in_effect(self.database, [(self.user, LAYOUT)], FAMILY)
        found = read_serving(self.database, pointers)
        assert found.keys() <= {(self.user, LAYOUT)}
        return found[self.user, LAYOUT].content if found else None


def test_promotion_of_the_same_bytes_is_unchanged(database: Database) -> None:
    learner = Learner(database)
    assert learner.serves() is None
    assert learner.train(b"first")[:2] == ("promoted", "")
    assert learner.train(b"first")[:2] == ("unchanged", "")
    assert learner.serves() == b"first"


def test_withdrawn_version_is_not_promoted_while_another_version_serves(database: Database) -> None:
    learner = Learner(database)
    learner.train(b"good")
    _, _, bad = learner.train(b"bad")
    learner.withdraw(bad)
    assert learner.serves() == b"good"
    reason = f"the same bytes as those of run {bad}, which was withdrawn"
    assert learner.train(b"bad")[:2] == ("withdrawn", reason)
    assert learner.train(b"good")[:2] == ("unchanged", "")
    assert learner.serves() == b"good"
    assert learner.train(b"better")[:2] == ("promoted", "")
    assert learner.serves() == b"better"


def test_withdrawn_version_is_promoted_with_a_reason_if_no_version_serves(
    database: Database,
) -> None:
    learner = Learner(database)
    _, _, first = learner.train(b"first")
    learner.withdraw(first)
    assert learner.serves() is None
    status, reason, again = learner.train(b"first")
    assert (status, reason) == (
        "promoted",
        f"the same bytes as those of run {first}, which was withdrawn",
    )
    assert learner.serves() == b"first"
    learner.withdraw(again)
    assert learner.serves() is None


def test_earlier_version_withdrawn_after_it_was_replaced_is_not_promoted(
    database: Database,
) -> None:
    learner = Learner(database)
    _, _, first = learner.train(b"first")
    learner.train(b"second")
    learner.withdraw(first)
    assert learner.train(b"first")[0] == "withdrawn"
    assert learner.serves() == b"second"


def test_version_that_was_rolled_back_is_not_promoted_by_a_run(database: Database) -> None:
    learner = Learner(database)
    learner.train(b"good")
    learner.train(b"bad")
    learner.roll_back()
    assert learner.serves() == b"good"
    assert learner.train(b"bad", expected_version=b"good")[:2] == ("withdrawn", ROLLED_BACK)
    assert learner.serves() == b"good"
    assert learner.train(b"better")[:2] == ("promoted", "")
    assert learner.train(b"bad")[:2] == ("withdrawn", ROLLED_BACK)
    assert learner.serves() == b"better"


def test_rolled_back_version_is_promoted_with_a_reason_if_no_version_serves(
    database: Database,
) -> None:
    learner = Learner(database)
    _, _, good = learner.train(b"good")
    learner.train(b"bad")
    learner.roll_back()
    learner.withdraw(good)
    assert learner.serves() is None
    assert learner.train(b"bad")[:2] == ("promoted", ROLLED_BACK)
    assert learner.serves() == b"bad"


def test_version_promoted_during_an_evaluation_is_not_overwritten(database: Database) -> None:
    learner = Learner(database)
    learner.train(b"first")
    learner.train(b"an operator's")
    assert learner.train(b"of the night", expected_version=b"first")[:2] == ("overtaken", OVERTAKEN)
    assert learner.train(b"of the night", expected_version="")[0] == "overtaken"
    assert learner.serves() == b"an operator's"
    assert learner.train(b"of the next", expected_version=b"an operator's")[:2] == ("promoted", "")
    assert learner.serves() == b"of the next"


def test_model_evaluated_against_a_withdrawn_version_is_not_promoted(database: Database) -> None:
    """The bad version is withdrawn after the challenger was evaluated against it."""
    learner = Learner(database)
    learner.train(b"good")
    _, _, bad = learner.train(b"bad")
    learner.withdraw(bad)
    assert learner.train(b"beats the bad one", expected_version=b"bad")[:2] == (
        "overtaken",
        OVERTAKEN,
    )
    assert learner.serves() == b"good"
    assert learner.train(b"better", expected_version=b"good")[0] == "promoted"


def test_model_that_was_not_stored_is_not_promoted(database: Database) -> None:
    """As after a Spark task that was lost and learned something else when it was retried."""
    learner = Learner(database)
    assert learner.move(b"lost") == ("overtaken", NOT_KEPT)
    assert pointers_in_effect(database, [(learner.user, LAYOUT)], FAMILY) == {}
    learner.train(b"first")
    assert learner.move(b"lost") == ("overtaken", NOT_KEPT)
    assert learner.serves() == b"first"


@pytest.mark.parametrize("ahead", [timedelta(hours=8), timedelta(days=365)])
def test_incumbent_trained_on_a_set_dated_in_the_future_is_evaluated_on_later_sets(
    ahead: timedelta,
) -> None:
    """Otherwise one set of a device whose clock is a year ahead ends all comparison for a year.

    And the sets of one whose clock is hours ahead would evaluate what was learned from them.
    """
    content, period = incumbent_of(model_trained_until(NOW + ahead))
    assert content == b"a model"
    first, second = NOW - timedelta(minutes=30), NOW + timedelta(days=1)  # when they were done
    assert not period.covers(first + ahead, us_of(first)), "it was learned from this set"
    assert period.covers(second + ahead, us_of(second))
    assert period.covers(second, us_of(second)), "a set of somebody whose clock is right"
    assert not period.covers(NOW, us_of(second)), "an old set, corrected or sent late"


def test_incumbent_is_evaluated_on_all_sets_after_its_newest() -> None:
    second = timedelta(seconds=1)
    period = incumbent_of(model_trained_until(NOW - second))[1]
    assert period.covers(NOW, us_of(NOW))
    assert not period.covers(NOW - second, us_of(NOW))
    slightly_ahead = incumbent_of(model_trained_until(NOW + CLOCK_TOLERANCE))[1]
    later = NOW + CLOCK_TOLERANCE + second
    assert slightly_ahead.covers(later, us_of(later))


def model_trained_until(at: datetime) -> StoredModel:
    """A model that was learned at `NOW`."""
    key = ModelKey.of_global("wrist-acc6", "activity")
    manifest = {"trained_until": at.isoformat()}
    return StoredModel.of(key, b"a model", manifest, uuid4(), NOW)


def candidate(
    database: Database, own: dict[str, bool], sets: int = 3, **serving: dict[str, bool]
) -> ModelCandidate:
    """A new user's model with these results on later sets; the majority label is never right."""
    rungs = made_rungs(own=own, majority=dict.fromkeys(own, False), **serving)
    user = uuid4()
    key = ModelKey.of_user(user, LAYOUT, FAMILY)
    model = StoredModel.of(key, b"a model", {}, uuid4(), NOW)
    asyncio.run(Models(database).put(model))
    return ModelCandidate(user, LAYOUT, model.version, model.sha256, sets, rungs)


def statuses(database: Database, *candidates: ModelCandidate) -> list[tuple[str, str]]:
    said = promote(database, candidates, verdicts_of(candidates, 0.01), a_run(uuid4()))
    return [(one.status, one.reason) for one in said]


def results(right: int, sets: int) -> dict[str, bool]:
    """Results on this many later sets, the first of them right."""
    return {f"{n}": n < right for n in range(sets)}


WORSE_ON_SIX = "worse than what serves now on 6 of 10 later sets, better on 0"


def test_model_clearly_worse_for_its_user_is_vetoed_however_good_it_is_for_others(
    database: Database,
) -> None:
    """Their stratum passes: 24 of 30 sets are right, and 20 with what serves now."""
    worse = candidate(database, results(4, 10), incumbent=results(10, 10))
    better = candidate(database, results(20, 20), incumbent=results(10, 20))
    vetoed = ("vetoed", WORSE_ON_SIX)
    assert statuses(database, worse, better) == [vetoed, ("promoted", "")]
    keys = [(one.user_id, LAYOUT) for one in (worse, better)]
    assert pointers_in_effect(database, keys, FAMILY).keys() == {keys[1]}


@pytest.mark.parametrize("rung", ["incumbent", "everybody"])
def test_models_worse_than_what_serves_are_refused(database: Database, rung: str) -> None:
    """A user without an own model is served by the global one."""
    [(status, reason)] = statuses(
        database, candidate(database, results(12, 20), **{rung: results(20, 20)})
    )
    assert status == "refused"
    assert reason.endswith(
        "right in 0.600 of sets, what serves now in 1.000: "
        "worse in 8 of 20 exercises of one person, better in 0 (later sets: 8 lost, 0 won)"
    )


def test_unevaluated_users_are_promoted_only_with_enough_evaluated_sets_of_others(
    database: Database,
) -> None:
    """In small deployments users with later sets are still promoted by these."""

    few = "1-4 sets: no later set of this user, and 1 of others are too few"
    one, *others = [candidate(database, own) for own in ({"s": True}, {}, {})]
    assert statuses(database, one, *others) == [
        ("promoted", ""),
        ("refused", few),
        ("refused", few),
    ]
    many = [candidate(database, {f"{n}": True}) for n in range(MIN_SETS)]
    assert statuses(database, *many, candidate(database, {}))[-1] == ("promoted", "")
    assert statuses(database, candidate(database, {"s": True, "t": True, "u": True}, sets=10)) == [
        ("promoted", "")
    ]


def test_shares_of_two_rungs_are_of_the_sets_on_which_both_were_asked() -> None:
    """The global model is asked about ten sets more, of exercises new to the user's own model."""
    own = {f"{n}": n < 9 for n in range(10)}
    everybody = dict.fromkeys(own, True) | {f"new {n}": n < 4 for n in range(10)}
    rungs = made_rungs(own=own, everybody=everybody, majority=dict.fromkeys(everybody, False))
    learned = ModelCandidate(uuid4(), LAYOUT, "v", b"", 20, rungs)
    unjudged = ModelCandidate(uuid4(), LAYOUT, "v", b"", 20, made_rungs(everybody={"s": False}))
    assert compared_shares([learned, unjudged]) == {
        "everybody": {"sets": 10, "own_right": 0.9, "right": 1.0},
        "majority": {"sets": 10, "own_right": 0.9, "right": 0.0},
    }
