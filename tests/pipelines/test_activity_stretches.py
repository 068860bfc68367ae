"""Which stretches training learns from, and that no samples of others are read."""

import asyncio
from datetime import timedelta
from itertools import permutations
from uuid import UUID

import pyarrow as pa
import pytest

from pipelines.activity.job import train_activity
from pipelines.activity.stretches import newest_keys, newest_stretches
from pipelines.keys import KEY
from pipelines.lifecycle.engines import LocalEngine, SparkEngine
from pipelines.spark.plans import (
    joined_columns,
    nodes,
    physical_plan,
    require_direct_join,
    require_no_shuffle,
)
from pipelines.spark.tables import ROWS_AT_ONCE, read_keys
from schemas.errors import PlanViolated
from store.database import Database
from store.stretches import Stretches, StretchKey
from tests.pipelines.workouts import LAYOUT, NOW, keep, stretch_of, walker

PEOPLE, OLD, NEWEST = 3, 4, 2
READ = pa.schema([(n, pa.string()) for n in KEY] + [("read", pa.list_(pa.string()))])
WHOLE_KEY = {*KEY, *StretchKey._fields}


def what_was_read(key, group):
    """A pass that says which rows it was given."""
    times = [at.isoformat() for at in group["started_at"].to_pylist()]
    return [dict(zip(KEY, key, strict=True)) | {"read": sorted(times)}]


def stretch(person, day):
    return stretch_of(100 * person + day, NOW + timedelta(days=day))


def in_flight(frame) -> int:
    """How many reads of a Direct Join a task has under way: each row may be a megabyte."""
    plan = frame._jdf.queryExecution().executedPlan()
    while "DirectJoin" not in plan.nodeName():
        plan = plan.children().head()
    return plan.readConf().parallelismLevel()


@pytest.fixture
def years(empty, monkeypatch):
    """Each of three people has old stretches, more than training reads, and newest ones."""
    monkeypatch.setattr("pipelines.activity.stretches.NEWEST_STRETCHES", NEWEST)
    for person in range(PEOPLE):
        keep(empty, walker(person), [stretch(person, day) for day in range(OLD + NEWEST)])
    return empty


@pytest.fixture
def members():
    return [(walker(person), LAYOUT) for person in range(PEOPLE)]


@pytest.fixture
def samples_read(monkeypatch):
    """The rows with samples that this process reads, one for each time."""
    run, read = Database.run, []

    async def counted(database, cql, values=()):
        rows = await run(database, cql, values)
        read.extend(row.started_at for row in rows if hasattr(row, "samples"))
        return rows

    monkeypatch.setattr(Database, "run", counted)
    return read


def test_newest_stretches_are_the_last_by_start_and_of_a_tie_by_session():
    keys = [StretchKey(UUID(int=n), NOW) for n in (1, 2, 16)]
    keys.append(StretchKey(UUID(int=3), NOW - timedelta(days=1)))
    for order in permutations(keys):
        assert newest_keys(order, 2) == keys[1:3]
        assert newest_keys(order, 9) == [keys[3], *keys[:3]]
    assert newest_keys(keys, 0) == newest_keys([], 2) == []


def test_local_training_reads_samples_of_the_chosen_stretches_only(
    years, spark_config, samples_read
):
    report = train_activity(spark_config, engine="local")
    passes = 3
    assert report.counts["stretches"] == PEOPLE * NEWEST
    assert len(samples_read) == passes * PEOPLE * NEWEST
    assert min(samples_read).day == (NOW + timedelta(days=OLD)).day


def test_spark_reads_each_chosen_stretch_by_its_whole_primary_key(
    years, spark, spark_config, members, samples_read
):
    stretches = newest_stretches(years, members)
    assert samples_read == []
    engine = SparkEngine(spark, spark_config.cassandra.keyspace)
    frame = engine.chosen_frame(stretches, what_was_read, READ)
    assert joined_columns(physical_plan(frame)) == WHOLE_KEY
    assert "BatchScan" not in nodes(physical_plan(frame))
    require_no_shuffle(frame)
    assert in_flight(frame) == ROWS_AT_ONCE
    newest = [(NOW + timedelta(days=day)).isoformat() for day in range(OLD, OLD + NEWEST)]
    rows = engine.collect(stretches, what_was_read, READ)
    assert {row["user_id"]: row["read"] for row in rows} == {
        str(user): newest for user, _ in members
    }


def test_join_on_the_partition_key_alone_is_refused_where_rows_are_chosen(
    years, spark, spark_config, members
):
    frame = read_keys(spark, spark_config.cassandra.keyspace, "labelled_stretches", members).frame
    require_direct_join(frame, KEY)
    with pytest.raises(PlanViolated, match="instead of the joined keys"):
        require_direct_join(frame, WHOLE_KEY)


def test_stretch_deleted_after_it_was_chosen_is_left_out(years, spark, spark_config, members):
    stretches = newest_stretches(years, members)
    for user, n in ((members[0], 1), (members[1], NEWEST)):
        for session, _ in stretches.keys[user][:n]:
            asyncio.run(Stretches(years).delete_session(user[0], session, 2**60))
    on_spark = SparkEngine(spark, spark_config.cassandra.keyspace)
    for engine in (on_spark, LocalEngine(years)):
        rows = engine.collect(stretches, what_was_read, READ)
        of_user = {UUID(row["user_id"]): len(row["read"]) for row in rows}
        assert of_user == {members[0][0]: NEWEST - 1, members[2][0]: NEWEST}
        assert engine.collect(stretches.of([]), what_was_read, READ) == []


@pytest.mark.parametrize("engine", ["spark", "local"])
def test_old_stretches_change_nothing_of_the_model(years, spark, spark_config, engine):
    def outcome():
        return train_activity(spark_config, engine=engine).metrics[LAYOUT]["outcome"]

    assert outcome() == "promoted"
    for person in range(PEOPLE):
        for day in range(OLD):
            session = stretch(person, day).metadata.session_id
            asyncio.run(Stretches(years).delete_session(walker(person), session, 2**60))
    assert outcome() == "unchanged", "the same bytes"
