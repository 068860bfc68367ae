"""The activity job end to end: labelled stretches in Cassandra, training on Spark, found sets."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from ingest.erasure import erase_user
from models.activity.codec import from_bytes
from models.signal.wrist import wrist_signals
from pipelines.activity import promotion
from pipelines.activity.gate import UNCOMPARED, refusal_reason
from pipelines.activity.job import train_activity
from pipelines.lifecycle.global_retirement import NO_SUCCESSOR, NOT_COMPARED
from schemas.layout import GLOBAL_OWNER
from schemas.statuses import UserStatus
from store.champions import Champions
from store.jobs import JobRuns
from store.models import ModelKey, Models
from store.watermarks import Watermarks
from tests.pipelines.workouts import LAYOUT, NOW, S_NS, keep, stretch_of, walker, workout
from tests.spark_session import emptied

PEOPLE = 3
POISONED = PEOPLE
OUTSIDER = 4  # whose rank is above those of all three


@pytest.fixture(scope="module")
def world(spark, spark_config):
    """Three people with two workouts each and one whose samples are broken, trained once."""
    with emptied(spark_config.cassandra) as database:
        for person in range(PEOPLE):
            days = [stretch_of(10 * person + n, NOW + timedelta(days=n)) for n in range(2)]
            keep(database, walker(person), days)
        keep(database, walker(POISONED), [stretch_of(90, samples=b"\x93 no samples")])
        yield database, train_activity(spark_config)


def serving(database):
    return asyncio.run(Champions(database).read(ModelKey.of_global(LAYOUT, "activity")))


def read_until(database):
    return asyncio.run(Watermarks(database).read("activity", datetime.now(UTC)))


def test_promoted_model_finds_sets_that_the_rhythm_baseline_confuses_with_walking(world):
    database, report = world
    assert (report.status, report.counts) == (
        "done",
        {"stretches": 2 * PEOPLE, "learned": PEOPLE, "failed": 1},
    )
    assert report.counts.keys() - {"stretches"} <= set(get_args(UserStatus))  # as documented
    [reason] = report.reasons
    assert "BadSamples" in reason
    said = report.metrics[LAYOUT]
    assert (said["outcome"], said["members"]) == ("promoted", PEOPLE)
    assert said["f1"]["own"] > 0.95 > said["f1"]["rhythm"]
    pointer = serving(database)
    stored = asyncio.run(Models(database).get(pointer.key, pointer.version))
    assert stored.manifest["metrics"]["f1"] == said["f1"]
    model = from_bytes(stored.content)
    assert model.start is not None
    assert model.end is not None
    recording, spans = workout(77)  # of a person who is not in the training data
    found = model.segments(wrist_signals(recording))
    assert len(found) == len(spans)
    for segment, (start_ns, end_ns, _) in zip(found, spans, strict=True):
        assert abs(segment.start_ns - start_ns) < 2 * S_NS
        assert abs(segment.end_ns - end_ns) < 2 * S_NS
    run = asyncio.run(JobRuns(database).read("activity", report.run_id))
    assert run.status == "done"
    read_s = sum(report.seconds[step] for step in ("sums", "borders", "judge"))
    assert stored.created_at - run.started_at >= timedelta(seconds=read_s)


def test_local_engine_makes_the_same_bytes_as_spark(world, spark_config):
    database, _ = world
    before = serving(database)
    report = train_activity(spark_config, engine="local")
    assert report.metrics[LAYOUT]["outcome"] == "unchanged"
    assert serving(database) == before


def test_unchanged_data_is_skipped_and_a_new_day_promotes_a_new_model(world, spark_config):
    database, _ = world
    before = serving(database)
    train_activity(spark_config, engine="local")
    again = train_activity(spark_config, users="changed", engine="local")
    assert (again.status, serving(database)) == ("nothing-to-do", before)
    later = stretch_of(5, NOW + timedelta(days=3))
    keep(database, walker(0), [later], datetime.now(UTC))
    report = train_activity(spark_config, users="changed", engine="local")
    said = report.metrics[LAYOUT]
    assert said["outcome"] == "promoted"
    assert said["f1"]["incumbent"] > 0.9  # evaluated on the new day only
    assert serving(database).version != before.version
    once_more = train_activity(spark_config, users="changed", engine="local")  # the same minute
    assert (once_more.status, once_more.seconds) == ("nothing-to-do", {})


def test_model_is_refused_when_learned_from_one_day_of_one_user(empty, spark_config):
    keep(empty, walker(0), [stretch_of(1)])
    report = train_activity(spark_config, engine="local")
    assert report.status == "refused"
    assert list(report.reasons) == [f"{LAYOUT}: no other person and no other day to judge by"]
    assert serving(empty) is None


def test_model_is_not_learned_without_idle_time(empty, spark_config):
    one = stretch_of(1)
    whole = (one.metadata.spans[0][0] - 10**12, one.metadata.spans[-1][1] + 10**12, "curl")
    keep(empty, walker(0), [one._replace(metadata=one.metadata._replace(spans=(whole,)))])
    report = train_activity(spark_config, engine="local")
    assert report.status == "not-learned"
    [reason] = report.reasons
    assert "20 s each of exercise and idle are needed" in reason


def test_withdrawn_model_is_promoted_again_only_if_no_other_version_serves(empty, spark_config):
    for person in range(2):
        days = [stretch_of(10 * person + n, NOW + timedelta(days=n)) for n in range(2)]
        keep(empty, walker(person), days)

    def train():
        report = train_activity(spark_config, engine="local")
        return report.status, report.metrics[LAYOUT]["outcome"], list(report.reasons), report.run_id

    def withdraw(run_id):
        asyncio.run(Champions(empty).withdraw(run_id, "a test", NOW))
        return f"{LAYOUT}: the same bytes as those of run {run_id}, which was withdrawn"

    assert train()[:3] == ("done", "promoted", [])
    reason = withdraw(serving(empty).run_id)
    assert train()[:3] == ("done", "promoted", [reason])  # no other version could serve
    first = serving(empty).version

    keep(empty, walker(0), [stretch_of(5, NOW + timedelta(days=3))])
    *said, second = train()
    assert said[:2] == ["done", "promoted"]
    reason = withdraw(second)
    assert train()[:3] == ("refused", "withdrawn", [reason])
    serves = asyncio.run(Champions(empty).serving(ModelKey.of_global(LAYOUT, "activity")))
    assert serves.version == first


@pytest.mark.parametrize("erased", [PEOPLE - 1, PEOPLE])
def test_model_that_holds_erased_users_is_retired_where_none_replaces_it(
    empty, spark_config, erased
):
    for person in range(PEOPLE):
        keep(empty, walker(person), [stretch_of(10 * person, NOW)])
    assert train_activity(spark_config, engine="local").status == "done"
    for person in range(erased):
        asyncio.run(erase_user(empty, walker(person), datetime.now(UTC)))
    report = train_activity(spark_config, users="changed", engine="local")
    assert report.status == ("nothing-to-do" if erased == PEOPLE else "refused")
    assert report.reasons[f"{LAYOUT}: {NO_SUCCESSOR}"] == 1
    key = ModelKey.of_global(LAYOUT, "activity")
    assert asyncio.run(Champions(empty).serving(key)) is None


@pytest.fixture
def three_people(empty, spark_config):
    """Trained once; each has one workout."""
    for person in range(PEOPLE):
        keep(empty, walker(person), [stretch_of(10 * person, NOW)])
    assert train_activity(spark_config, engine="local").status == "done"
    return empty


def test_erasure_of_a_user_who_cannot_be_in_the_model_leaves_it_serving(
    three_people, spark_config, monkeypatch
):
    before = serving(three_people)
    asyncio.run(erase_user(three_people, walker(OUTSIDER), datetime.now(UTC)))
    keep(three_people, walker(0), [stretch_of(5, NOW + timedelta(days=3))], datetime.now(UTC))
    monkeypatch.setattr("pipelines.activity.promotion.refusal_reason", lambda *_: "worse")
    report = train_activity(spark_config, users="changed", engine="local")
    assert (report.status, list(report.reasons)) == ("refused", [f"{LAYOUT}: worse"])
    assert serving(three_people) == before


@pytest.mark.parametrize("erased", [PEOPLE - 1, OUTSIDER])
def test_new_model_is_not_compared_with_one_that_must_go(three_people, spark_config, erased):
    asyncio.run(erase_user(three_people, walker(erased), datetime.now(UTC)))
    keep(three_people, walker(0), [stretch_of(5, NOW + timedelta(days=3))], datetime.now(UTC))
    report = train_activity(spark_config, users="changed", engine="local")
    assert report.metrics[LAYOUT]["outcome"] == "promoted"
    compared = sum(report.metrics[LAYOUT]["seconds"]["incumbent"]) > 0
    assert compared == (erased == OUTSIDER)
    assert list(report.reasons) == [f"{LAYOUT}: {NOT_COMPARED}"] * (not compared)


def test_model_of_an_erased_user_that_an_operator_brought_back_is_retired(
    three_people, spark_config
):
    asyncio.run(erase_user(three_people, walker(PEOPLE - 1), datetime.now(UTC)))

    def train(minutes: int):
        at = datetime.now(UTC) + timedelta(minutes=minutes)
        return train_activity(spark_config, users="changed", engine="local", clock=lambda: at)

    second = train(10)
    assert second.metrics[LAYOUT]["outcome"] == "promoted"
    asyncio.run(Champions(three_people).withdraw(second.run_id, "a test", NOW))
    third = train(60)
    assert third.metrics[LAYOUT]["outcome"] == "withdrawn"  # the same sets, the same bytes
    assert third.reasons[f"{LAYOUT}: {NO_SUCCESSOR}"] == 1
    key = ModelKey.of_global(LAYOUT, "activity")
    assert asyncio.run(Champions(three_people).serving(key)) is None


def test_set_dated_a_year_ahead_does_not_end_the_comparison_with_the_serving_model(
    empty, spark_config
):
    """One user's clock: the model of everybody is compared on the others' later days."""
    for person in range(2):
        keep(empty, walker(person), [stretch_of(10 * person, NOW)])
    keep(empty, walker(2), [stretch_of(20, NOW + timedelta(days=365), known_at=NOW)])

    def train(day: int):
        report = train_activity(
            spark_config, engine="local", clock=lambda: NOW + timedelta(days=day)
        )
        return report.metrics[LAYOUT], list(report.reasons)

    first, reasons = train(1)
    assert (first["outcome"], reasons) == ("promoted", [])
    keep(empty, walker(2), [stretch_of(21, NOW - timedelta(days=1))])
    uncompared, reasons = train(1)  # changed, and nobody has a later day
    assert (uncompared["outcome"], reasons) == ("promoted", [f"{LAYOUT}: {UNCOMPARED}"])
    assert sum(uncompared["seconds"]["incumbent"]) == 0
    keep(empty, walker(0), [stretch_of(5, NOW + timedelta(days=2))])
    compared, reasons = train(2)
    assert reasons == []
    exercise_s = 60  # two sets of 30 s in each workout
    true_positives, _, false_negatives = compared["seconds"]["incumbent"]
    assert true_positives + false_negatives == pytest.approx(exercise_s, abs=1)


def test_unreadable_serving_model_is_replaced(empty, spark_config):
    """For example after a release that changed the features."""
    for person in range(PEOPLE):
        keep(empty, walker(person), [stretch_of(10 * person, NOW)])
    train_activity(spark_config, engine="local")
    version = serving(empty).version
    empty.execute(
        "UPDATE models SET bytes = ? "
        "WHERE owner = ? AND model_id = ? AND family = 'activity' AND version = ?",
        (b"junk", GLOBAL_OWNER, LAYOUT, version),
    )
    keep(empty, walker(0), [stretch_of(99, NOW + timedelta(days=1))])
    report = train_activity(spark_config, engine="local")
    assert report.counts["learned"] == PEOPLE
    assert report.metrics[LAYOUT]["outcome"] == "promoted"
    [reason] = report.reasons
    assert "which cannot be read" in reason
    assert serving(empty).version != version


def test_model_does_not_replace_what_an_operator_withdrew_meanwhile(
    three_people, spark_config, monkeypatch
):
    served, read = serving(three_people), read_until(three_people)
    keep(three_people, walker(0), [stretch_of(55, NOW + timedelta(days=5))], datetime.now(UTC))

    def withdraw_and_judge(*given):
        """The operator acts after the serving model was read, before the pointer moves."""
        asyncio.run(Champions(three_people).withdraw(served.run_id, "a test", NOW))
        return refusal_reason(*given)

    monkeypatch.setattr(promotion, "refusal_reason", withdraw_and_judge)
    second = train_activity(spark_config, engine="local")
    assert (second.status, second.metrics[LAYOUT]["outcome"]) == ("refused", "overtaken")
    key = ModelKey.of_global(LAYOUT, "activity")
    assert asyncio.run(Champions(three_people).serving(key)) is None
    assert read_until(three_people) == read, "the next run reads the changes again"
    monkeypatch.undo()
    third = train_activity(spark_config, users="changed", engine="local")
    assert third.metrics[LAYOUT]["outcome"] == "promoted"
