"""Logins: each has one current token, until it ends."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

from store.database import Database
from store.logins import Login, Logins

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SCOPES = frozenset({"predict"})


async def test_login_advances_by_one_token_at_a_time_until_revoked(database: Database):
    logins = Logins(database)
    login_id = uuid.uuid4()
    login = Login(uuid.uuid4(), login_id, login_id, SCOPES, NOW + timedelta(days=90))
    first, second = uuid.uuid4(), uuid.uuid4()
    later = NOW + timedelta(days=91)
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
    assert moved.scopes == SCOPES  # none would mean all that the user has
    assert not await logins.advance(login, uuid.uuid4(), later, NOW)  # from a stale read
    await logins.revoke(login.user_id, login_id)
    assert await logins.read(login.user_id, login_id) is None
    assert not await logins.advance(moved, uuid.uuid4(), later, NOW)
    assert await logins.read(login.user_id, login_id) is None  # an update does not restore it


async def test_revoke_all_ends_every_login_of_one_user(database: Database):
    logins, user_id, other = Logins(database), uuid.uuid4(), uuid.uuid4()
    for owner in (user_id, user_id, other):
        login_id = uuid.uuid4()
        until = NOW + timedelta(days=1)
        await logins.open(Login(owner, login_id, login_id, SCOPES, until), NOW)
    assert len(await logins.of_user(user_id)) == 2
    await logins.revoke_all(user_id)
    assert await logins.of_user(user_id) == []
    assert len(await logins.of_user(other)) == 1


async def test_login_expires_by_its_ttl_unless_it_was_advanced(database: Database):
    """One that was advanced keeps its scopes: without any it would have all of its user."""
    logins, user_id, later = Logins(database), uuid.uuid4(), NOW + timedelta(days=90)
    soon = NOW + timedelta(seconds=4)  # a busy machine may take seconds to advance one
    idle, used = (Login(user_id, id_, id_, SCOPES, soon) for id_ in (uuid.uuid4(), uuid.uuid4()))
    for login in (idle, used):
        await logins.open(login, NOW)
    assert await logins.advance(used, used.login_id, later, NOW)
    while len(await logins.of_user(user_id)) > 1:
        await asyncio.sleep(0.2)
    assert await logins.of_user(user_id) == [used._replace(expires_at=later)]
