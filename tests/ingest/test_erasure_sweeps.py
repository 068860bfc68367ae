"""Sweeps finish erasures that were announced, and do not repeat them for ever."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ingest import erasure, erasure_sweep, sweeper
from ingest.erasure import (
    ERASED,
    ERASURE_DONE,
    BegunErasure,
    announce_erasure,
    erase_user,
)
from ingest.sweeper import MAX_UNAVAILABLE_USERS
from schemas.errors import DatabaseUnavailable
from schemas.ids import subject_id
from schemas.times import us_of
from schemas.topics import ERASURES
from store.changes import Changes
from store.database import Database
from store.logins import Login, Logins
from store.records import records_in
from store.users import User, Users
from store.watermarks import Watermarks
from tests.cassandra_node import ON_NODE, announce_only
from tests.ingest.gym import Gym, one_of_each
from tests.ingest.histories import LIMITS

pytestmark = ON_NODE
A_MS, AROUND = timedelta(milliseconds=1), timedelta(minutes=5)


async def test_sweep_erases_late_writes_without_announcing_the_erasure_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "ANNOUNCED_BEFORE", timedelta(0))
    user, records = uuid4(), records_in(database, LIMITS)
    announce_only(monkeypatch, user)
    now = datetime.now(UTC)
    await erase_user(database, user, now)
    ended_at = (await records.changes.since(now - AROUND, now + AROUND))[user][ERASURE_DONE]
    await records.changes.announce(user, "sets", us_of(now))  # a write in flight
    for again in range(3):
        at = datetime.now(UTC)
        assert await sweeper.sweep(records, now - A_MS, at, database=database) == ()
        topics = (await records.changes.since(now - AROUND, at + AROUND))[user]
        assert topics.keys() == {ERASED, ERASURE_DONE}, again
        assert abs(topics[ERASED] - now) < A_MS, "not announced anew"
        assert topics[ERASURE_DONE] == ended_at, "it found nothing more"
    later = now + A_MS
    await sweeper.sweep(records, later, at + AROUND, database=database)
    only_done = {ERASURE_DONE: topics[ERASURE_DONE]}
    assert (await records.changes.since(later, later + AROUND))[user] == only_done


async def test_erasure_that_ends_late_is_a_change_since_its_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that read half of the user meanwhile looks back from its own start only."""
    monkeypatch.setattr(sweeper, "ANNOUNCED_BEFORE", timedelta(0))
    user, records, swept_at = uuid4(), records_in(database, LIMITS), datetime.now(UTC)
    announce_only(monkeypatch, user)
    began = swept_at - timedelta(minutes=21)
    await announce_erasure(database, user, began)
    await sweeper.sweep(records, began - A_MS, swept_at, database=database)
    watermarks, until = Watermarks(database), swept_at + AROUND
    assert user in await watermarks.changed_users(ERASURES, swept_at - A_MS, until)
    assert user not in await watermarks.changed_users([ERASED], swept_at - A_MS, until)


@pytest.mark.parametrize("problem", [ValueError("odd"), DatabaseUnavailable("away")])
async def test_failed_erasure_is_announced_anew_for_the_next_sweeps(
    database: Database, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    monkeypatch.setattr(sweeper, "ANNOUNCED_BEFORE", timedelta(0))
    user, records, swept_at = uuid4(), records_in(database, LIMITS), datetime.now(UTC)
    announce_only(monkeypatch, user)
    began = swept_at - timedelta(minutes=21)

    async def failing(*_: object, **__: object) -> None:
        raise problem

    await announce_erasure(database, user, began)
    monkeypatch.setattr(erasure_sweep, "begin_erasure", failing)
    failed = await sweeper.sweep(records, began - A_MS, swept_at, database=database)
    assert failed == ((user, problem),)
    topics = (await records.changes.since(swept_at - A_MS, swept_at + AROUND))[user]
    assert topics.keys() == {ERASED}


async def test_announced_erasure_of_an_outside_user_is_finished_by_the_sweep(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies when the subject has its new id, which a repeated request would erase."""
    subject = subject_id("https://id.example", uuid4().hex)
    gym, now = Gym(records_in(database, LIMITS)), datetime.now(UTC)
    gym.user = subject

    class Away(Logins):
        async def of_user(self, user_id: UUID) -> list[Login]:
            raise DatabaseUnavailable(f"away before {user_id}'s logins end")

    await one_of_each(gym)
    with monkeypatch.context() as patched:
        patched.setattr(erasure, "Logins", Away)
        with pytest.raises(DatabaseUnavailable):
            await erase_user(database, subject, now)
    fresh = await Users(database).user_of_subject(subject)
    assert fresh != subject
    await erase_user(database, fresh, now)  # the repeated request
    assert await gym.records.sets.of_user(subject)
    monkeypatch.setattr(sweeper, "ANNOUNCED_BEFORE", timedelta(0))
    at = datetime.now(UTC)
    await sweeper.sweep(gym.records, now - A_MS, at, database=database)
    assert not await gym.records.sets.of_user(subject)
    assert await Users(database).user_of_subject(subject) not in (subject, fresh)


def test_interrupted_erasure_is_finished_by_the_sweep(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, records = uuid4(), records_in(database, LIMITS)
    now = datetime.now(UTC)

    class Away(Logins):
        async def revoke_all(self, user_id: object) -> None:
            raise DatabaseUnavailable(f"away before {user_id}'s logins end")

    async def story() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(erasure, "Logins", Away)
            with pytest.raises(DatabaseUnavailable):
                await erase_user(database, user, now)
        assert ERASED in (await Changes(database).since(now - AROUND, now + AROUND))[user]

    asyncio.run(story())
    monkeypatch.setattr(sweeper, "ANNOUNCED_BEFORE", timedelta(0))
    done: list[UUID] = []

    async def erased(_: object, user_id: UUID, *__: object, **___: object) -> BegunErasure:
        done.append(user_id)
        return BegunErasure(user_id, {}, None)

    monkeypatch.setattr(erasure_sweep, "begin_erasure", erased)
    announce_only(monkeypatch, user)
    asyncio.run(sweeper.sweep(records, now - A_MS, now + timedelta(minutes=1), database=database))
    assert done == [user]


async def test_erasures_that_fail_stop_neither_each_other_nor_the_sweep(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than users for whom reads may fail; each is announced anew."""
    users = [uuid4() for _ in range(MAX_UNAVAILABLE_USERS + 2)]
    records, now = records_in(database, LIMITS), datetime.now(UTC)
    announce_only(monkeypatch, *users)
    tried, delete_all = list[UUID](), erasure._delete_all

    async def failing(database: Database, user_id: UUID, at: datetime) -> dict[str, int]:
        tried.append(user_id)
        if user_id != users[-1]:
            raise DatabaseUnavailable("too much to read in time")
        return await delete_all(database, user_id, at)

    for user in users:
        await announce_erasure(database, user, now)
    monkeypatch.setattr(erasure, "_delete_all", failing)
    failed = await sweeper.sweep(records, now - A_MS, now, database=database)
    assert {user for user, _ in failed} == {*users[:-1]}
    assert sorted(tried) == sorted(users), "each once: the next sweep tries them again"
    topics = await records.changes.since(now - AROUND, now + AROUND)
    assert {user for user in users if ERASURE_DONE in topics[user]} == {users[-1]}


async def test_erased_users_lose_all_else_although_their_followers_cannot_be_found(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search reads a table of everybody's, and is the first to take too long."""
    gyms = [Gym(records_in(database, LIMITS)) for _ in range(2)]
    users, now = [gym.user for gym in gyms], datetime.now(UTC)
    announce_only(monkeypatch, *users)
    monkeypatch.setattr(sweeper, "ANNOUNCED_BEFORE", timedelta(0))
    searched: list[set[UUID]] = []

    async def failing(_: Database, followees: Iterable[UUID], __: datetime) -> None:
        searched.append({*followees})
        raise DatabaseUnavailable("too much to read in time")

    for gym in gyms:
        await one_of_each(gym)
        name = User(gym.user, f"name-{gym.user}", "hash", frozenset(), now)
        await Users(database).register(name)
        await announce_erasure(database, gym.user, now)
    monkeypatch.setattr(erasure, "end_follows", failing)
    at = datetime.now(UTC)
    failed = await sweeper.sweep(gyms[0].records, now - A_MS, at, database=database)
    assert {user for user, _ in failed} == {*users}
    assert searched == [{*users}], "once for all of them"
    for gym in gyms:
        assert not await gym.records.sets.of_user(gym.user)
        assert await Users(database).by_id(gym.user) is None
    topics = await gyms[0].records.changes.since(at, at + AROUND)
    assert {user: [*topics[user]] for user in users} == {user: [ERASED] for user in users}
