"""Follows between users."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.times import aware
from store.database import Database, Row

_COLUMNS = "followee, since"


class Follow(NamedTuple):
    """A followed user, and since when."""

    followee: UUID
    since: datetime


class Follows:
    """Rows of `follows`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, user_id: UUID, followee: UUID, since: datetime) -> None:
        """Follow a user."""
        await self._database.run(
            f"INSERT INTO follows (user_id, {_COLUMNS}) VALUES (?, ?, ?)",
            (user_id, followee, since),
        )

    async def read(self, user_id: UUID, followee: UUID) -> Follow | None:
        """Whether and since when a user is followed."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM follows WHERE user_id = ? AND followee = ?",
            (user_id, followee),
        )
        return _follow(rows[0]) if rows else None

    async def of_user(self, user_id: UUID) -> list[Follow]:
        """All users that a user follows."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM follows WHERE user_id = ?", (user_id,)
        )
        return [_follow(row) for row in rows]

    async def page(self, user_id: UUID, after: UUID | None, limit: int) -> list[Follow]:
        """A page of the users that a user follows, by id, after a given one."""
        where, values = ("AND followee > ? ", (after,)) if after else ("", ())
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM follows WHERE user_id = ? {where}LIMIT ?",
            (user_id, *values, limit),
        )
        return [_follow(row) for row in rows]

    async def delete(self, user_id: UUID, followee: UUID) -> None:
        """Unfollow a user."""
        await self._database.run(
            "DELETE FROM follows WHERE user_id = ? AND followee = ?", (user_id, followee)
        )


def _follow(row: Row) -> Follow:
    return Follow(row.followee, aware(row.since))
