"""Withdrawn runs of the exercise job: what serves, what is the incumbent, what is trained."""

import asyncio
from datetime import UTC, datetime

import pytest

from pipelines.exercise.global_models import read_global_models
from pipelines.exercise.job import train_exercise
from pipelines.lifecycle.full_runs import full_run_mark
from pipelines.lifecycle.pointers import OVERTAKEN, pointers_in_effect
from store.champions import Champions
from store.jobs import JobRuns
from store.models import ModelKey, Models
from store.watermarks import Watermarks
from tests.pipelines.people import LAYOUT, Meanwhile, confirmed, done_at, put, sets_of, user_id

PEOPLE = 4
KEYS = [(user_id(person), LAYOUT) for person in range(PEOPLE)]
NOW = datetime(2026, 11, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def people(spar):
    return [sets_of(spar, person) for person in range(PEOPLE)]


@pytest.fixture
def database(spark_config, people):
    with confirmed(spark_config.cassandra, [people[0][:-1], *people[1:]]) as connection:
        yield connection


def withdraw(database, report) -> str:
    asyncio.run(Champions(database).withdraw(report.run_id, "a test", NOW))
    return f"the same bytes as those of run {report.run_id}, which was withdrawn"


def put_newest(database, people) -> None:
    """The set that was held back, done now."""
    now = datetime.now(UTC)
    put(database, user_id(0), done_at(people[0][-1:], now), now)


def serving(database) -> dict:
    return {k: one.version for k, one in pointers_in_effect(database, KEYS, "exercise").items()}


def test_models_of_a_withdrawn_first_run_are_promoted_again(database, spark_config):
    first = train_exercise(spark_config, engine="local")
    served = serving(database)
    assert (len(served), first.counts["promoted"]) == (PEOPLE, PEOPLE)
    reason = withdraw(database, first)
    assert serving(database) == {}

    again = train_exercise(spark_config, engine="local")
    assert again.counts["promoted"] == PEOPLE
    assert again.reasons == {reason: PEOPLE}  # the reason is reported
    assert serving(database) == served
    everybody = asyncio.run(Champions(database).serving(ModelKey.of_global(LAYOUT, "exercise")))
    assert everybody.run_id == again.run_id


def test_challenger_is_evaluated_against_the_version_in_effect_after_a_withdrawal(
    database, spark_config, people
):
    first = train_exercise(spark_config, engine="local")
    before = serving(database)
    put_newest(database, people)
    second = train_exercise(spark_config, users="changed", engine="local")
    assert second.counts["promoted"] == 1
    after = serving(database)
    assert [key for key in KEYS if after[key] != before[key]] == KEYS[:1]
    reason = withdraw(database, second)
    assert serving(database) == before

    third = train_exercise(
        spark_config, users="changed", engine="local"
    )  # the withdrawn version is not promoted
    assert (third.counts["withdrawn"], third.reasons) == (1, {reason: 1})
    assert serving(database) == before
    kept = asyncio.run(
        Models(database).manifest(ModelKey.of_user(user_id(0), LAYOUT, "exercise"), after[KEYS[0]])
    )
    # The first model had not seen the newest set; the withdrawn one had seen all sets.
    assert kept["metrics"]["incumbent"]["sets"] == 1
    assert asyncio.run(JobRuns(database).read("exercise", first.run_id)).status == "done"


def test_challenger_is_trained_again_if_its_incumbent_was_withdrawn_meanwhile(
    database, spark_config, people
):
    first = train_exercise(spark_config, engine="local")
    put_newest(database, people)
    meanwhile = Meanwhile(lambda: withdraw(database, first))
    second = train_exercise(spark_config, users="changed", engine="local", progress=meanwhile)
    assert (second.counts["overtaken"], second.reasons) == (1, {OVERTAKEN: 1})
    assert serving(database) == {}
    third = train_exercise(spark_config, users="changed", engine="local")
    assert third.counts["promoted"] > 0
    assert KEYS[0] in serving(database)


def test_global_model_does_not_replace_what_an_operator_withdrew_meanwhile(
    database, spark_config, people
):
    first = train_exercise(spark_config, engine="local")
    assert first.metrics["global"][LAYOUT] == "promoted"
    put_newest(database, people)
    marks, name = Watermarks(database), full_run_mark("exercise")
    mark = asyncio.run(marks.read(name, datetime.now(UTC)))
    meanwhile = Meanwhile(lambda: withdraw(database, first))
    second = train_exercise(spark_config, engine="local", progress=meanwhile)
    assert second.metrics["global"][LAYOUT] == OVERTAKEN
    assert read_global_models(database) == {}
    assert asyncio.run(marks.read(name, datetime.now(UTC))) == mark, "it is still due"
    third = train_exercise(spark_config, engine="local")
    assert third.metrics["global"][LAYOUT] == "promoted"
