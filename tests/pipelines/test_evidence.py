"""What a run of personal models takes from the runs before it: each user's newest evaluation."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import inf, nan
from uuid import UUID, uuid4

import pyarrow as pa
import pytest

from models.history import SetLog
from pipelines.lifecycle.runs import run_id_at
from pipelines.personal.evidence import RECIPE, earlier_evidence, serving_evidence
from pipelines.personal.family import PersonalModel
from pipelines.personal.gate import MIN_SETS_TO_JUDGE, Evidence
from pipelines.personal.rows import learned_rows
from schemas.inputs import SETS
from schemas.statuses import RunStatus
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns, UserOutcome

NOW = datetime(2026, 11, 21, 3, tzinfo=UTC)
ANNA, BEN = UUID(int=1), UUID(int=2)
OFF, LAST_OFF = 6.0, 5.0


class Nights:
    """Runs of one family, one each night."""

    def __init__(self, database: Database) -> None:
        self.database, self.family, self.nights = database, f"family-{uuid4().hex[:8]}", 0

    def run(
        self,
        asked: Mapping[UUID, int],
        status: RunStatus = "refused",
        *,
        recipe: str = "load-1",
        outcome: str = "refused",
    ) -> UUID:
        """A night on which users were evaluated on so many later sets."""
        at = NOW + timedelta(days=self.nights)
        run_id, runs = run_id_at(at), JobRuns(self.database)
        self.nights += 1
        rows = [
            UserOutcome(user, SETS, outcome, "", "", metrics_of(sets))
            for user, sets in asked.items()
        ]
        all_sets = sum(asked.values())
        metrics = {RECIPE: recipe, **Evidence(all_sets, OFF, LAST_OFF).as_metrics()}
        asyncio.run(runs.start(self.family, run_id, {}, at))
        asyncio.run(runs.write_users(run_id, rows))
        asyncio.run(
            runs.finish(
                self.family,
                run_id,
                status,
                at,
                counts={outcome: len(rows)},
                metrics=metrics,
                reasons={},
            )
        )
        return run_id

    def evidence(self, *users: UUID) -> list[Evidence]:
        """What the next run is judged by besides its own evaluation of `users`."""
        found = earlier_evidence(self.database, self.family, "load-1", users)
        return [evidence for evidence in found if evidence.sets]


def metrics_of(sets: int) -> str:
    """The metrics of a user's outcome."""
    return json.dumps({"data_digest": "1", "asked": sets, "off": OFF, "last_off": LAST_OFF})


@pytest.fixture
def nights(database: Database) -> Nights:
    return Nights(database)


def test_each_user_counts_once_with_the_newest_evaluation(nights: Nights) -> None:
    nights.run({ANNA: 90, BEN: 20})
    for _ in range(10):  # refused for little evidence, she is tried again every night
        nights.run({ANNA: 100})
    assert nights.evidence() == [Evidence(100, OFF, LAST_OFF), Evidence(20, OFF, LAST_OFF)]
    assert nights.evidence(ANNA) == [Evidence(20, OFF, LAST_OFF)]
    assert nights.evidence(ANNA, BEN) == []


def test_a_run_without_later_sets_of_a_user_leaves_the_evaluation_before(nights: Nights) -> None:
    nights.run({ANNA: 90})
    nights.run({ANNA: 0, BEN: 20})
    assert nights.evidence() == [Evidence(20, OFF, LAST_OFF), Evidence(90, OFF, LAST_OFF)]


def test_failed_and_withdrawn_runs_and_those_of_another_recipe_say_nothing(nights: Nights) -> None:
    nights.run({ANNA: 90})
    nights.run({ANNA: 91}, "failed")
    withdrawn = nights.run({ANNA: 92}, "done", outcome="promoted")
    nights.run({ANNA: 93}, "done", recipe="load-2", outcome="promoted")
    nights.run({ANNA: 94}, "done", outcome="unchanged")  # read before: nothing new
    assert [evidence.sets for evidence in nights.evidence()] == [92]
    asyncio.run(Champions(nights.database).withdraw(withdrawn, "a test", NOW))
    assert [evidence.sets for evidence in nights.evidence()] == [90]


def test_evaluation_of_a_user_from_before_a_failure_says_nothing(nights: Nights) -> None:
    """Of sets that are found to be broken now it may hold any number."""
    nights.run({ANNA: 90, BEN: 20})
    nights.run({ANNA: 0}, outcome="failed")
    assert nights.evidence() == [Evidence(20, OFF, LAST_OFF)]


@pytest.mark.parametrize("off", [nan, inf])
def test_user_whose_errors_are_not_finite_fails_alone(off: float) -> None:
    """Summed over users they would decide for everybody."""

    def learn(logs: Sequence[SetLog], cutoff_s: float) -> list[PersonalModel | str]:
        errors = [OFF if log.exercise[0] == "row" else off for log in logs]
        return [PersonalModel(b"a model", Evidence(10, error, LAST_OFF)) for error in errors]

    done = {"user_id": "u", "session_id": "s", "set_id": "1", "revision": 1, "reps": 8}
    done |= {"started_at": NOW, "weight_kg": None, "intensity": None}
    portion = [
        ((str(user),), pa.Table.from_pylist([done | {"exercise": exercise}]))
        for user, exercise in ((ANNA, "row"), (BEN, "curl"))
    ]
    anna, ben = learned_rows(portion, learn=learn, cutoff_s=0.0, latest=NOW)
    assert (anna["status"], ben["status"], ben.get("bytes")) == ("learned", "failed", None)
    assert ben["reason"] == f"on later sets its errors are {off}, {LAST_OFF:g}"


def test_recipe_that_serves_is_found_however_many_runs_were_refused_since(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.personal.evidence.RUNS_BACK", 2)
    nights.run({ANNA: MIN_SETS_TO_JUDGE}, "done", outcome="promoted")
    for _ in range(5):
        nights.run({ANNA: MIN_SETS_TO_JUDGE}, recipe="load-2")
    found = serving_evidence(nights.database, nights.family, "load-2")
    assert found is not None
    assert found.sets == MIN_SETS_TO_JUDGE
    assert serving_evidence(nights.database, nights.family, "load-1") is None


def test_outcomes_of_an_earlier_release_say_nothing(nights: Nights) -> None:
    """They name no numbers, and their runs no recipe."""
    run_id = nights.run({ANNA: 90})
    old = UserOutcome(ANNA, SETS, "refused", "", "", '{"data_digest": "1"}')
    asyncio.run(JobRuns(nights.database).write_users(run_id, [old]))
    assert nights.evidence() == []
