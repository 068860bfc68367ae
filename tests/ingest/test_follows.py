"""Follows: one and many, stored once and announced."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from ingest.follows import follow, follow_all
from store.changes import Changes
from store.database import Database
from store.follows import Follow, Follows
from tests.ingest.recorded_session import CountingRepository, FailingRepository

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)


async def test_following_one_more_user_does_not_read_all_follows(database: Database) -> None:
    user, followee = uuid4(), uuid4()
    follows: Any = FailingRepository(Follows(database), "of_user")
    changes: Any = CountingRepository(Changes(database))
    for hours in range(3):
        await follow(changes, follows, user, followee, AT + timedelta(hours=hours))
    assert await Follows(database).of_user(user) == [Follow(followee, AT)]
    assert changes.calls["announce"] == 1


async def test_of_many_users_those_who_are_followed_stay_unchanged(database: Database) -> None:
    user, followees = uuid4(), sorted(uuid4() for _ in range(3))
    follows = Follows(database)
    changes: Any = CountingRepository(Changes(database))
    later = AT + timedelta(hours=1)
    await follow_all(changes, follows, user, followees[:1], AT)
    await follow_all(changes, follows, user, followees, later)
    await follow_all(changes, follows, user, followees, later + timedelta(hours=1))
    stored = {one.followee: one.since for one in await follows.of_user(user)}
    assert stored == {followees[0]: AT, followees[1]: later, followees[2]: later}
    assert changes.calls["announce"] == 2
