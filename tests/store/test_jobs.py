"""Runs and watermarks on the real Cassandra."""

import asyncio
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.ids import uuid7
from schemas.layout import shard_of
from store.database import Database
from store.jobs import JobRuns, UserOutcome
from store.watermarks import Watermarks

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
RUNS = [uuid7(ms, bytes(10)) for ms in (1, 2, 3)]  # in the order of their times


async def test_run_is_recorded_from_start_to_finish(database: Database, family: str):
    runs = JobRuns(database)
    first, second, _ = RUNS
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


def test_metrics_without_a_value_are_stored_and_read_as_null(database: Database, family: str):
    """As the mean over nobody; JSON has no NaN, and clients could not read it."""
    runs = JobRuns(database)
    stored, _, _ = RUNS
    metrics = {"model": {"ndcg": math.nan, "users": 0}}

    async def life() -> None:
        await runs.finish(family, stored, "done", NOW, counts={}, metrics=metrics, reasons={})
        await runs.start(family, stored, {}, NOW)

    asyncio.run(life())
    where = "WHERE family = ? AND run_id = ?"
    [row] = database.execute(f"SELECT metrics FROM job_runs {where}", (family, stored))
    assert row.metrics == '{"model": {"ndcg": null, "users": 0}}'
    [run] = asyncio.run(runs.newest(family))
    assert run.metrics == {"model": {"ndcg": None, "users": 0}}


def test_user_outcomes_of_a_run_are_read_in_order(database: Database):
    runs = JobRuns(database)
    run_id, other = uuid4(), uuid4()
    outcomes = [
        UserOutcome(UUID(int=n), "wrist-acc6", "promoted", "", f"v{n}", "{}") for n in range(200)
    ]
    asyncio.run(runs.write_users(run_id, outcomes))
    assert asyncio.run(runs.users(run_id)) == outcomes
    assert asyncio.run(runs.users(other)) == []


class Counted:
    """A database that counts the rows it returns."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.rows = 0

    async def run(self, cql: str, values: Sequence[object]) -> list[Any]:
        found = await self._database.run(cql, values)
        self.rows += len(found)
        return found


@pytest.mark.parametrize(("users", "limit"), [(640, 7), (640, 100), (70, 20), (3, 2), (0, 5)])
def test_pages_of_user_outcomes_read_a_bounded_number_of_rows(
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
    assert found == sorted(outcomes, key=lambda outcome: (shard_of(outcome.user_id), *outcome))


async def test_a_watermark_only_moves_forward(database: Database, family: str):
    marks, now = Watermarks(database), NOW + timedelta(hours=2)
    assert await marks.read(family, now) is None
    assert await marks.advance(family, RUNS[0], NOW, now)
    assert not await marks.advance(family, RUNS[1], NOW - timedelta(hours=1), now)
    assert await marks.read(family, now) == NOW
    assert await marks.advance(family, RUNS[1], NOW + timedelta(hours=1), now)
    assert await marks.read(family, now) == NOW + timedelta(hours=1)


def test_changed_users_are_selected_by_topic_and_time(database: Database, family: str):
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
    assert found == {
        UUID(int=3): NOW + timedelta(days=1),
        UUID(int=67): NOW + timedelta(days=2),
    }
