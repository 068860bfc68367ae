"""Users: a name has one owner."""

import asyncio
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest

from schemas.config import Cassandra
from schemas.errors import NameTaken, NotFound
from schemas.ids import subject_id
from store.connection import connect
from store.database import Database
from store.users import User, Users

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def somebody(name: str | None = None) -> User:
    name = name or f"user-{uuid.uuid4().hex}"
    return User(uuid.uuid4(), name, "hash", frozenset({"predict"}), NOW)


async def test_a_registered_user_is_found_by_name_and_id(database: Database):
    users, user = Users(database), somebody()
    assert await users.by_name(user.username) is None
    await users.register(user)
    assert await users.by_name(user.username) == user
    assert await users.by_id(user.user_id) == user
    await users.erase(user.user_id)
    assert await users.by_name(user.username) is None
    assert await users.by_id(user.user_id) is None
    await users.register(somebody(user.username))  # the name is free again
    await users.erase(user.user_id)  # erasing again does not remove the new owner
    assert await users.by_name(user.username) is not None


async def test_subject_of_an_erased_user_is_reassigned_once(database: Database):
    users, subject = Users(database), subject_id("https://id.example", uuid.uuid4().hex)
    assert await users.user_of_subject(subject) == subject
    ids = [subject]
    for _ in range(2):
        for _ in range(2):  # a repeat changes nothing
            await users.reassign_subject(ids[-1])
        ids.append(await users.user_of_subject(subject))
    await users.reassign_subject(subject)
    assert await users.user_of_subject(subject) == ids[-1]
    assert len(set(ids)) == 3


async def test_reassigning_leaves_names_of_registered_users(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    users, user = Users(database), somebody()
    await users.register(user)
    read = Mock(side_effect=AssertionError("the usernames of everybody are not read"))
    with monkeypatch.context() as patched:
        patched.setattr("store.users.map_ranges", read)
        await users.reassign_subject(user.user_id)
    assert await users.by_name(user.username) == user
    assert await users.user_of_subject(user.user_id) == user.user_id


async def test_names_of_several_outside_subjects_are_read_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
):
    users, registered = Users(database), somebody()
    await users.register(registered)
    subjects = [subject_id("https://id.example", uuid.uuid4().hex) for _ in range(3)]
    for subject in subjects:
        await users.reassign_subject(subject)
    second = [await users.user_of_subject(subject) for subject in subjects]
    names = await users.outside_names([*second[:2], registered.user_id])
    assert names == {
        second[0]: [f"outside:{subjects[0]}"],
        second[1]: [f"outside:{subjects[1]}"],
        registered.user_id: [],
    }
    assert await users.outside_names(second[2:]) == {second[2]: [f"outside:{subjects[2]}"]}
    monkeypatch.setattr("store.users.map_ranges", Mock(side_effect=AssertionError("read again")))
    for user_id in names:
        await users.reassign_subject(user_id, names[user_id])
    third = [await users.user_of_subject(subject) for subject in subjects]
    assert [new != old for new, old in zip(third, second, strict=True)] == [True, True, False]


def test_one_of_several_concurrent_registrations_gets_the_name(database: Database):
    users, name = Users(database), f"user-{uuid.uuid4().hex}"
    rivals = [somebody(name) for _ in range(8)]

    async def race() -> list[User]:
        results = await asyncio.gather(
            *(users.register(rival) for rival in rivals), return_exceptions=True
        )
        winners = [r for r, result in zip(rivals, results, strict=True) if result is None]
        assert all(result is None or isinstance(result, NameTaken) for result in results)
        assert [await users.by_id(r.user_id) for r in rivals if r not in winners] == [None] * 7
        assert await users.by_name(name) == winners[0]
        return winners

    assert len(asyncio.run(race())) == 1


async def test_granting_a_scope_keeps_the_others(database: Database):
    users, user = Users(database), somebody()
    await users.register(user)
    granted = await users.grant(user.username, ["operate"])
    assert granted.scopes == {"predict", "operate"}
    assert await users.by_id(user.user_id) == granted
    with pytest.raises(NotFound, match="nobody-here"):
        await users.grant("nobody-here", ["operate"])


async def test_withdrawing_a_scope_keeps_the_others_and_a_password_is_replaced(database: Database):
    users, user = Users(database), somebody()
    await users.register(user)
    await users.grant(user.username, ["operate"])
    withdrawn = await users.withdraw(user.username, ["operate", "sensor:write"])
    assert withdrawn == user
    assert await users.by_id(user.user_id) == user
    await users.set_password(user.user_id, "another hash")
    assert await users.by_id(user.user_id) == user._replace(password_hash="another hash")
    with pytest.raises(NotFound, match="nobody-here"):
        await users.withdraw("nobody-here", ["operate"])
    await users.erase(user.user_id)
    with pytest.raises(NotFound, match=str(user.user_id)):
        await users.set_password(user.user_id, "another hash")
    rows = await database.run("SELECT * FROM users WHERE user_id = ?", (user.user_id,))
    assert not rows, "an erased user is not made again"


@pytest.fixture
def ahead(keyspace: Cassandra) -> Iterator[Database]:
    """The connection of a service whose clock is an hour ahead."""
    connection = connect(keyspace, keyspace=keyspace.keyspace)
    connection._cluster.timestamp_generator = lambda: int((time.time() + 3600) * 1e6)
    yield connection
    connection.close()


async def test_later_change_wins_whatever_clock_the_earlier_one_had(
    database: Database, ahead: Database
):
    users, users_ahead, user = Users(database), Users(ahead), somebody()
    await users_ahead.register(user)
    await users.set_password(user.user_id, "another hash")
    await users_ahead.grant(user.username, ["operate"])
    await users.withdraw(user.username, ["operate"])
    assert await users.by_id(user.user_id) == user._replace(password_hash="another hash")
    await users.erase(user.user_id)
    rows = await database.run("SELECT * FROM users WHERE user_id = ?", (user.user_id,))
    assert not rows


def test_user_erased_meanwhile_gets_no_scopes(database: Database, monkeypatch: pytest.MonkeyPatch):
    users, user = Users(database), somebody()

    async def erased_meanwhile(_: str) -> User:
        return user

    monkeypatch.setattr(users, "named", erased_meanwhile)
    for change in (users.grant, users.withdraw):
        with pytest.raises(NotFound, match=str(user.user_id)):
            asyncio.run(change(user.username, ["operate"]))
    cql = "SELECT * FROM users WHERE user_id = ?"
    assert database.execute(cql, (user.user_id,)) == []
