"""Models per user from confirmed sets, learned in this process: the same as on Spark."""

import asyncio
from uuid import UUID

import pytest

from pipelines.intensity import INTENSITY
from pipelines.jobs import train
from pipelines.lifecycle import job as lifecycle
from pipelines.load import LOAD
from pipelines.next import NEXT
from store.jobs import JobRuns
from store.models import ModelKey, Models
from tests.pipelines.crowd import IMPOSSIBLE, crowd, settled, write_impossible

FAMILIES = [INTENSITY.name, LOAD.name, NEXT.name]


@pytest.fixture(scope="module")
def people():
    return crowd()


@pytest.fixture(scope="module")
def database(spark, spark_config, people):
    """What people did; the last of them also have impossible sets."""
    with settled(spark_config.cassandra, people) as connection:
        write_impossible(connection, people[-len(IMPOSSIBLE) :])
        yield connection


def outcomes(database, report):
    return {one.user_id: one for one in asyncio.run(JobRuns(database).users(report.run_id))}


def starts_no_spark(*_):
    raise AssertionError("Spark was started")


@pytest.fixture
def no_spark(monkeypatch):
    monkeypatch.setattr(lifecycle, "spark_session", starts_no_spark)


@pytest.mark.parametrize("family", FAMILIES)
def test_models_learned_in_this_process_have_the_bytes_of_spark(
    database, spark_config, people, monkeypatch, family
):
    with monkeypatch.context() as patched:
        patched.setattr(lifecycle, "spark_session", starts_no_spark)
        local = train(family, spark_config, engine="local")
    on_spark = train(family, spark_config)
    assert local.status == on_spark.status == "done"
    promoted = local.counts["promoted"]
    assert promoted >= len(people) // 2
    assert on_spark.counts["unchanged"] == promoted  # the same bytes
    assert local.metrics["newest_set"] == on_spark.metrics["newest_set"]
    assert local.metrics["later_sets"] == on_spark.metrics["later_sets"]
    assert local.metrics["error"] == pytest.approx(on_spark.metrics["error"], rel=1e-12)
    found, expected = outcomes(database, local), outcomes(database, on_spark)
    assert found.keys() == expected.keys() == {person.user_id for person in people}
    broken = {person.user_id for person in people[-len(IMPOSSIBLE) :]}
    assert {user for user, one in found.items() if one.status == "failed"} == broken
    for user, outcome in found.items():
        again = "unchanged" if outcome.status == "promoted" else outcome.status
        assert expected[user] == outcome._replace(status=again)


def test_one_user_is_learned_without_spark(database, spark_config, people, no_spark):
    person = people[0].user_id
    report = train("intensity", spark_config, users=[person], engine="local")
    assert set(outcomes(database, report)) == {person}
    assert report.counts["sets"] == len(people[0].sets())
    [outcome] = outcomes(database, report).values()
    key = ModelKey.of_user(person, "sets", "intensity")
    assert asyncio.run(Models(database).get(key, outcome.version)).content


def test_user_without_sets_has_no_outcome(database, spark_config, people, no_spark):
    nobody = UUID(int=7)
    report = train("load", spark_config, users=[nobody, people[0].user_id], engine="local")
    assert set(outcomes(database, report)) == {people[0].user_id}
