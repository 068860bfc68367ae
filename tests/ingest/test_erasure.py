"""Erased users stay erased, whatever is written meanwhile or restored afterwards."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest

from ingest import erasure
from ingest.erasure import begin_erasure, end_erasures, erase_user
from ingest.export import export_user
from schemas.errors import NotFound
from schemas.ids import subject_id
from schemas.layout import CHUNKS_PER_PART
from schemas.times import us_of
from schemas.topics import ERASURE_DONE
from store.changes import Changes
from store.database import Database
from store.jobs import JobRuns
from store.logins import Login, Logins
from store.records import records_in
from store.user_rows import UserKeys, UserRows
from store.users import Users
from tests.cassandra_node import ON_NODE, payloads_read
from tests.ingest.gym import Gym, one_of_each
from tests.ingest.histories import CHUNKS, LIMITS, new_id
from tests.ingest.recorded_session import RecordedSession

pytestmark = ON_NODE
A_MS, AROUND = timedelta(milliseconds=1), timedelta(minutes=5)


async def test_repeated_erasure_ends_anew_if_it_finds_something(database: Database) -> None:
    """Whoever read in between read what it found."""
    user, now = uuid4(), datetime.now(UTC)
    began, before = now - timedelta(minutes=3), now - timedelta(minutes=2)
    login = Login(user, uuid4(), uuid4(), frozenset({"predict"}), now + timedelta(days=1))

    async def ended_at() -> datetime:
        begun = await begin_erasure(database, user, now, announced_at=began, ended_at=before)
        await end_erasures(database, [begun], now)
        return (await Changes(database).since(began, now + AROUND))[user][ERASURE_DONE]

    assert abs(await ended_at() - before) < A_MS
    await Logins(database).open(login, now)
    assert await ended_at() > now - A_MS


def test_rows_of_a_run_that_began_during_an_erasure_are_deleted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, run, now = uuid4(), new_id(), datetime.now(UTC)

    class RunBeforeTheEnd(Users):
        async def erase(self, user_id: UUID) -> None:
            await JobRuns(database).start("rank", run, {}, now)
            await write()
            await super().erase(user_id)

    async def write() -> None:
        await database.run(
            "INSERT INTO ranks (run_id, user_id, rank, position) VALUES (?, ?, 0.5, 1)", (run, user)
        )

    async def story() -> None:
        monkeypatch.setattr(erasure, "Users", RunBeforeTheEnd)
        assert (await erase_user(database, user, now)).deleted["ranks"] == 1
        await write()  # the run is still writing
        cql = "SELECT rank FROM ranks WHERE run_id = ? AND user_id = ?"
        assert await database.run(cql, (run, user)) == []

    asyncio.run(story())


@pytest.mark.parametrize("generation", ["first", "second"])
async def test_erasure_after_a_restore_leads_an_outside_subject_to_another_id(
    database: Database, generation: str
) -> None:
    """The restored backup may be older than the erasure that reassigned the subject."""
    subject, users = subject_id("https://id.example", uuid4().hex), Users(database)
    if generation == "second":
        await erase_user(database, subject, datetime.now(UTC))
    erased = await users.user_of_subject(subject)
    await erase_user(database, erased, datetime.now(UTC))
    name = f"outside:{subject}"
    if generation == "first":  # as the backup has it
        await database.applied("DELETE FROM usernames WHERE username = ? IF EXISTS", (name,))
    else:
        await database.applied(
            "UPDATE usernames SET user_id = ? WHERE username = ? IF EXISTS", (erased, name)
        )
    assert await users.user_of_subject(subject) == erased
    await erase_user(database, erased, datetime.now(UTC))
    assert await users.user_of_subject(subject) != erased


@pytest.mark.parametrize("table", ["sessions", "samples", "stream_parts", "journal"])
async def test_concurrent_upload_leaves_no_chunk_after_an_erasure(
    database: Database, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """A worker that knows the session begins a new part before a table is erased."""
    one = RecordedSession()
    one.records = records_in(database, LIMITS)
    one.recorder = one.on(one.records)
    part, chunk, here = 7, CHUNKS[0, 0], list[object]()
    delete = UserRows.delete

    async def meanwhile(self: UserRows, at: str, keys: UserKeys, now: datetime) -> None:
        # A service that other tests started in this process sweeps erasures, too.
        if at == table and asyncio.get_running_loop() in here:
            with suppress(NotFound):
                seq = part * CHUNKS_PER_PART
                await one.recorder.put_chunk(one.user, one.session, "acc", seq, chunk)
        await delete(self, at, keys, now)

    here.append(asyncio.get_running_loop())
    await one.open(0)
    monkeypatch.setattr(UserRows, "delete", meanwhile)
    await erase_user(database, one.user, one.now)
    assert await one.records.samples.metadata(one.user, one.session, "acc", [0, part]) == []


async def test_export_and_erasure_include_deviations_of_a_session_with_a_wrong_clock(
    database: Database,
) -> None:
    """The phone's id has the right time; the watch's clock, with its offset, is years behind."""
    start = datetime(2021, 6, 30, 23, 30, tzinfo=timezone(-timedelta(hours=2)))
    month = "2021-07"  # in UTC
    gym = Gym(records_in(database, LIMITS), start)
    await one_of_each(gym)
    rows = await gym.records.deviations.of_month(gym.user, month)
    assert len(rows) == 4
    lines = [line async for line in export_user(database, gym.user, gym.now)]
    assert [line["table"] for line in lines].count("deviations") == len(rows)
    await gym.records.sessions.delete(gym.user, gym.session, us_of(gym.now))  # half erased
    erased = await erase_user(database, gym.user, gym.now)
    assert erased.deleted["deviations"] == len(rows)
    assert await gym.records.deviations.of_month(gym.user, month) == []


async def test_sessions_are_found_in_the_journal_without_reading_list_bodies(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = RecordedSession()
    one.records = records_in(database, LIMITS)
    one.recorder = one.on(one.records)
    await one.open(0, 1)
    await one.complete(0, 1)
    await one.records.sessions.delete(one.user, one.session, us_of(one.now))
    read = payloads_read(monkeypatch, database)
    assert (await UserRows(database).keys(one.user, one.now)).sessions == (one.session,)
    assert len(read) == 1
