"""Sets that are confirmed while a run is under way."""

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest

from pipelines.exercise import job
from pipelines.exercise.job import train_exercise
from pipelines.exercise.rows import SETS_CHANGED
from store.champions import Champions
from store.models import ModelKey
from tests.pipelines.people import LAYOUT, confirmed, done_at, put, sets_of, user_id

PEOPLE = 3


@pytest.fixture
def database(spark_config, people):
    with confirmed(spark_config.cassandra, [sets[:-1] for sets in people]) as connection:
        yield connection


def test_member_whose_sets_changed_since_the_sums_is_tried_again_by_the_next_run(
    database, spark_config, spar, monkeypatch
):
    """The global model cannot be asked without sets that it does not hold."""
    served_versions = job.served_versions

    def confirm_and_read(*arguments):
        put(database, user_id(0), done_at(sets_of(spar, 0)[-1:], datetime.now(UTC)))
        return served_versions(*arguments)

    monkeypatch.setattr(job, "served_versions", confirm_and_read)  # between the two passes
    report = train_exercise(spark_config, engine="local")
    assert report.counts["overtaken"] == 1
    assert Counter(report.reasons)[SETS_CHANGED] == 1
    assert report.counts["promoted"] == PEOPLE - 1
    key = ModelKey.of_user(user_id(0), LAYOUT, "exercise")
    assert asyncio.run(Champions(database).read(key)) is None

    again = train_exercise(spark_config, users="changed", engine="local")
    assert again.counts["promoted"] == 1
    assert asyncio.run(Champions(database).read(key)) is not None
