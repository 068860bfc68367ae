"""A run that lost its lease changes nothing that others see: another run may be at that point."""

import asyncio
from contextlib import nullcontext
from datetime import timedelta
from types import SimpleNamespace
from uuid import uuid4

import pyarrow as pa
import pytest

from pipelines.activity.job import train_activity
from pipelines.batch.family import BatchResult
from pipelines.batch.job import train_batch
from pipelines.batch.live_rows import retire_live_rows
from pipelines.exercise.job import train_exercise
from pipelines.lifecycle import engines, runs
from pipelines.lifecycle.engines import LocalEngine, Pass, SparkEngine
from pipelines.lifecycle.global_retirement import retire_global
from pipelines.lifecycle.job import Job
from pipelines.lifecycle.runs import Run
from pipelines.lifecycle.user_models import promote_users, retire_users
from schemas.config import Config
from schemas.errors import LeaseHeld
from schemas.progress import NoProgress
from tests.pipelines.made_families import USER, count_rows_only, fake, lease_of, live
from tests.pipelines.people import Meanwhile, confirmed, user_id
from tests.pipelines.workouts import NOW, keep, stretch_of, walker

LOST = "taken by another run"


class Untouched:
    """A database that nobody may use."""

    def __getattr__(self, name):
        raise AssertionError(f"the database was used: {name}")


@pytest.fixture
def job():
    """A job whose lease was lost."""
    lease = lease_of("rank")
    lease.lost = LOST
    return Job(Config(), Untouched(), Run("rank", uuid4(), NOW, lease), NoProgress(), "local")


PASS = Pass(None, lambda groups: [{}], pa.schema([]))


def write_locally(job):
    return LocalEngine(job.database).learn_portions([[]], PASS, job.run)


def write_on_executors(job):
    frame = SimpleNamespace(drop=lambda *names: SimpleNamespace(collect=list))
    return SparkEngine(None, "muvr")._write(frame, PASS, job.run)


@pytest.mark.parametrize(
    "change",
    [
        lambda job: retire_live_rows(job, "rank"),
        lambda job: promote_users(job, [], {}),
        lambda job: retire_users(job, [], []),
        lambda job: retire_global(job, ["exercise"], {"wrist-acc3"}),
        write_locally,
        write_on_executors,
    ],
    ids=["live rows", "promotion", "retirement", "global models", "local", "executors"],
)
def test_a_step_asks_for_the_lease_before_it_changes_anything(job, change, monkeypatch):
    monkeypatch.setattr(engines, "persisted", nullcontext)
    with pytest.raises(LeaseHeld, match=LOST):
        change(job)


@pytest.fixture
def lost_after(monkeypatch):
    """Progress by which a run loses its lease after a step of this name."""
    leases, take = [], runs.take_lease
    monkeypatch.setattr(runs, "take_lease", lambda *of: leases.append(take(*of)) or leases[-1])
    return lambda step: Meanwhile(lambda: setattr(leases[-1], "lost", LOST), step)


@pytest.fixture(scope="module")
def database(spark_config, people):
    """Three people with sets, two of them with workouts."""
    with confirmed(spark_config.cassandra, people) as connection:
        for person in range(2):
            days = [stretch_of(10 * person + n, NOW + timedelta(days=n)) for n in range(2)]
            keep(connection, walker(person), days)
        yield connection


@pytest.mark.parametrize("users", ["all", [user_id(0)]], ids=["all", "one"])
def test_exercise_models_do_not_serve(database, spark_config, lost_after, users):
    progress = lost_after("user models learned")
    with pytest.raises(LeaseHeld, match=LOST):
        train_exercise(spark_config, users=users, engine="local", progress=progress)
    assert pointers(database) == []


def test_an_activity_model_does_not_serve(database, spark_config, lost_after):
    progress = lost_after("activity: users read")
    with pytest.raises(LeaseHeld, match=LOST):
        train_activity(spark_config, engine="local", progress=progress)
    assert pointers(database) == []


def test_rows_do_not_go_live(database, spark_config, lost_after, monkeypatch):
    count_rows_only(monkeypatch)
    family = fake(lambda: BatchResult([(USER, 1.0, 1)], {}))
    with pytest.raises(LeaseHeld, match=LOST):
        train_batch(family, spark_config, progress=lost_after("rank: rows learned"))
    assert live(database, "rank") is None


def pointers(database):
    return asyncio.run(database.run("SELECT owner, family, version FROM champions"))
