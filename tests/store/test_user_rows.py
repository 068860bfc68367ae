"""Export and erasure include every table with user data."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from pipelines.clusters import CLUSTERS
from pipelines.rank import RANK
from pipelines.recommend import RECOMMEND
from schemas.families import BATCH_FAMILIES, FAMILIES
from schemas.ids import uuid7
from schemas.times import us_of
from store.cql import read_migrations
from store.database import Database
from store.jobs import JobRuns
from store.journal import Event, Journal
from store.live_runs import LiveRuns
from store.migrate import FOLDER
from store.rows import Row
from store.user_rows import (
    KEYS_AHEAD,
    RUN_TABLES,
    USER_TABLES,
    RunKey,
    UserKeys,
    UserRows,
    possible_months,
)
from tests.cassandra_node import ON_NODE

PERSONAL = {"user_id", "owner", "username", "followee"}
NOT_OF_USERS = {"job_leases"}  # its owner is a process
OTHER_TABLES = {
    "dead_letters": "found by day and shard (store.dead_letters)",
    "users": "conditional writes only (store.users)",
    "usernames": "conditional writes only (store.users)",
    "logins": "conditional writes only (store.logins)",
    "champions": "conditional writes only (store.champions)",
}


def created_tables() -> dict[str, str]:
    """Every table that a migration makes, with its columns and keys as CQL."""
    statements = [s for migration in read_migrations(FOLDER) for s in migration.statements]
    made = (re.match(r"CREATE TABLE IF NOT EXISTS (\w+) (.*)", s, re.DOTALL) for s in statements)
    return {table[1]: table[2] for table in made if table}


def test_every_table_with_a_user_column_is_registered() -> None:
    found = {
        name
        for name, columns in created_tables().items()
        if PERSONAL & set(re.findall(r"(\w+) (?:uuid|text)", columns))
    }
    assert found - NOT_OF_USERS == USER_TABLES.keys() | OTHER_TABLES.keys()


def test_every_table_of_runs_and_users_is_registered_as_one_that_a_run_may_still_fill() -> None:
    found = {
        name
        for name, columns in created_tables().items()
        if "user_id uuid" in columns and "PRIMARY KEY ((run_id" in columns
    }
    assert found == set(RUN_TABLES)


def test_the_months_of_ids_include_that_of_the_day_after_tomorrow() -> None:
    """The clock of a phone may be ahead."""
    months = possible_months(datetime(2026, 11, 30, 12, tzinfo=UTC))
    assert months[-2:] == ["2026-11", "2026-12"]
    assert possible_months(datetime(2026, 11, 28, 12, tzinfo=UTC))[-1] == "2026-11"


@ON_NODE
def test_user_keys_leave_out_runs_whose_rows_have_expired(database: Database) -> None:
    now, family = datetime.now(UTC), f"test-{uuid4()}"

    def run(days: int) -> UUID:
        return uuid7(int((now - timedelta(days)).timestamp() * 1000), uuid4().bytes[:10])

    kept, gone, served = [run(0), run(90)], [run(92), run(400)], run(500)

    async def story() -> list[UUID]:
        for one in (*kept, *gone):
            await JobRuns(database).start(family, one, {}, now)
        await LiveRuns(database).go_live(family, served, now, {}, None)
        keys = await UserRows(database).keys(uuid4(), now)
        return [run.run_id for run in keys.runs if run.family == family]

    runs = asyncio.run(story())
    assert runs == sorted([*kept, served])


@ON_NODE
def test_an_opening_of_a_later_release_does_not_end_an_erasure(database: Database) -> None:
    now, user, session = datetime.now(UTC), uuid4(), uuid7(int(time.time() * 1000), bytes(10))
    opening = Event(uuid4(), session, "session-opened", {"begins": "2031"}, us_of(now))

    async def story() -> UserKeys:
        await Journal(database).append(user, opening, "sessions")
        return await UserRows(database).keys(user, now)

    assert session in asyncio.run(story()).sessions


@ON_NODE
def test_user_keys_have_the_months_of_all_starts_of_a_session(database: Database) -> None:
    now, user, session = datetime.now(UTC), uuid4(), uuid7(int(time.time() * 1000), bytes(10))
    starts = {"session-opened": "2001-03-01T00:01:00Z", "session-amended": "2001-02-28T23:59:00Z"}

    async def story() -> UserKeys:
        for kind, start in starts.items():
            body = {"started_at": start, "timezone": "UTC", "plan": None}
            event = Event(uuid4(), session, kind, body, us_of(now))
            await Journal(database).append(user, event, "sessions")
        return await UserRows(database).keys(user, now)

    keys = asyncio.run(story())
    assert {"2001-02", "2001-03"} <= set(keys.months)
    assert keys.sessions == (session,)


def test_results_are_looked_for_in_runs_of_their_own_family_alone() -> None:
    """A family that fails each half hour has thousands of runs without a result."""
    batch = {CLUSTERS.table: CLUSTERS, RECOMMEND.table: RECOMMEND, RANK.table: RANK}
    assert {family.name for family in batch.values()} == set(BATCH_FAMILIES)
    runs = tuple(RunKey(uuid4(), family) for family in FAMILIES)
    keys = UserKeys(uuid4(), (), (), (), (), runs, ())
    for table, family in batch.items():
        own = [(run, keys.user_id) for run, of in runs if of == family.name]
        assert USER_TABLES[table][1](keys) == own
    assert len(USER_TABLES["job_run_users"][1](keys)) == len(runs)
    assert set(RUN_TABLES) == {*batch, "job_run_users"}


@ON_NODE
async def test_an_export_looks_into_many_partitions_at_a_time_and_reads_the_filled_ones(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [uuid7(1000 * second, uuid4().bytes[:10]) for second in range(3 * KEYS_AHEAD)]
    user, filled = uuid4(), [runs[1], runs[2], runs[-1]]
    keys = UserKeys(user, (), (), (), (), tuple(RunKey(run, "rank") for run in runs), ())
    run, pages = database.run, database.pages
    looked_up, read, under_way, at_most = list[object](), list[object](), 0, 0

    async def run_noted(cql: str, values: tuple[object, ...]) -> list[Row]:
        nonlocal under_way, at_most
        looked_up.append(values)
        under_way += 1
        at_most = max(at_most, under_way)
        try:
            return await run(cql, values)
        finally:
            under_way -= 1

    def pages_noted(cql: str, values: Any, *, page_rows: int) -> AsyncIterator[list[Row]]:
        read.append(values)
        return pages(cql, values, page_rows=page_rows)

    insert = "INSERT INTO ranks (run_id, user_id, rank, position) VALUES (?, ?, 0.5, 1)"
    for one in filled:
        await run(insert, (one, user))
    monkeypatch.setattr(database, "run", run_noted)
    monkeypatch.setattr(database, "pages", pages_noted)
    found = UserRows(database).rows("ranks", keys)
    assert (await anext(found)).run_id == filled[0]
    assert len(looked_up) == at_most == KEYS_AHEAD, "no further than that ahead of the reader"
    assert [row.run_id async for row in found] == filled[1:]
    assert read == [(one, user) for one in filled]
