"""The journal again, on the real Spark over the real Cassandra: every row of every projection."""

import asyncio
from functools import partial
from uuid import UUID, uuid4

from ingest.replay import rebuild_user
from pipelines.replay import replay
from schemas.config import Limits
from schemas.ids import slot
from store.database import Database
from store.journal import Event
from store.records import records_in
from tests.ingest.histories import World, new_id
from tests.ingest.test_deviations import ROW, Gym, one_of_each

PROJECTIONS = (
    *("sessions", "session_lists", "sets", "labelled_sets", "labelled_stretches"),
    *("plans", "plan_versions", "deviations"),
)
# (kind, a, b, cut): see tests.ingest.histories
LATE = [("confirm", 0, 0, 3), ("put", 1, 0, 0), ("put", 0, 1, 0), ("complete", 2, 1, 5)]
CORRECTED = [("correct", 0, 1, 0), ("put", 2, 0, 0), ("confirm", 1, 0, 0), ("put", 3, 0, 0)]
DROPPED = [("drop", 1, 0, 2), ("complete", 4, 1, 0)]
ERASED = [("erase", 0, 0, 1)]
REBUILD = partial(rebuild_user, limits=Limits())


def snapshot(database: Database) -> dict[str, list[str]]:
    """Every column of every row."""
    found = {name: database.execute(f"SELECT * FROM {name}") for name in PROJECTIONS}
    return {name: sorted(repr(row._asdict()) for row in rows) for name, rows in found.items()}


async def happen(database: Database) -> UUID:
    """What clients did: samples late and twice, corrections, deletions, plans; whose plan it is."""
    records = records_in(database, Limits())
    for history in (LATE, LATE + CORRECTED, LATE + CORRECTED + DROPPED, LATE + ERASED):
        await World(records).run(history)
    gym = Gym(records)
    await one_of_each(gym)
    await gym.do("second", 6, "row", 10)
    await gym.keep(ROW)
    await gym.recorder.delete_set(gym.user, gym.session, gym.sets["third"][0])
    other = Gym(records)
    await one_of_each(other)
    await other.recorder.drop_plan(other.user, other.plan)
    await other.recorder.delete_session(other.user, other.session)
    return gym.user


def test_every_row_comes_back_and_over_live_rows_nothing_changes(spark_config, spark, empty):  # noqa: ARG001
    gym_user = asyncio.run(happen(empty))
    before = snapshot(empty)
    assert {name for name, rows in before.items() if not rows} == set()
    assert len(before["deviations"]) == 3

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


def test_an_event_of_a_later_release_is_one_users_reason(spark_config, spark, empty):  # noqa: ARG001
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
