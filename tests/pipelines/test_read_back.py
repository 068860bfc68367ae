"""Runs over some users, beside a global model that may have learned their earlier sets."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.exercise import global_gate
from pipelines.exercise.global_models import read_global_models
from pipelines.exercise.job import train_exercise
from pipelines.exercise.passes import read_training_sets
from pipelines.exercise.recipes import named_recipe, recipe_of
from pipelines.exercise.rows import FitContext, learned_row
from pipelines.lifecycle.engines import spark_key
from pipelines.lifecycle.open_refusals import NONE_SINCE_GLOBAL
from pipelines.lifecycle.retries import unfinished
from schemas.times import us_of
from store.champions import Champions
from store.models import ModelKey
from tests.pipelines.people import LAYOUT, confirmed, done_at, put, sets_of, user_id

PEOPLE = 3
NEWCOMER = user_id(PEOPLE)
OUTSIDER = user_id(4)  # whose rank is above those of all three
RUNGS = ("own", "everybody", "majority")
SOON = timedelta(minutes=1)


@pytest.fixture
def database(spark_config, people):
    """Three members of the global model that serves."""
    with confirmed(spark_config.cassandra, people) as connection:
        assert train_exercise(spark_config, engine="local").counts["promoted"] == PEOPLE
        yield connection


def evaluated(database, spark_config, user) -> dict[str, set[str]]:
    """Rung to the sets of a user on which it is evaluated, beside the models of the store."""
    models = read_global_models(database)
    context = FitContext(named_recipe(recipe_of(spark_config), models), models)
    key = user, LAYOUT
    [row] = learned_row(spark_key(key), read_training_sets(database, key), context=context)
    assert row["status"] == "learned"
    return {rung: set(json.loads(row["rungs"])[rung]["sets"]) for rung in RUNGS}


def serving(database, user):
    return asyncio.run(Champions(database).read(ModelKey.of_user(user, LAYOUT, "exercise")))


def test_member_is_evaluated_on_sets_that_the_global_model_has_not_learned(
    database, spark_config, spar
):
    assert all(evaluated(database, spark_config, user_id(0))[rung] == set() for rung in RUNGS)
    new = done_at(renumbered(sets_of(spar, 0)[:4]), datetime.now(UTC) + SOON)
    put(database, user_id(0), new)
    found = evaluated(database, spark_config, user_id(0))
    assert [found[rung] for rung in RUNGS] == [{row.set_id for row in new}] * len(RUNGS)


def test_corrected_set_of_a_member_does_not_evaluate(database, spark_config, spar):
    """Its movement was learned, under whatever name."""
    last = sets_of(spar, 0)[-1]
    put(database, user_id(0), [replace(last, revision=us_of(datetime.now(UTC)))])
    assert evaluated(database, spark_config, user_id(0))["everybody"] == set()


@pytest.mark.parametrize("user", [NEWCOMER, OUTSIDER])
def test_whoever_is_not_in_the_global_model_is_evaluated_on_all_later_sets(
    database, spark_config, spar, user
):
    """A newcomer who sends old training, and a user who was not drawn."""
    revision = us_of(datetime.now(UTC) + SOON) if user == NEWCOMER else us_of(sent_before())
    sets = [replace(one, revision=revision) for one in sets_of(spar, PEOPLE)]
    put(database, user, sets)
    last = {row.set_id for row in sets[-4:]}  # of four days
    found = evaluated(database, spark_config, user)
    assert [found[rung] for rung in RUNGS] == [last] * len(RUNGS)
    put(database, user, [], datetime.now(UTC))
    assert train_exercise(spark_config, users=[user], engine="local").counts["promoted"] == 1


def test_member_without_a_later_set_keeps_what_serves(database, spark_config, spar, monkeypatch):
    """A label was corrected. A full run, whose own global model can do without, decides."""
    before = serving(database, user_id(0))
    again = train_exercise(spark_config, users=[user_id(0)], engine="local")
    assert (again.status, again.counts["unchanged"]) == ("done", 1)
    last, other = sets_of(spar, 0)[-1], sets_of(spar, 0)[0].exercise
    corrected = replace(last, revision=us_of(datetime.now(UTC)), exercise=other)
    put(database, user_id(0), [corrected], datetime.now(UTC))
    refused = train_exercise(spark_config, users="changed", engine="local")
    reason = f"10-19 sets: no later set to judge by; {NONE_SINCE_GLOBAL}"
    assert refused.reasons == {reason: 1}
    assert refused.status == "done", "nobody was judged"
    assert train_exercise(spark_config, users="changed", engine="local").reasons == {reason: 1}
    assert serving(database, user_id(0)) == before
    with monkeypatch.context() as refusing:
        refusing.setattr(global_gate, "refusal_reason", lambda *_, **__: "worse")
        assert train_exercise(spark_config, engine="local").counts["refused"] == 1
    assert unfinished(database, "exercise") == {user_id(0)}, "until a global model is promoted"
    whole = train_exercise(spark_config, engine="local")
    assert whole.counts == {"sets": 16 * PEOPLE, "promoted": PEOPLE}


def renumbered(sets):
    """Sets of other ids."""
    return [replace(one, set_id=f"{one.set_id[:-4]}ffff"[: len(one.set_id)]) for one in sets]


def sent_before() -> datetime:
    """A time before the run that learned the global model."""
    return datetime.now(UTC) - timedelta(days=20)
