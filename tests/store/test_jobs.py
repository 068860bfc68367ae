"""Runs, leases and watermarks on the real Cassandra."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.errors import LeaseHeld, LostChampionRace, RunTakenBack
from schemas.ids import uuid7
from schemas.layout import shard_of
from schemas.statuses import RunStatus
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns, Leases, UserOutcome
from store.live_runs import ROWS_KEPT, LiveRuns
from store.watermarks import Watermarks

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUNS = [UUID(int=n << 80 | 7 << 76 | 2 << 62) for n in (1, 2, 3)]


@pytest.fixture
def family() -> str:
    """A family of this test alone: the keyspace is shared."""
    return f"test-{uuid4()}"


def test_a_run_from_its_start_to_its_end(database: Database, family: str):
    runs = JobRuns(database)
    first, second, _ = RUNS

    async def life() -> None:
        await runs.start(family, first, {"users": "all"}, NOW)
        await runs.start(family, second, {"users": "changed"}, NOW + timedelta(hours=1))
        await runs.heartbeat(family, second, NOW + timedelta(hours=2))
        await runs.finish(
            family,
            first,
            "done",
            NOW + timedelta(minutes=1),
            counts={"promoted": 999, "failed": 1},
            metrics={"challenger": 0.98},
            reasons={"samples do not decode": 1},
        )
        newest, oldest = await runs.newest(family)
        assert (newest.run_id, newest.status) == (second, "running")
        assert newest.heartbeat_at == NOW + timedelta(hours=2)
        assert oldest == await runs.read(family, first)
        assert oldest.counts == {"promoted": 999, "failed": 1}
        assert oldest.finished_at == NOW + timedelta(minutes=1)
        assert await runs.read(family, RUNS[2]) is None

    asyncio.run(life())


def test_every_user_of_a_run_is_found_again_in_order(database: Database):
    runs = JobRuns(database)
    run_id, other = uuid4(), uuid4()
    outcomes = [
        UserOutcome(UUID(int=n), "wrist-acc6", "promoted", "", f"v{n}", "{}") for n in range(200)
    ]
    asyncio.run(runs.write_users(run_id, outcomes))
    assert asyncio.run(runs.users(run_id)) == outcomes
    assert asyncio.run(runs.users(other)) == []


class Counted:
    """A database that tells how many rows it gave."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.rows = 0

    async def run(self, cql: str, values: Sequence[object]) -> list[Any]:
        found = await self._database.run(cql, values)
        self.rows += len(found)
        return found


@pytest.mark.parametrize(("users", "limit"), [(640, 7), (640, 100), (70, 20), (3, 2), (0, 5)])
def test_users_of_a_run_come_in_pages_that_read_no_more_than_they_need(
    database: Database, users: int, limit: int
):
    run_id = uuid4()
    layouts = ("wrist-acc3", "wrist-acc6")
    outcomes = [
        UserOutcome(UUID(int=n), layout, "promoted", "", "", "{}")
        for n in range(users)
        for layout in layouts
    ]
    asyncio.run(JobRuns(database).write_users(run_id, outcomes))

    async def walk() -> list[UserOutcome]:
        found: list[UserOutcome] = []
        after = None
        while True:
            counted = Counted(database)
            page = await JobRuns(counted).users_page(run_id, after, limit)
            assert len(page) == min(limit, 2 * users - len(found))
            assert counted.rows <= 3 * limit
            if not page:
                return found
            found += page
            after = (page[-1].user_id, page[-1].model_id)

    found = asyncio.run(walk())
    assert found == sorted(outcomes, key=lambda one: (shard_of(one.user_id), *one))


def test_one_lease_at_a_time_and_a_dead_holder_loses_it(database: Database, family: str):
    leases = Leases(database)
    first, second, third = RUNS

    async def life() -> None:
        await leases.acquire(family, first, "a", NOW, 60)
        await leases.acquire(f"{family}-2", second, "b", NOW, 60)  # another family
        with pytest.raises(LeaseHeld):
            await leases.acquire(family, second, "b", NOW + timedelta(seconds=59), 60)
        await leases.renew(family, first, NOW + timedelta(seconds=50), 60)
        with pytest.raises(LeaseHeld):
            await leases.acquire(family, second, "b", NOW + timedelta(seconds=100), 60)
        await leases.acquire(family, second, "b", NOW + timedelta(seconds=111), 60)
        with pytest.raises(LeaseHeld):
            await leases.renew(family, first, NOW + timedelta(seconds=112), 60)
        await leases.release(family, first)  # not its own any more: nothing happens
        with pytest.raises(LeaseHeld):
            await leases.acquire(family, third, "c", NOW + timedelta(seconds=120), 60)
        await leases.release(family, second)
        await leases.acquire(family, third, "c", NOW + timedelta(seconds=120), 60)

    asyncio.run(life())


def test_of_two_that_ask_at_once_one_gets_the_lease(database: Database, family: str):
    async def both() -> list[object]:
        leases = Leases(database)
        asked = (leases.acquire(family, run, "x", NOW, 60) for run in RUNS)
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(both())
    assert sorted(type(answer).__name__ for answer in answers) == ["LeaseHeld"] * 2 + ["NoneType"]


def test_a_watermark_only_moves_forward(database: Database, family: str):
    marks, now = Watermarks(database), NOW + timedelta(hours=2)

    async def life() -> None:
        assert await marks.read(family, now) is None
        assert await marks.advance(family, RUNS[0], NOW, now)
        assert not await marks.advance(family, RUNS[1], NOW - timedelta(hours=1), now)
        assert await marks.read(family, now) == NOW
        assert await marks.advance(family, RUNS[1], NOW + timedelta(hours=1), now)
        assert await marks.read(family, now) == NOW + timedelta(hours=1)

    asyncio.run(life())


def test_a_clock_that_was_ahead_stops_nobody(database: Database, family: str):
    marks, leases, ahead = Watermarks(database), Leases(database), NOW + timedelta(days=300)

    async def life() -> None:
        await leases.acquire(family, RUNS[0], "ahead", ahead, 60)  # and was killed
        await marks.advance(family, RUNS[0], ahead, ahead)
        assert await marks.read(family, NOW) is None
        await leases.acquire(family, RUNS[1], "a", NOW, 60)
        assert await marks.advance(family, RUNS[1], NOW, NOW)
        assert await marks.read(family, NOW) == NOW
        with pytest.raises(LeaseHeld):  # one whose clock is behind by less than a lease
            await leases.acquire(family, RUNS[2], "b", NOW - timedelta(seconds=59), 60)

    asyncio.run(life())


def test_changed_users_are_those_of_the_topic_since_then(database: Database, family: str):
    def change(number: int, topic: str, at: datetime) -> None:
        user = UUID(int=number)
        database.execute(
            "INSERT INTO changes (day, shard, user_id, topic, changed_at) VALUES (?, ?, ?, ?, ?)",
            (at.date(), shard_of(user), user, topic, at),
        )

    change(1, family, NOW - timedelta(days=1))
    change(2, family, NOW - timedelta(seconds=1))
    change(3, family, NOW)
    change(3, family, NOW + timedelta(days=1))  # the same user again, on another day
    change(67, family, NOW + timedelta(days=2))  # the shard of user 3
    change(5, f"{family}-2", NOW)
    found = asyncio.run(Watermarks(database).changed_users([family], NOW, NOW + timedelta(days=2)))
    assert found == [UUID(int=3), UUID(int=67)]


def test_the_live_run_moves_from_what_was_read_only(database: Database, family: str):
    live = LiveRuns(database)
    first, second, third = RUNS

    async def life() -> None:
        assert await live.read(family) is None
        assert await live.go_live(family, first, NOW, {"ari": 0.9}, None)
        assert not await live.go_live(family, second, NOW, {}, None)
        assert await live.go_live(family, second, NOW, {}, first)
        assert not await live.go_live(family, third, NOW, {}, first)
        seen = await live.read(family)
        assert (seen.run_id, seen.previous_run_id, seen.as_of) == (second, first, NOW)

    asyncio.run(life())


def run_at(at: datetime) -> UUID:
    return uuid7(int(at.timestamp() * 1000), uuid4().bytes)


async def finished(database: Database, family: str, hours: float, status: RunStatus) -> UUID:
    """A run that began so many hours after `NOW`."""
    at, runs = NOW + timedelta(hours=hours), JobRuns(database)
    run = run_at(at)
    await runs.start(family, run, {}, at)
    await runs.finish(family, run, status, at, counts={}, metrics={"h": hours}, reasons={})
    return run


async def went_live(database: Database, family: str, *hours: float) -> list[UUID]:
    """Runs that were live one after the other."""
    live, ids = LiveRuns(database), [await finished(database, family, h, "done") for h in hours]
    for before, run, h in zip([None, *ids], ids, hours, strict=False):
        assert await live.go_live(family, run, NOW + timedelta(hours=h), {"h": h}, before)
    return ids


def withdraw(database: Database, run: UUID):
    return Champions(database).withdraw(run, "a bad night", NOW)


def test_live_runs_are_taken_back_one_after_the_other(database: Database, family: str):
    live = LiveRuns(database)

    async def life() -> None:
        _gone, first, second, third = await went_live(database, family, -91 * 24, 0, 1, 3)
        refused = await finished(database, family, 2, "refused")
        with pytest.raises(LostChampionRace, match=str(first)):
            await live.take_back(family, first, NOW)
        assert [one.run_id for one in await live.kept(family, third, NOW)] == [second, first]
        for run, before in ((third, (second, 1)), (second, (first, 0))):
            await withdraw(database, run)
            at = NOW + timedelta(hours=before[1])
            seen = (family, before[0], None, at, {"h": before[1]})
            assert await live.take_back(family, run, NOW) == seen
            assert await live.read(family) == seen
        assert await live.take_back(family, first, NOW) is None  # of the oldest no row is left
        assert await live.read(family) is None
        assert (await JobRuns(database).find(refused)).family == family
        assert await JobRuns(database).find(uuid4()) is None

    asyncio.run(life())


def test_what_was_taken_back_is_passed_over(database: Database, family: str):
    async def life() -> None:
        first, second, third = await went_live(database, family, 0, 1, 2)
        await withdraw(database, second)
        live = LiveRuns(database)
        assert [one.run_id for one in await live.kept(family, third, NOW)] == [first]
        assert (await live.take_back(family, third, NOW)).run_id == first

    asyncio.run(life())


def test_a_run_that_was_taken_back_before_it_was_live_never_is(database: Database, family: str):
    live = LiveRuns(database)

    async def life() -> None:
        (_, second) = await went_live(database, family, 0, 1)
        seen = await live.read(family)
        third = await finished(database, family, 2, "running")
        await withdraw(database, third)
        with pytest.raises(RunTakenBack, match=str(third)):
            await live.go_live(family, third, NOW, {}, second)
        assert await live.read(family) == seen  # nor was it for a moment

    asyncio.run(life())


class Meanwhile:
    """A database in which a run is taken back just before a pointer moves for the first time."""

    def __init__(self, database: Database, run: UUID) -> None:
        self._database, self._runs = database, [run]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def applied(self, cql: str, values: Sequence[object]) -> bool:
        if self._runs:
            await withdraw(self._database, self._runs.pop())
        return await self._database.applied(cql, values)


def test_who_takes_back_at_the_very_moment_wins(database: Database, family: str):
    async def life() -> None:
        first, second = await went_live(database, family, 0, 1)
        third = await finished(database, family, 2, "running")
        live = LiveRuns(Meanwhile(database, third))
        with pytest.raises(RunTakenBack):
            await live.go_live(family, third, NOW, {}, second)
        assert (await live.read(family)).run_id == second

        live = LiveRuns(Meanwhile(database, first))  # where readers are about to be sent
        assert await live.take_back(family, second, NOW) is None
        assert await live.read(family) is None

    asyncio.run(life())


@pytest.mark.parametrize("table", ["clusters", "recommendations", "ranks"])
def test_rows_live_as_long_as_a_run_can_be_gone_back_to(database: Database, table: str):
    cql = (
        "SELECT default_time_to_live FROM system_schema.tables "
        "WHERE keyspace_name = 'muvr_test' AND table_name = ?"
    )
    (row,) = database.execute(cql, (table,))
    assert timedelta(seconds=row.default_time_to_live) == ROWS_KEPT
