"""Experimental models of the exercise family, on Spark over Cassandra."""

import asyncio
from datetime import timedelta

import pytest

from models.exercise.codec import from_bytes
from pipelines.exercise.job import train_exercise
from pipelines.jobs import train
from store.champions import Champions
from store.jobs import JobRuns
from store.models import ModelKey, Models
from tests.pipelines.people import LAYOUT, put, sets_of, user_id
from tests.spark_session import emptied

PEOPLE = 4


@pytest.fixture(scope="module")
def settled(spark, spark_config, spar):
    with emptied(spark_config.cassandra) as database:
        for person in range(PEOPLE):
            put(database, user_id(person), sets_of(spar, person))
        train_exercise(spark_config)
        yield database


def kept(database, family):
    return asyncio.run(Models(database).versions(ModelKey.of_global(LAYOUT, family)))


def serving_recipe(database):
    """The recipe of the global model that serves."""
    pointer = asyncio.run(Champions(database).serving(ModelKey.of_global(LAYOUT, "exercise")))
    stored = asyncio.run(Models(database).get(pointer.key, pointer.version))
    return stored.manifest["recipe"]


@pytest.mark.parametrize("family", ["exercise-averaged", "exercise-search", "exercise-perceptron"])
def test_experiment_learns_from_some_people_and_evaluates_on_the_others(
    settled, spark_config, family
):
    report = train(family, spark_config)
    assert report.status == "done", report.reasons
    said = [report.counts[name] for name in ("people", "choosing", "judging")]
    assert said == [PEOPLE, 1, 1]
    run = asyncio.run(JobRuns(settled).read(family, report.run_id))
    assert run.metrics.keys() >= report.metrics.keys()
    assert asyncio.run(Champions(settled).read(ModelKey.of_global(LAYOUT, family))) is None
    if family == "exercise-search":
        table = report.metrics["table"]
        assert len(table) == 10
        assert table[report.metrics["best"]] == max(table.values())
        assert len(kept(settled, family)) == 1
    else:
        assert report.metrics["windows_right"] > 0.25  # four exercises: better than chance
    if family == "exercise-averaged":
        [found] = kept(settled, family)
        assert found.created_at - run.started_at >= timedelta(seconds=report.seconds["learn"])
        model = asyncio.run(Models(settled).get(ModelKey.of_global(LAYOUT, family), found.version))
        assert from_bytes(model.content).level == "global"
        said = report.metrics["cold_start"]
        assert (said["people"], said["sets"]) == (1, 16)
        assert said["majority"] == 0.25  # four exercises, four sets of each
        assert said["serves"] == serving_recipe(settled)
        again = train(family, spark_config, users="changed")
        assert (again.status, again.counts) == ("nothing-to-do", {})
