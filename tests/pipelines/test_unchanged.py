"""Outcomes of users whose sets an earlier run has read: what that run said of them still holds."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest

from models.population.simulate import simulate
from muvr.scoreboard import score_rows
from pipelines.personal.evidence import earlier_evidence
from pipelines.personal.family import PersonalFamily, PersonalModel
from pipelines.personal.gate import VETOED, Evidence
from pipelines.personal.job import train_personal
from pipelines.personal.unchanged import carried_over
from schemas.times import us_of
from store.changes import Changes
from store.jobs import UserOutcome
from tests.pipelines.crowd import settle

PEOPLE = 4
TOO_FEW = "6 sets, 40 are needed"


def family_of(recipe: str) -> PersonalFamily:
    """Of the users of a run the first one gets a good model, the second a bad one, others none."""

    def learn(logs, cutoff_s):
        good = PersonalModel(recipe.encode(), Evidence(1000, 4.0, 5.0))
        bad = PersonalModel(recipe.encode(), Evidence(30, 0.12, 0.1))
        return [good, bad, *[TOO_FEW] * len(logs)][: len(logs)]

    return PersonalFamily("few", learn, recipe)


@pytest.fixture
def people(empty):
    crowd = list(simulate(PEOPLE, 3, 3))
    settle(empty, crowd)
    return sorted(person.user_id for person in crowd)


def announce_all(database, people) -> None:
    for user in people:
        asyncio.run(Changes(database).announce(user, "sets", us_of(datetime.now(UTC))))


def test_users_without_a_model_keep_their_reasons_in_the_next_run(empty, people, spark_config):
    family = family_of("one")
    whole = train_personal(family, spark_config, engine="local")
    assert whole.counts["not-learned"] == PEOPLE - 2
    for _ in range(2):
        announce_all(empty, people)
        again = train_personal(family, spark_config, users="changed", engine="local")
        assert again.status == "nothing-to-do"
        assert again.counts == {"unchanged": 1, "vetoed": 1, "not-learned": PEOPLE - 2}
        assert again.reasons == whole.reasons == {TOO_FEW: PEOPLE - 2, VETOED: 1}
        assert score_rows([again], None)[0][2:4] == (1, PEOPLE - 1)


def test_an_evaluation_of_the_run_before_is_not_counted_as_one_of_this_run(
    empty, people, spark_config
):
    """It may be of another recipe."""
    train_personal(family_of("one"), spark_config, engine="local")
    announce_all(empty, people)
    correct_a_set(empty, people[0])
    report = train_personal(family_of("two"), spark_config, users="changed", engine="local")
    assert report.counts["promoted"] == report.counts["vetoed"] == 1
    assert sum(one.sets for one in earlier_evidence(empty, "few", "two", ())) == 1000


def correct_a_set(database, user: UUID) -> None:
    [key] = database.execute(
        "SELECT user_id, session_id, set_id FROM sets WHERE user_id = ? LIMIT 1", (user,)
    )
    database.execute(
        "UPDATE sets SET revision = 9 WHERE user_id = ? AND session_id = ? AND set_id = ?", key
    )


NOW_SERVING, OTHER = "9f86d081884c7d65", "2c26b46b68ffc68f"
DIGEST = {"data_digest": "1"}


@pytest.mark.parametrize(
    ("status", "version", "serving", "expected"),
    [
        ("promoted", NOW_SERVING, NOW_SERVING, "unchanged"),
        ("promoted", NOW_SERVING, None, None),  # withdrawn since
        ("unchanged", "", None, None),  # what an earlier release wrote of all who had no model
        ("not-learned", "", None, "not-learned"),
        ("refused", OTHER, NOW_SERVING, "refused"),
        ("vetoed", OTHER, None, "vetoed"),
        ("vetoed", OTHER, OTHER, "unchanged"),  # an operator wants it
        ("retired", OTHER, None, "retired"),
        ("retired", OTHER, OTHER, "unchanged"),  # rolled back
        ("withdrawn", OTHER, NOW_SERVING, "withdrawn"),
        ("withdrawn", OTHER, None, None),
        ("failed", "", None, None),
    ],
)
def test_what_an_outcome_becomes_in_the_next_run(status, version, serving, expected):
    before = UserOutcome(UUID(int=7), "sets", status, "why", version, json.dumps(DIGEST))
    carried = carried_over(before, serving)
    same = before._replace(reason="") if expected == "unchanged" else before
    assert carried == (expected and same._replace(status=expected))
