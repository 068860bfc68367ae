"""How the guide of analysts counts what live guesses got right."""

import asyncio
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from models.population.simulate import simulate
from pipelines.personal.family import PersonalFamily, PersonalModel
from pipelines.personal.gate import Evidence
from pipelines.personal.job import train_personal
from store.jobs import JobRuns
from store.models import ModelKey, Models
from tests.pipelines.analyst_guide import questions
from tests.pipelines.crowd import settle


def test_live_accuracy_compares_a_prediction_with_its_set_if_the_model_is_older():
    (question,) = [question for question in questions() if "right_share" in question]
    at = datetime(2026, 1, 1, tzinfo=UTC)
    off = timedelta(seconds=0.5)
    with duckdb.connect() as mart:
        mart.execute(
            "CREATE TABLE sets (user TEXT, session TEXT, started_at TIMESTAMPTZ, "
            "ended_at TIMESTAMPTZ, exercise TEXT, label_source TEXT, revised_at TIMESTAMPTZ);"
            "CREATE TABLE predictions (user TEXT, session TEXT, started_at TIMESTAMPTZ, "
            "ended_at TIMESTAMPTZ, exercise TEXT, level TEXT, probability DOUBLE, "
            "abstained BOOLEAN, family TEXT, version TEXT);"
            "CREATE TABLE models (owner TEXT, family TEXT, version TEXT, created_at TIMESTAMPTZ)"
        )
        mart.executemany(
            "INSERT INTO models VALUES (?, 'exercise', ?, ?)",
            [("u", "old", at), ("u", "new", at + timedelta(days=1)), ("another", "old", at)],
        )
        learned = ("press", "typed", "new")  # by a model that may have learned the set
        sets = (
            ("row", "typed", "old"),
            ("squat", "corrected", "old"),
            ("curl", "accepted_guess", "old"),
            learned,
        )
        for n, (name, source, version) in enumerate(sets):
            start, end = at + n * timedelta(seconds=30), at + (n + 1) * timedelta(seconds=30)
            mart.execute(
                "INSERT INTO sets VALUES ('u', 's', ?, ?, ?, ?, ?)",
                [start, end, name, source, at + timedelta(hours=1)],
            )
            mart.execute(
                "INSERT INTO predictions VALUES "
                "('u', 's', ?, ?, ?, 'user', 0.5, false, 'exercise', ?)",
                [start + off, end + off, name, version],
            )
        assert mart.execute(question).fetchall() == [("user", 2, 0.5, 1.0)]


def dated(logs, cutoff_s):
    """Models that hold the time at which they were learned: their sets had been read by then."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    return [PersonalModel(at.encode(), Evidence(10, 4.0, 5.0)) for _ in logs]


@pytest.mark.parametrize("engine", ["local", "spark"])
@pytest.mark.usefixtures("spark")
def test_a_model_is_dated_after_its_sets_were_read(empty, spark_config, engine):
    """A set that is confirmed after the run began, and read by it, is older than the model."""
    [person] = simulate(1, 3, 3)
    settle(empty, [person])
    report = train_personal(PersonalFamily("dated", dated, "made"), spark_config, engine=engine)
    run = asyncio.run(JobRuns(empty).read("dated", report.run_id))
    key = ModelKey.of_user(person.user_id, "sets", "dated")
    [described] = asyncio.run(Models(empty).versions(key))
    model = asyncio.run(Models(empty).get(key, described.version))
    learned_at = datetime.fromisoformat(model.content.decode())
    assert run.started_at < learned_at <= model.created_at <= run.finished_at
