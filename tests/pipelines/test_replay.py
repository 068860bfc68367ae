"""Replay of the journal on Spark over Cassandra: every row of every projection."""

import asyncio
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

from ingest.replay import rebuild_user, replay_events
from pipelines.replay import (
    TASKS_PER_CORE,
    _events,
    replay,
)
from schemas.config import Limits
from schemas.ids import slot
from schemas.times import clock_from
from store.database import Database
from store.journal import Event
from store.records import records_in
from tests.ingest.gym import ROW, Gym, one_of_each
from tests.ingest.histories import START, HistoryRunner, new_id

PROJECTIONS = (
    *("sessions", "session_lists", "sets", "labelled_sets", "labelled_stretches"),
    *("plans", "plan_versions", "deviations"),
)
# (kind, a, b, fails_after): see tests.ingest.histories
LATE = [("confirm", 0, 0, 3), ("put", 1, 0, 0), ("put", 0, 1, 0), ("complete", 2, 1, 5)]
CORRECTED = [("correct", 0, 1, 0), ("put", 2, 0, 0), ("confirm", 1, 0, 0), ("put", 3, 0, 0)]
DROPPED = [("drop", 1, 0, 2), ("complete", 4, 1, 0)]
SAMPLES = ("labelled_sets", "labelled_stretches")
ERASED = [("erase", 0, 0, 1)]
DAY_S = 86_400


def soon() -> datetime:
    """A clock shortly after the events of these tests."""
    return START + timedelta(days=1)


REBUILD = partial(rebuild_user, limits=Limits(), clock=soon)


def snapshot(database: Database) -> dict[str, list[str]]:
    """Every column of every row."""
    found = {name: database.execute(f"SELECT * FROM {name}") for name in PROJECTIONS}
    return {name: sorted(repr(row._asdict()) for row in rows) for name, rows in found.items()}


async def happen(database: Database) -> UUID:
    """Send late and repeated samples, corrections, deletions and plans; return a plan's user."""
    records = records_in(database, Limits())
    for history in (LATE, LATE + CORRECTED, LATE + CORRECTED + DROPPED, LATE + ERASED):
        await HistoryRunner(records).run(history)
    gym = Gym(records)
    await one_of_each(gym)
    await gym.do("second", 6, "row", 10)
    await gym.keep(ROW)
    await gym.recorder.delete_set(gym.user, gym.session, gym.sets["third"][0])
    other = Gym(records)
    await one_of_each(other)
    await other.recorder.delete_plan(other.user, other.plan)
    await other.recorder.delete_session(other.user, other.session)
    return gym.user


def test_replay_restores_every_row_and_leaves_live_rows_unchanged(spark_config, spark, empty):
    gym_user = asyncio.run(happen(empty))
    before = snapshot(empty)
    assert {name for name, rows in before.items() if not rows} == set()
    assert len(before["deviations"]) == 3

    # The events of a thousand people are a few megabytes, but minutes of work.
    events = _events(spark, spark_config.cassandra.keyspace, None, None)
    cores = spark.sparkContext.defaultParallelism
    assert events.rdd.getNumPartitions() == TASKS_PER_CORE * cores
    over = replay(spark_config, REBUILD)
    assert (over.status, over.counts["replayed"]) == ("done", 6)
    assert snapshot(empty) == before

    for name in PROJECTIONS:
        empty.execute(f"TRUNCATE {name}")
    replay(spark_config, REBUILD, users=[gym_user])
    own = [row for row in before["deviations"] if str(gym_user) in row]
    assert (snapshot(empty)["deviations"], len(snapshot(empty)["sessions"])) == (own, 1)

    again = replay(spark_config, REBUILD)
    assert again.counts["events"] == over.counts["events"]
    assert snapshot(empty) == before


def test_replay_does_not_extend_the_ttl_of_samples(empty):
    """They are written with the rest of their 400 days, and not at all after these."""
    records = records_in(empty, Limits())
    world = HistoryRunner(records)

    async def replayed(days: int) -> None:
        events = await records.journal.events(world.user, {f"{START:%Y-%m}"})
        clock = clock_from(START + timedelta(days=days))
        await replay_events(records, world.user, events, clock)

    def left_s(table: str) -> set[int]:
        rows = empty.execute(
            f"SELECT ttl(samples) FROM {table} WHERE user_id = ? AND model_id = 'wrist-acc3'",
            (world.user,),
        )
        return {row[0] for row in rows}

    asyncio.run(world.run(LATE))
    for table in SAMPLES:
        left = left_s(table)
        assert 399 * DAY_S < min(left) <= max(left) <= 400 * DAY_S
        empty.execute(f"TRUNCATE {table}")
    asyncio.run(replayed(days=401))
    assert [left_s(table) for table in SAMPLES] == [set(), set()]
    assert len(asyncio.run(records.sets.of_user(world.user))) == 1
    asyncio.run(replayed(days=399))
    for table in SAMPLES:
        left = left_s(table)  # once: seconds pass between two reads
        assert 0.9 * DAY_S < min(left) <= max(left) <= 1.01 * DAY_S


def test_unknown_event_fails_only_its_user(spark_config, spark, empty):
    gym, stranger = Gym(records_in(empty, Limits())), uuid4()
    about = new_id()
    unknown = Event(slot(about, "q"), about, "dance-confirmed", {}, 1_795_000_000_000_000)

    async def story() -> None:
        await one_of_each(gym)
        await gym.records.journal.append(stranger, unknown, "sets")

    asyncio.run(story())
    report = replay(spark_config, REBUILD)
    assert (report.counts["replayed"], report.counts["failed"]) == (1, 1)
    [reason] = report.reasons
    assert "dance-confirmed" in reason
