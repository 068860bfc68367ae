"""People and sessions without Spark, what is learned of them, and runs in this process."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from models.activity.fit import fit_activity
from models.activity.model import ActivityModel
from models.exercise.codec import statistics_to_bytes
from models.exercise.statistics import total
from pipelines.activity.examples import LabelledStretch, examples_of, labelled_stretches
from pipelines.exercise.job import train_exercise
from pipelines.exercise.labelled import LabelledRow
from pipelines.exercise.learner import member_statistics
from pipelines.experiments.cold_start import model_of_sums
from pipelines.lifecycle.runs import RunReport
from store.champions import Champions
from store.models import ModelKey
from tests.pipelines.global_sums import FAMILIES, RECIPE, STRANGER
from tests.pipelines.people import LAYOUT, sets_of, user_id
from tests.pipelines.workouts import NOW, partition, stretch_of


@pytest.fixture(scope="session")
def people(spar) -> list[list[LabelledRow]]:
    """The sets of three people, oldest first."""
    return [sets_of(spar, person) for person in range(3)]


@pytest.fixture
def train(database, spark_config) -> Callable[..., RunReport]:
    """Train in this process, so many days from now, or at a time."""
    begun = datetime.now(UTC)

    def run(users="changed", days=0.0, at=None):
        at = at or begun + timedelta(days=days)
        return train_exercise(spark_config, users=users, engine="local", clock=lambda: at)

    return run


@pytest.fixture(scope="session")
def statistics(people):
    """The statistics of these people, by user id."""
    known = {str(user_id(person)): sets for person, sets in enumerate(people)}
    return {user: member_statistics(sets, LAYOUT, RECIPE)[0] for user, sets in known.items()}


@pytest.fixture(scope="session")
def sums(statistics):
    """The summed model of the first two people."""
    members = sorted(user for user in statistics if user != STRANGER)
    known = total([statistics[user] for user in members])
    row = {"model_id": LAYOUT, "members": members, "sums": statistics_to_bytes(known)}
    return model_of_sums([row])


@pytest.fixture
def store(database):
    """The shared keyspace; its global models are removed afterwards, for other tests."""
    yield database
    for family in FAMILIES:
        asyncio.run(Champions(database).remove(ModelKey.of_global(LAYOUT, family)))


@pytest.fixture(scope="session")
def stretches() -> list[LabelledStretch]:
    """Two labelled sessions of one person, a day apart."""
    table = partition(0, stretch_of(2, NOW + timedelta(days=1)), stretch_of(1))
    return labelled_stretches(table)


@pytest.fixture(scope="session")
def two_days(stretches):
    """The examples of activity in these sessions, by day."""
    return examples_of(stretches, LAYOUT)


@pytest.fixture(scope="session")
def whole(two_days) -> ActivityModel:
    """The activity model of both days, borders included."""
    return fit_activity([e for day in two_days.values() for e in day], LAYOUT)
