"""Follows and unfollows users; announced in `changes`, so that ranks are computed again."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from schemas.times import us_of
from schemas.topics import FOLLOWS
from store.changes import Changes
from store.follows import Follows


async def follow(
    changes: Changes, follows: Follows, user_id: UUID, followee: UUID, at: datetime
) -> None:
    """Follow a user; one who is followed already stays unchanged."""
    if await follows.read(user_id, followee) is None:
        await _add(changes, follows, user_id, [followee], at)


async def follow_all(
    changes: Changes, follows: Follows, user_id: UUID, followees: Iterable[UUID], at: datetime
) -> None:
    """Follow many users as `follow`, with one read."""
    followed = {follow.followee for follow in await follows.of_user(user_id)}
    new = [followee for followee in followees if followee not in followed]
    if new:
        await _add(changes, follows, user_id, new, at)


async def unfollow(
    changes: Changes, follows: Follows, user_id: UUID, followee: UUID, at: datetime
) -> None:
    """Unfollow a user; repeatable."""
    await changes.announce(user_id, FOLLOWS, us_of(at))
    await follows.delete(user_id, followee)


async def _add(
    changes: Changes, follows: Follows, user_id: UUID, new: Iterable[UUID], at: datetime
) -> None:
    await changes.announce(user_id, FOLLOWS, us_of(at))
    await asyncio.gather(*(follows.put(user_id, followee, at) for followee in new))
