"""Watermarks: up to when jobs have read their inputs, and which users changed since."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from schemas.retention import CHANGES_TTL
from schemas.times import aware
from schemas.topics import Topic
from store.changes import Changes
from store.database import Database

CHANGES_KEPT = CHANGES_TTL - timedelta(days=1)  # past that, everything is read again
ANNOUNCED_BEFORE = timedelta(minutes=5)  # an announcement precedes its write by less
MAX_CLOCK_SKEW = timedelta(minutes=1)
"""A watermark further ahead than this was set by a wrong clock, and is ignored."""


class Watermark(NamedTuple):
    """Up to when a family's inputs were read, and by which run."""

    read_until: datetime
    run_id: UUID


class Watermarks:
    """Up to when a family's inputs were read. Conditional writes only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, family: str, now: datetime) -> datetime | None:
        """The watermark of a family; None before its first successful run, or in the future.

        Nothing is newer than a watermark in the future: a job that used it would do nothing.
        """
        mark = await self.newest(family)
        return None if mark is None or mark.read_until > now + MAX_CLOCK_SKEW else mark.read_until

    async def newest(self, family: str) -> Watermark | None:
        """The watermark with the run that set it, None before the first successful run."""
        rows = await self._database.run(
            "SELECT read_until, run_id FROM watermarks WHERE family = ?", (family,)
        )
        return Watermark(aware(rows[0].read_until), rows[0].run_id) if rows else None

    async def advance(self, family: str, run_id: UUID, to: datetime, now: datetime) -> bool:
        """Move the watermark forward; False if it is there already or further.

        One in the future is replaced.
        """
        move = "UPDATE watermarks SET read_until = ?, run_id = ? WHERE family = ? IF read_until "
        return (
            await self._database.applied(
                "INSERT INTO watermarks (family, read_until, run_id) VALUES (?, ?, ?) "
                "IF NOT EXISTS",
                (family, to, run_id),
            )
            or await self._database.applied(f"{move} < ?", (to, run_id, family, to))
            or await self._database.applied(
                f"{move} > ?", (to, run_id, family, now + MAX_CLOCK_SKEW)
            )
        )

    async def changed_users(
        self, topics: Sequence[Topic], since: datetime, until: datetime
    ) -> dict[UUID, datetime]:
        """Users with a change of one of the topics since then, each with the newest one's time.

        `changes` is written before the data, so a user may appear for a write that failed: readers
        must compare the data, not assume a difference.
        """
        changed = await Changes(self._database).since(since, until)
        return {
            user: max(of_user[topic] for topic in wanted)
            for user, of_user in changed.items()
            if (wanted := of_user.keys() & set(topics))
        }
