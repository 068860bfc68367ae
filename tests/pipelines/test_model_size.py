"""A model that is too large for a row is refused with a reason; the other models are promoted."""

import pytest

from pipelines.exercise.global_models import read_global_models
from pipelines.exercise.job import train_exercise
from pipelines.lifecycle import model_rows
from pipelines.lifecycle.pointers import pointers_in_effect
from tests.pipelines.people import LAYOUT, put, sets_of, user_id
from tests.spark_session import emptied

PEOPLE = 3


@pytest.fixture
def database(spark_config, spar):
    with emptied(spark_config.cassandra) as connection:
        for person in range(PEOPLE):
            put(connection, user_id(person), sets_of(spar, person))
        yield connection


def test_users_are_promoted_although_the_global_model_is_too_large(
    database, spark_config, monkeypatch
):
    """As of hundreds of exercises, which people name freely; here statistics take a megabyte."""
    monkeypatch.setattr(model_rows, "MAX_MODEL_BYTES", 500_000)
    report = train_exercise(spark_config, engine="local")
    assert "too many different exercises" in report.metrics["global"][LAYOUT]
    assert read_global_models(database) == {}
    assert report.counts["promoted"] == PEOPLE


def test_user_whose_model_is_too_large_keeps_the_one_that_serves(
    database, spark_config, monkeypatch
):
    train_exercise(spark_config, engine="local")
    keys = [(user_id(person), LAYOUT) for person in range(PEOPLE)]
    before = pointers_in_effect(database, keys, "exercise")
    assert len(before) == PEOPLE
    monkeypatch.setattr(model_rows, "MAX_MODEL_BYTES", 1000)
    report = train_exercise(spark_config, engine="local")
    assert report.counts["failed"] == PEOPLE
    [reason] = report.reasons
    assert "too many different exercises" in reason
    assert pointers_in_effect(database, keys, "exercise") == before
