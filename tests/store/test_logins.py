"""Logins: each has one current token, until it ends."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from store.database import Database
from store.logins import Login, Logins

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_login_advances_by_one_token_at_a_time_until_revoked(database: Database):
    logins = Logins(database)
    login_id = uuid.uuid4()
    scopes = frozenset({"predict"})
    login = Login(uuid.uuid4(), login_id, login_id, scopes, NOW + timedelta(days=90))
    first, second = uuid.uuid4(), uuid.uuid4()
    later = NOW + timedelta(days=91)

    async def life() -> None:
        await logins.open(login, NOW)
        assert await logins.read(login.user_id, login_id) == login
        won = await asyncio.gather(
            logins.advance(login, first, later, NOW), logins.advance(login, second, later, NOW)
        )
        assert sorted(won) == [False, True]
        moved = await logins.read(login.user_id, login_id)
        assert moved is not None
        assert moved.current_token == (first if won[0] else second)
        assert moved.expires_at == later
        assert moved.scopes == scopes  # none would mean all that the user has
        assert not await logins.advance(login, uuid.uuid4(), later, NOW)  # from a stale read
        await logins.revoke(login.user_id, login_id)
        assert await logins.read(login.user_id, login_id) is None
        assert not await logins.advance(moved, uuid.uuid4(), later, NOW)
        assert await logins.read(login.user_id, login_id) is None  # an update does not restore it

    asyncio.run(life())


def test_an_advanced_login_is_kept_whole_until_its_new_end(database: Database):
    logins, login_id = Logins(database), uuid.uuid4()
    begun = Login(uuid.uuid4(), login_id, login_id, frozenset({"predict"}), NOW + timedelta(days=9))

    async def seconds_left() -> tuple[int, list[int], int]:
        await logins.open(begun, NOW)
        assert await logins.advance(begun, uuid.uuid4(), NOW + timedelta(days=90), NOW)
        cql = "SELECT TTL(current_token), TTL(scopes), TTL(expires_at) FROM logins "
        key = (begun.user_id, login_id)
        return (await database.run(cql + "WHERE user_id = ? AND login_id = ?", key))[0]

    token_s, scopes_s, end_s = asyncio.run(seconds_left())
    for left_s in (token_s, *scopes_s, end_s):
        assert 89 * 86400 < left_s <= 90 * 86400


def test_revoke_all_ends_every_login_of_one_user(database: Database):
    logins, user_id, other = Logins(database), uuid.uuid4(), uuid.uuid4()

    async def life() -> None:
        for owner in (user_id, user_id, other):
            login_id = uuid.uuid4()
            until = NOW + timedelta(days=1)
            await logins.open(Login(owner, login_id, login_id, frozenset({"predict"}), until), NOW)
        assert len(await logins.of_user(user_id)) == 2
        await logins.revoke_all(user_id)
        assert await logins.of_user(user_id) == []
        assert len(await logins.of_user(other)) == 1

    asyncio.run(life())


def test_login_expires_by_its_ttl(database: Database):
    logins, login_id = Logins(database), uuid.uuid4()
    login = Login(uuid.uuid4(), login_id, login_id, frozenset(), NOW + timedelta(seconds=1))

    async def life() -> None:
        await logins.open(login, NOW)
        await asyncio.sleep(2.2)  # a TTL counts whole seconds
        assert await logins.read(login.user_id, login_id) is None

    asyncio.run(life())
