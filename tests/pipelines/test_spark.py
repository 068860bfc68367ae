"""Reads by partition and by key, and their physical plans, on Spark over Cassandra."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from pipelines.exercise.kept_windows import keep_s_of
from pipelines.exercise.windows import ttl_s
from pipelines.spark.persist import rows_of
from pipelines.spark.plans import nodes, physical_plan, require_direct_join, require_no_shuffle
from pipelines.spark.span import require_unique_keys, span_by
from pipelines.spark.tables import append, read_keys, read_portions, read_table
from schemas.config import Config
from schemas.errors import PlanViolated, SpanBroken
from schemas.retention import LABELLED_TTL_S, LONGEST_RUN_S, WINDOWS_TTL_S
from store.database import Database, Statement

USERS = [UUID(int=n << 64 | n) for n in range(1, 61)]
LAYOUTS = ("wrist-acc3", "wrist-acc6")
KEY = ("user_id", "model_id")
COUNTED = pa.schema([("user_id", pa.string()), ("model_id", pa.string()), ("sets", pa.int64())])
SETS = {(str(user), layout): 3 + user.int % 5 for user in USERS for layout in LAYOUTS}


def count(key, group):
    """Like a learner: takes a key and its rows, returns rows."""
    return [{"user_id": key[0], "model_id": key[1], "sets": group.num_rows}]


@pytest.fixture
def filled(empty: Database, spark_config: Config) -> Config:
    cql = (
        "INSERT INTO labelled_sets (user_id, model_id, set_id, exercise, samples) "
        "VALUES (?, ?, ?, 'curl', ?)"
    )
    rows = [
        Statement(cql, (UUID(user), layout, UUID(int=n), bytes(20_000)))
        for (user, layout), sets in SETS.items()
        for n in range(sets)
    ]
    asyncio.run(empty.run_all(rows))
    return spark_config


def test_span_by_groups_partitions_without_exchange_or_sort(spark: SparkSession, filled: Config):
    table = read_table(spark, filled.cassandra.keyspace, "labelled_sets")
    spanned = span_by(table.columns(*KEY, "set_id", "samples"), KEY, count, COUNTED)

    require_no_shuffle(spanned)
    assert nodes(physical_plan(spanned)) == {"PythonMapInArrow", "Project", "BatchScan"}
    assert spanned.rdd.getNumPartitions() > 1  # the test needs several splits
    found = spanned.collect()
    require_unique_keys([row.asDict() for row in found], KEY)
    assert {(row.user_id, row.model_id): row.sets for row in found} == SETS


def test_groups_continue_across_arrow_batches(spark: SparkSession, filled: Config):
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "2")
    try:
        table = read_table(spark, filled.cassandra.keyspace, "labelled_sets")
        found = span_by(table, KEY, count, COUNTED).collect()
    finally:
        spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "512")
    assert {(row.user_id, row.model_id): row.sets for row in found} == SETS


def test_keys_other_than_the_partition_key_are_refused(spark: SparkSession, filled: Config):
    table = read_table(spark, filled.cassandra.keyspace, "labelled_sets")
    assert table.partition_key == KEY
    for wrong in (("user_id",), (*KEY, "set_id")):
        with pytest.raises(SpanBroken, match="partitioned by"):
            span_by(table, wrong, count, COUNTED)


def test_read_keys_reads_only_the_given_keys_once(spark: SparkSession, filled: Config):
    asked = [(user, layout) for user in USERS[:7] for layout in LAYOUTS] * 2  # each key twice
    nobody = (UUID(int=12345), "wrist-acc6")
    table = read_keys(spark, filled.cassandra.keyspace, "labelled_sets", [*asked, nobody])
    spanned = span_by(table, KEY, count, COUNTED)

    require_direct_join(spanned)
    require_no_shuffle(spanned)
    found = spanned.collect()
    expected = {(str(user), layout): SETS[str(user), layout] for user, layout in asked}
    assert Counter((row.user_id, row.model_id) for row in found) == Counter(expected.keys())
    assert {(row.user_id, row.model_id): row.sets for row in found} == expected


def test_read_portions_makes_one_task_per_portion_with_keys_in_order(
    spark: SparkSession, filled: Config
):
    keys = [(user, layout) for user in USERS[:11] for layout in LAYOUTS][::-1]
    portions = [keys[:4], keys[4:5], keys[5:]]
    table = read_portions(spark, filled.cassandra.keyspace, "labelled_sets", portions)
    spanned = span_by(table, KEY, count, COUNTED)

    require_direct_join(spanned)
    require_no_shuffle(spanned)
    tasks = spanned.rdd.glom().collect()
    found = [[(row.user_id, row.model_id) for row in task] for task in tasks]
    assert found == [[(str(user), layout) for user, layout in portion] for portion in portions]
    assert all(SETS[row.user_id, row.model_id] == row.sets for task in tasks for row in task)


def test_plan_with_shuffle_or_full_scan_is_refused(spark: SparkSession, filled: Config):
    frame = read_table(spark, filled.cassandra.keyspace, "labelled_sets").frame
    with pytest.raises(PlanViolated, match="Exchange"):
        require_no_shuffle(frame.groupBy("exercise").count())
    with pytest.raises(PlanViolated, match="whole table"):
        require_direct_join(frame)


def test_appended_rows_are_read_back(spark: SparkSession, empty: Database, spark_config: Config):
    run = UUID(int=7)
    rows = [(str(run), str(user), n / 7, n) for n, user in enumerate(USERS)]
    frame = spark.createDataFrame(rows, "run_id string, user_id string, rank double, position int")
    append(frame, spark_config.cassandra.keyspace, "ranks")
    stored = empty.execute("SELECT user_id, rank, position FROM ranks")
    assert {(r.user_id, r.rank, r.position) for r in stored} == {
        (user, n / 7, n) for n, user in enumerate(USERS)
    }


def test_ttl_of_stored_windows_is_the_same_on_spark_and_in_one_process(spark: SparkSession):
    now = datetime(2026, 11, 20, 3, 4, 5, 900_000, tzinfo=UTC)
    ages_s = (
        0,
        0.95,
        LABELLED_TTL_S - LONGEST_RUN_S - WINDOWS_TTL_S - 0.5,
        LABELLED_TTL_S - LONGEST_RUN_S - WINDOWS_TTL_S + 1.95,
        LABELLED_TTL_S - LONGEST_RUN_S + 1.5,
    )
    revisions = [round((now.timestamp() - age_s) * 1e6) for age_s in ages_s]
    frame = spark.createDataFrame([(revision,) for revision in revisions], ["revision"])
    found = [row[0] for row in frame.select(keep_s_of(frame["revision"], now)).collect()]
    assert found == [ttl_s(revision, now) for revision in revisions]
    assert found == [WINDOWS_TTL_S, WINDOWS_TTL_S, WINDOWS_TTL_S, WINDOWS_TTL_S - 1, -1]


def test_rows_are_computed_on_all_cores_before_they_are_fetched(
    spark: SparkSession, tmp_path: Path
):
    """A local iterator alone would run one task after the other: the first would wait in vain."""
    began = [tmp_path / "0", tmp_path / "1"]

    def meet(batches):
        for batch in batches:
            for number in batch.column("id").to_pylist():
                began[number].touch()
                until_s = time.monotonic() + 60
                while not (met := began[1 - number].exists()) and time.monotonic() < until_s:
                    time.sleep(0.05)
                yield pa.RecordBatch.from_pydict({"met": [met]})

    frame = spark.range(0, 2, 1, 2).mapInArrow(meet, "met boolean")
    require_no_shuffle(frame)  # as jobs do: it fixes the plan of this frame
    assert [row["met"] for row in rows_of(frame)] == [True, True]
