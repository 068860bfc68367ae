"""Announcements of changes: whose data changed, in which topic, on which day.

They are written before the data that they are about: who reads what changed since a time misses
nothing, and may find a user whose write failed.
"""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from schemas.layout import SHARDS, shard_of
from schemas.times import aware, time_at, us_of
from schemas.topics import Topic
from store.concurrency import map_concurrently
from store.database import Database

_CHANGED = (  # filtered within one partition: of a day, all else stays at the node
    "SELECT user_id, topic, changed_at FROM changes "
    "WHERE day = ? AND shard = ? AND changed_at >= ? ALLOW FILTERING"
)


class Changes:
    """The announced changes of all users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, user_id: UUID, topic: Topic, at_us: int) -> None:
        """Record that a user's data of this topic is about to change."""
        await self._database.run(
            "INSERT INTO changes (day, shard, user_id, topic, changed_at) VALUES (?, ?, ?, ?, ?)",
            (time_at(at_us).date(), shard_of(user_id), user_id, topic, at_us // 1000),
        )

    async def since(self, since: datetime, until: datetime) -> dict[UUID, dict[str, datetime]]:
        """Users with announced changes since a time: each topic, and when it was announced last.

        The days from `since` to `until` are read.
        """
        since_ms = first_ms(since)
        topics: dict[UUID, dict[str, datetime]] = {}

        async def read(day: date, shard: int) -> None:
            """Add the changes of a day and shard: of all at once, 100,000 would block the loop."""
            for row in await self._database.run(_CHANGED, (day, shard, since_ms)):
                of_user, at = topics.setdefault(row.user_id, {}), aware(row.changed_at)
                of_user[row.topic] = max(at, of_user.get(row.topic, at))

        keys = [(day, shard) for day in _days(since, until) for shard in range(SHARDS)]
        await map_concurrently(lambda key: read(*key), keys, limit=32)
        return topics


def first_ms(since: datetime) -> int:
    """The first whole millisecond from a time on: stored times have no microseconds."""
    return -(-us_of(since) // 1000)


def _days(since: datetime, until: datetime) -> list[date]:
    """Every UTC day of a span of time."""
    first, last = since.astimezone(UTC).date(), until.astimezone(UTC).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
