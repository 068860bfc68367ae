"""The form job: templates from real recordings in Cassandra, on Spark and in one process."""

import asyncio
from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

from models.form.codec import from_bytes
from models.signal.pieces import Piece, pack_pieces
from pipelines.form import NEWEST_SETS, counted_set, newest_rows, train_form
from pipelines.lifecycle.pointers import OVERTAKEN
from schemas.inputs import ACC3, ACC6
from store.champions import Champions
from store.models import ModelKey, Models
from tests.pipelines.people import LAYOUT, NOW, Meanwhile, put, sets_of, user_id
from tests.spark_session import emptied


@pytest.fixture(scope="module")
def world(spark, spark_config, spar):
    """Two people, one of whom has too few sets for a template, and one whose samples are broken."""
    with emptied(spark_config.cassandra) as database:
        whole = sets_of(spar, 0, exercises=2)
        put(database, user_id(0), whole)
        put(database, user_id(1), sets_of(spar, 1, exercises=1)[:2])
        broken = sets_of(spar, 2, exercises=1)
        put(database, user_id(2), [*broken[:2], replace(broken[2], samples=b"\x93 no samples")])
        yield database, train_form(spark_config), whole


def serving(database, person: int):
    return asyncio.run(Champions(database).read(ModelKey.of_user(user_id(person), LAYOUT, "form")))


def stored_model(database, person: int):
    champion = serving(database, person)
    return asyncio.run(Models(database).get(champion.key, champion.version))


def book_of(database, person: int):
    return from_bytes(stored_model(database, person).content)


def test_users_with_enough_sets_get_templates_and_broken_samples_a_reason(world):
    database, report, whole = world
    assert (report.status, report.counts) == (
        "done",
        {"sets": len(whole) + 5, "promoted": 2, "failed": 1},
    )
    assert [reason.split()[0] for reason in report.reasons] == ["BadSamples:"]
    few = book_of(database, 1)
    assert (few.templates, len(few.sets)) == ({}, 2)
    stored = stored_model(database, 0)
    book = book_of(database, 0)
    assert [UUID(set_.set_id) for set_ in book.sets] == [UUID(set_row.set_id) for set_row in whole]
    assert [set_.started_ms for set_ in book.sets] == [
        round(set_row.started_at.timestamp() * 1000) for set_row in whole
    ]
    exercises = sorted({set_row.exercise for set_row in whole})
    assert sorted(book.templates) == [(name, "left") for name in exercises]
    assert stored.manifest["labels"] == exercises
    assert all(template.sets == 4 for template in book.templates.values())


def test_local_engine_makes_the_same_bytes_as_spark(world, spark_config):
    database, _, _ = world
    before = serving(database, 0)
    report = train_form(spark_config, users=[user_id(0)], engine="local")
    assert report.counts["unchanged"] == 1
    assert serving(database, 0) == before
    assert train_form(spark_config, users="changed", engine="local").status == "nothing-to-do"


def test_models_are_written_by_executors_and_not_by_the_driver(world, spark_config, monkeypatch):
    async def refuse(*_: object) -> None:
        raise AssertionError("the driver was handed a model")

    database, _, _ = world
    before = serving(database, 0)
    monkeypatch.setattr(Models, "put", refuse)
    report = train_form(spark_config, users=[user_id(0)])
    assert (report.status, report.counts["unchanged"]) == ("done", 1)
    assert serving(database, 0) == before
    stored = asyncio.run(Models(database).get(before.key, before.version))
    assert stored.run_id == report.run_id, "the executors wrote it"


@pytest.mark.parametrize(
    ("seconds", "counts"), [(2, False), (4, True), (1200, True), (1201, False)]
)
def test_sets_too_short_or_too_long_to_be_counted_are_left_out(seconds: int, counts: bool):
    turns = np.sin(np.arange(seconds * 50) * (2 * np.pi / 100))  # a repetition in two seconds
    samples = np.column_stack([turns * 1500, turns * 500, 4096 + turns * 800]).astype(np.int16)
    row = {
        "set_id": "a set",
        "model_id": ACC3,
        "exercise": "row",
        "started_at": NOW,
        "samples": pack_pieces((Piece(0, 50.0, "g", 1 / 4096, samples),), (), "left"),
        "reps": None,
    }
    assert (counted_set(row) is not None) == counts


@pytest.mark.parametrize(
    ("layout", "gyro", "counts"),
    [(ACC6, "turns", True), (ACC6, "off", False), (ACC6, None, False), (ACC3, None, True)],
)
def test_sets_whose_gyroscope_was_off_are_not_learned_with_rotation(layout, gyro, counts):
    """Their speed is that of tilt, which templates of rotation are not comparable with."""
    turns = np.sin(np.arange(1500) * (2 * np.pi / 100))
    acc = np.column_stack([turns * 1500, turns * 500, 4096 + turns * 800]).astype(np.int16)
    rotation = np.column_stack([0 * turns, 0 * turns, turns * 1500 * (gyro == "turns")])
    pieces = (Piece(0, 50.0, "rad/s", 1e-3, rotation.astype(np.int16)),) if gyro else ()
    row = {
        "set_id": "a set",
        "model_id": layout,
        "exercise": "row",
        "started_at": NOW,
        "samples": pack_pieces((Piece(0, 50.0, "g", 1 / 4096, acc),), pieces, "left"),
        "reps": None,
    }
    assert (counted_set(row) is not None) == counts


def test_sets_whose_reps_contradict_the_counted_repetitions_are_left_out(spar):
    set_row = sets_of(spar, 0, exercises=1)[0]
    row = {
        "set_id": set_row.set_id,
        "model_id": LAYOUT,
        "exercise": set_row.exercise,
        "started_at": set_row.started_at,
        "samples": set_row.samples,
        "reps": None,
    }
    done = counted_set(row)
    assert (done.exercise, done.side) == (set_row.exercise, "left")
    said = len(done.repetitions)
    assert counted_set({**row, "reps": said + 2}) is not None
    assert counted_set({**row, "reps": said + 3}) is None


def test_newest_rows_keeps_the_newest_sets_of_each_exercise_in_order():
    rows = [
        {"exercise": name, "started_at": k, "set_id": k}
        for k in range(NEWEST_SETS + 2)
        for name in ("a", "b")
    ]
    kept = newest_rows(rows)
    assert [row["started_at"] for row in kept if row["exercise"] == "a"] == [
        *range(2, NEWEST_SETS + 2)
    ]
    assert len(kept) == 2 * NEWEST_SETS


def test_rollback_made_while_a_run_is_under_way_is_kept(spark_config, empty, spar):
    sets, champions = sets_of(spar, 0, exercises=1), Champions(empty)
    key = ModelKey.of_user(user_id(0), LAYOUT, "form")
    put(empty, user_id(0), sets[:2])
    train_form(spark_config, engine="local")
    first = serving(empty, 0).version
    put(empty, user_id(0), sets[2:3])
    train_form(spark_config, engine="local")

    def roll_back():
        asyncio.run(champions.rollback(key, NOW))

    put(empty, user_id(0), sets[3:])
    meanwhile = Meanwhile(roll_back, after="form: user models learned")
    report = train_form(spark_config, engine="local", progress=meanwhile)
    assert (report.counts["overtaken"], report.reasons) == (1, {OVERTAKEN: 1})
    assert serving(empty, 0).version == first
    assert train_form(spark_config, users="changed", engine="local").counts["promoted"] == 1
