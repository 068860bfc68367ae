"""A model that is too large for a row is refused with a reason; the other models are promoted."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from pipelines import form
from pipelines.exercise.global_models import read_global_models
from pipelines.exercise.job import train_exercise
from pipelines.lifecycle import model_rows
from pipelines.lifecycle.pointers import pointers_in_effect
from pipelines.lifecycle.set_logs import COLUMNS
from pipelines.personal.family import PersonalModel
from pipelines.personal.rows import learned_rows
from schemas.times import LATEST
from tests.pipelines.people import LAYOUT, confirmed, sets_of, user_id

PEOPLE = 3


@pytest.fixture
def database(spark_config, people):
    with confirmed(spark_config.cassandra, people) as connection:
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


def test_form_of_a_user_whose_model_is_too_large_is_a_failure_with_a_reason(spar, monkeypatch):
    sets = [
        {"user_id": "u", "model_id": LAYOUT, "reps": None}
        | {name: getattr(row, name) for name in ("set_id", "exercise", "started_at", "samples")}
        for row in sets_of(spar, 0, exercises=1)
    ]
    key, group = (str(user_id(0)), LAYOUT), pa.Table.from_pylist(sets)
    monkeypatch.setattr(model_rows, "MAX_MODEL_BYTES", 100)
    [row] = form.learned_row(key, group)
    assert (row["status"], row.get("bytes")) == ("failed", None)
    assert "too many different exercises" in row["reason"]


def test_personal_model_that_is_too_large_fails_its_user_only(monkeypatch):
    """Models of a byte for each set; the cap is one of them."""
    monkeypatch.setattr(model_rows, "MAX_MODEL_BYTES", 1)

    def learn(logs, cutoff_s):
        return [PersonalModel(b"m" * len(log)) for log in logs]

    done = dict.fromkeys(COLUMNS) | {
        "exercise": "row",
        "started_at": datetime(2026, 11, 1, tzinfo=UTC),
        "session_id": str(user_id(9)),
        "reps": 8,
        "revision": 1,
    }
    portion = [
        (
            (str(user_id(person)),),
            pa.Table.from_pylist([done | {"set_id": str(n)} for n in range(person)]),
        )
        for person in (1, 2)
    ]
    small, large = learned_rows(portion, learn=learn, cutoff_s=0.0, latest=LATEST)
    assert (small["status"], small["bytes"]) == ("learned", b"m")
    assert (large["status"], large.get("bytes"), large.get("later_sets")) == ("failed", None, None)
    assert "too many different exercises" in large["reason"]
