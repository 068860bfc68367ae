"""Export and erasure include every table with user data."""

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from schemas.ids import uuid7
from schemas.times import us_of
from store.cql import read_migrations
from store.database import Database
from store.jobs import JobRuns
from store.journal import Event, Journal
from store.live_runs import LiveRuns
from store.migrate import FOLDER
from store.user_rows import RUN_TABLES, USER_TABLES, UserKeys, UserRows, possible_months
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

    async def story() -> tuple[UUID, ...]:
        for one in (*kept, *gone):
            await JobRuns(database).start(family, one, {}, now)
        await LiveRuns(database).go_live(family, served, now, {}, None)
        return (await UserRows(database).keys(uuid4(), now)).runs

    runs = asyncio.run(story())
    assert {*kept, served} <= set(runs)
    assert not set(gone) & set(runs)


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
