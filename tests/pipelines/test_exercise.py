"""The exercise job end to end: real recordings, Cassandra and Spark."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID, uuid4

import numpy as np
import pytest

from models.exercise.codec import from_bytes, statistics_to_bytes, to_bytes
from models.exercise.examples import ExampleSettings
from models.exercise.fit import GlobalModel, fit_global
from models.exercise.protocols.trials import Movement, training_statistics
from models.exercise.statistics import total
from models.signal.pieces import unpack_pieces
from models.signal.wrist import wrist_signals
from pipelines.exercise.calibration import SHIPPED, Calibrations
from pipelines.exercise.global_fit import fit_global_models, portions_of
from pipelines.exercise.global_models import STATISTICS, read_calibrations, read_global_models
from pipelines.exercise.job import train_exercise
from pipelines.exercise.labelled import LabelledRow
from pipelines.exercise.learner import learn_user
from pipelines.exercise.passes import global_sums, sums_pass
from pipelines.exercise.recipes import named_recipe, recipe_of
from pipelines.lifecycle.engines import LocalEngine, SparkEngine
from pipelines.lifecycle.threads import one_blas_thread
from pipelines.spark.plans import require_no_shuffle
from schemas.errors import LeaseHeld
from schemas.layout import GLOBAL_OWNER
from store.champions import Champions
from store.job_leases import JobLeases
from store.jobs import JobRuns
from store.models import ModelKey, Models
from store.watermarks import ANNOUNCED_BEFORE, Watermarks
from tests.pipelines.people import LAYOUT, confirmed, done_at, mislabelled, put, sets_of, user_id
from tests.spark_session import emptied

PEOPLE = 5
POISONED = PEOPLE  # the person after them
HELD_BACK = 2  # sets of person 0 that come later


@pytest.fixture(scope="module")
def people(spar):
    return [sets_of(spar, person) for person in range(PEOPLE + 1)]


@pytest.fixture(scope="module")
def world(spark, spark_config, people):
    """Five people and one whose samples are broken, trained once."""
    with emptied(spark_config.cassandra) as database:
        for person in range(1, PEOPLE):
            put(database, user_id(person), people[person])
        put(database, user_id(0), people[0][:-HELD_BACK])
        broken = replace(people[POISONED][3], samples=b"\x93 no samples")
        put(database, user_id(POISONED), [*people[POISONED][:3], broken, *people[POISONED][4:]])
        report = train_exercise(spark_config)
        yield database, report


def champion(database, person: int):
    key = ModelKey.of_user(user_id(person), LAYOUT, "exercise")
    return asyncio.run(Champions(database).read(key))


def stored(database, person: int):
    pointer = champion(database, person)
    return asyncio.run(Models(database).get(pointer.key, pointer.version))


def test_user_with_broken_samples_fails_with_a_reason_and_the_others_are_promoted(world):
    database, report = world
    assert report.status == "done"
    assert report.counts == {"sets": 16 * (PEOPLE + 1) - HELD_BACK, "promoted": 5, "failed": 1}
    assert report.metrics["people"] == {"failed": 1, "promoted": 5}
    [reason] = report.reasons
    assert "BadSamples" in reason
    outcomes = asyncio.run(JobRuns(database).users(report.run_id))
    assert Counter(outcome.status for outcome in outcomes) == {"promoted": 5, "failed": 1}
    assert [outcome.user_id for outcome in outcomes if outcome.reason] == [user_id(POISONED)]
    assert champion(database, POISONED) is None


def test_run_is_recorded_with_its_metrics_and_watermark(world):
    database, report = world
    run = asyncio.run(JobRuns(database).read("exercise", report.run_id))
    assert (run.status, run.counts) == ("done", report.counts)
    assert (
        run.metrics["rungs"]["own"]["sets_right"] > run.metrics["rungs"]["majority"]["sets_right"]
    )
    mark = asyncio.run(Watermarks(database).read("exercise", datetime.now(UTC)))
    assert run.started_at - mark == ANNOUNCED_BEFORE


def test_stored_model_equals_the_one_learned_without_spark(world, spark_config, people):
    """The same sets, seed and global model give the same bytes."""
    database, _ = world
    everybody = read_global_models(database)
    recipe = named_recipe(recipe_of(spark_config), everybody)
    learned = learn_user(people[1], LAYOUT, recipe, everybody[LAYOUT].learned)
    model = stored(database, 1)
    assert model.content == learned.content
    assert model.manifest["data_digest"] == learned.data_digest
    assert model.manifest["calibration"] == SHIPPED  # five people are too few to learn it on
    assert model.manifest["labels"] == list(from_bytes(model.content).labels)
    assert model.manifest["golden"].keys() == {"x", "scores", "probabilities", "strangeness"}


def test_evaluation_protocol_learns_the_same_global_model_as_spark(world, spark_config, people):
    """The global model of a fold of `muvr evaluate` equals Spark's, bit for bit."""
    database, _ = world
    recipe = recipe_of(spark_config).windows
    used = [people[0][:-HELD_BACK], *people[1:PEOPLE]]
    fold = [[movement(set_, recipe.seed) for set_ in sets] for sets in used]
    everybody = one_blas_thread()(fold_model)(fold, recipe.settings)
    pointer = asyncio.run(Champions(database).read(ModelKey.of_global(LAYOUT, "exercise")))
    served = asyncio.run(Models(database).get(pointer.key, pointer.version))
    assert to_bytes(everybody.model) == served.content
    assert statistics_to_bytes(everybody.statistics) == statistics_to_bytes(
        read_global_models(database)[LAYOUT].learned.statistics
    )


def fold_model(people: list[list[Movement]], settings: ExampleSettings) -> GlobalModel:
    """The global model of a fold's training people, as the protocols fit it."""
    return fit_global(
        total([training_statistics(person, settings) for person in people]), model_id=LAYOUT
    )


def movement(one: LabelledRow, seed: int) -> Movement:
    """A stored set as the protocols read it, with the seed that training augments it with."""
    signals = tuple(wrist_signals(unpack_pieces(one.samples)))
    return Movement("somebody", "", one.exercise, "", signals, UUID(one.set_id).int ^ seed)


def test_global_model_and_its_statistics_are_stored_separately(world):
    database, report = world
    assert report.metrics["global"] == {LAYOUT: "promoted"}
    for family, limit in (("exercise", 30_000), (STATISTICS, 2_000_000)):
        pointer = asyncio.run(Champions(database).read(ModelKey.of_global(LAYOUT, family)))
        model = asyncio.run(Models(database).get(pointer.key, pointer.version))
        assert len(model.content) < limit
        assert model.manifest["members"] == PEOPLE
        assert model.manifest["calibration_next"]["learned_on"] == SHIPPED
    assert read_calibrations(database) == {LAYOUT: Calibrations()}


def test_unchanged_data_is_skipped_and_a_new_set_trains_one_user(world, spark_config, people):
    database, first = world
    before = {person: champion(database, person) for person in range(PEOPLE)}
    again = train_exercise(spark_config, users="changed")
    poisoned = {"sets": 16, "failed": 1}  # tried again, in vain
    assert (again.status, again.counts) == ("nothing-to-do", poisoned)
    assert {person: champion(database, person) for person in range(PEOPLE)} == before

    now = datetime.now(UTC)
    later = done_at(people[0][-HELD_BACK:], now)
    put(database, user_id(0), later, now)
    second = train_exercise(spark_config, users="changed")
    assert second.counts == {"sets": len(people[0]) + 16, "promoted": 1, "failed": 1}
    after = {person: champion(database, person) for person in range(PEOPLE)}
    assert [person for person in after if after[person] != before[person]] == [0]
    everybody = read_global_models(database)
    recipe = named_recipe(recipe_of(spark_config), everybody)
    sets = [*people[0][:-HELD_BACK], *later]
    full = learn_user(sets, LAYOUT, recipe, everybody[LAYOUT].learned)
    assert stored(database, 0).content == full.content  # equal to a full retrain

    asyncio.run(Champions(database).withdraw(second.run_id, "a test", datetime.now(UTC)))
    serving = asyncio.run(Champions(database).in_effect(after[0]))
    assert (serving.version, serving.run_id) == (before[0].version, first.run_id)


def test_local_engine_makes_the_same_bytes_as_spark(world, spark_config):
    database, _ = world
    versions = {person: champion(database, person).version for person in range(1, PEOPLE)}
    ids = [user_id(person) for person in versions]
    report = train_exercise(spark_config, users=ids, engine="local")
    assert report.counts == {"sets": 16 * len(ids), "unchanged": len(ids)}
    assert {person: champion(database, person).version for person in versions} == versions


def test_global_sums_are_the_same_on_both_engines_and_for_every_batch_size(
    world, spark, spark_config, monkeypatch
):
    """Three portions of two people, one of them with broken samples."""
    database, _ = world
    keys = [(user_id(person), LAYOUT) for person in (3, 1, POISONED, 0, 4, 2)]
    recipe = recipe_of(spark_config)
    run = SimpleNamespace(started_at=datetime.now(UTC), require_lease=lambda: None)
    one_sum = fit_global_models(global_sums(LocalEngine(database), keys, recipe, run), {})[LAYOUT]
    monkeypatch.setattr("pipelines.exercise.global_fit.PORTION_MEMBERS", 2)
    engine = SparkEngine(spark, spark_config.cassandra.keyspace)
    frame = engine.portion_frame(portions_of(keys), sums_pass(recipe))
    require_no_shuffle(frame)
    assert frame.rdd.getNumPartitions() == 3  # a task is a portion
    local = global_sums(LocalEngine(database), keys, recipe, run)
    found = [fit_global_models(local, {})[LAYOUT]]
    for batch_rows in ("3", "512"):
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", batch_rows)
        found.append(fit_global_models(global_sums(engine, keys[::-1], recipe, run), {})[LAYOUT])
    assert {one.version for one in found} == {found[0].version}
    good = {str(user_id(person)) for person in range(PEOPLE)}
    assert [one.members for one in found] == [good] * 3
    moments, expected = (one.learned.statistics.moments for one in (found[0], one_sum))
    np.testing.assert_allclose(moments, expected, rtol=1e-9, atol=1e-6)


def test_only_user_gets_an_own_model_but_no_global_model(spark, spark_config, people):
    """Its only portion has one member."""
    with emptied(spark_config.cassandra) as database:
        put(database, user_id(0), people[0])
        report = train_exercise(spark_config)
        assert report.counts == {"sets": 16, "promoted": 1}
        alone = (
            "learned from 1 user; 2 are needed, because each member is evaluated by a model "
            "without that member"
        )
        assert report.metrics["global"] == {LAYOUT: alone}
        assert champion(database, 0) is not None


def test_models_learned_from_wrong_labels_are_refused(spark, spark_config, people):
    """The labels are unrelated to the movement: the gate must refuse every model."""
    wrong = [mislabelled(people[person], person) for person in range(PEOPLE)]
    with confirmed(spark_config.cassandra, wrong) as database:
        report = train_exercise(spark_config)
        assert report.status == "refused"
        assert report.counts == {"sets": 16 * PEOPLE, "refused": PEOPLE}
        assert [champion(database, person) for person in range(PEOPLE)] == [None] * PEOPLE
        assert asyncio.run(Champions(database).of_owner(GLOBAL_OWNER)) == []
        assert report.metrics["global"][LAYOUT] != "promoted"


def test_wrong_labels_of_new_sets_replace_nothing(spark_config, people):
    """The first models are good; then labels of two users' next sets are mixed up."""
    with confirmed(spark_config.cassandra, people[:PEOPLE]) as database:
        assert train_exercise(spark_config, engine="local").counts["promoted"] == PEOPLE
        before = [champion(database, person) for person in range(PEOPLE)]
        now = datetime.now(UTC)
        for person in (0, 1):
            others = [replace(one, set_id=str(uuid4())) for one in people[person]]
            put(database, user_id(person), done_at(mislabelled(others, person), now), now)
        report = train_exercise(spark_config, users="changed", engine="local")
        assert report.status == "refused"
        assert report.counts == {"sets": 2 * 32, "refused": 2}
        assert [champion(database, person) for person in range(PEOPLE)] == before


def test_run_is_refused_while_another_host_holds_the_lease(spark_config, empty):
    other = UUID(int=1)
    now = datetime.now(UTC)
    asyncio.run(JobLeases(empty).acquire("exercise", other, "another host", now, 60))
    with pytest.raises(LeaseHeld):
        train_exercise(spark_config)
    assert asyncio.run(JobRuns(empty).newest("exercise")) == []
