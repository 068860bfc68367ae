"""Whom people follow; announced in `changes`, so that ranks are computed again."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from schemas.times import us_of
from schemas.topics import Topic
from store.journal import Journal
from store.social import Follows

TOPIC: Topic = "follows"


async def follow(
    journal: Journal, follows: Follows, user_id: UUID, followees: Iterable[UUID], at: datetime
) -> None:
    """Follow people from now on; whom the user follows already is left as it is."""
    already = {kept.followee for kept in await follows.of_user(user_id)}
    new = [one for one in followees if one not in already]
    if not new:
        return
    await journal.announce(user_id, TOPIC, us_of(at))
    await asyncio.gather(*(follows.put(user_id, one, at) for one in new))


async def unfollow(
    journal: Journal, follows: Follows, user_id: UUID, followee: UUID, at: datetime
) -> None:
    """Follow somebody no more; repeatable."""
    await journal.announce(user_id, TOPIC, us_of(at))
    await follows.delete(user_id, followee)
