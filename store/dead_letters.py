"""Dead letters: data that was received but cannot be used, with the reason.

A letter lies under the day on which its content was received, and is kept for 30 days from then on,
whenever it is written: so a scan of those days finds all letters of a user, and a replay, which
writes letters again, prolongs none. Users share the partitions of a day: an index finds one user's
letters there, so that a user with none waits for none.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from schemas.layout import shard_of
from schemas.retention import DEAD_LETTERS_TTL
from schemas.times import aware
from store.concurrency import map_concurrently
from store.database import Database

SCANNED_DAYS = DEAD_LETTERS_TTL.days + 1  # one more for clocks that differ
CHUNK = "chunk {seq} of stream {stream!r} of session {session_id}: "
"""How the reason of a letter about a chunk begins."""
DAYS_AT_ONCE = 16
_OF_USER = "WHERE day = ? AND shard = ? AND user_id = ?"  # the index within one partition


class DeadLetter(NamedTuple):
    """One dead letter. The same id on the same day is the same letter."""

    id: UUID
    user_id: UUID
    kind: str
    reason: str
    payload: bytes
    received_at: datetime


class LetterKey(NamedTuple):
    """Where a letter lies, and its reason."""

    day: date
    id: UUID
    reason: str


def is_about(reason: str, session_id: UUID) -> bool:
    """Whether a letter with this reason is about a chunk of a session.

    >>> is_about(CHUNK.format(seq=7, stream="acc", session_id=UUID(int=1)) + "why", UUID(int=1))
    True
    """
    return f" of session {session_id}: " in reason


def seconds_left(received_at: datetime, now: datetime) -> int:
    """How long a letter about content received then is still kept, s; 0 where it is not.

    >>> received_at = datetime(2026, 11, 1)
    >>> seconds_left(received_at, datetime(2026, 11, 30)) // 86_400
    1
    >>> seconds_left(received_at, datetime(2026, 12, 1))
    0
    """
    return max(0, int((received_at + DEAD_LETTERS_TTL - now).total_seconds()))


class DeadLetters:
    """Dead letters by day.

    Attributes:
        per_day: how many letters of a user and day are kept; 0 for callers that only read.
    """

    def __init__(self, database: Database, per_day: int = 0) -> None:
        self._database = database
        self.per_day = per_day

    async def put(self, letter: DeadLetter, now: datetime) -> None:
        """Store a letter for the rest of its 30 days; does nothing where they are over."""
        left_s = seconds_left(letter.received_at, now)
        if left_s > 0:
            await self._database.run(
                "INSERT INTO dead_letters (day, shard, id, user_id, kind, reason, payload, "
                "received_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TTL ?",
                (letter.received_at.date(), shard_of(letter.user_id), *letter, left_s),
            )

    async def count(self, user_id: UUID, day: date) -> int:
        """How many letters a user has on a day."""
        rows = await self._database.run(
            f"SELECT count(*) AS count FROM dead_letters {_OF_USER}",
            (day, shard_of(user_id), user_id),
        )
        return rows[0].count

    async def of_user(self, user_id: UUID, now: datetime) -> AsyncIterator[DeadLetter]:
        """All letters of a user that are still stored, oldest day first.

        They are read one by one: a payload may be 2 MB, and there may be thousands.
        """
        for day, id_, _ in await self._keys(user_id, now):
            rows = await self._database.run(
                "SELECT id, user_id, kind, reason, payload, received_at FROM dead_letters "
                "WHERE day = ? AND shard = ? AND id = ?",
                (day, shard_of(user_id), id_),
            )
            for row in rows:
                yield DeadLetter(*row)._replace(received_at=aware(row.received_at))

    async def about(
        self,
        user_id: UUID,
        session_id: UUID,
        now: datetime,
        *,
        since: date | None = None,
        until: date | None = None,
    ) -> list[LetterKey]:
        """The keys of a user's letters about chunks of a session.

        Args:
            user_id: whose.
            session_id: of the chunks.
            now: server time.
            since: the first day of reception to look under; every possible one by default.
            until: the last one, likewise.
        """
        keys = await self._keys(user_id, now, since, until)
        return [key for key in keys if is_about(key.reason, session_id)]

    async def delete(self, user_id: UUID, keys: Iterable[LetterKey]) -> None:
        """Delete letters of a user."""
        for day, id_, _ in keys:
            await self._database.run(
                "DELETE FROM dead_letters WHERE day = ? AND shard = ? AND id = ?",
                (day, shard_of(user_id), id_),
            )

    async def delete_user(self, user_id: UUID, now: datetime) -> int:
        """Delete a user's letters; returns how many there were."""
        keys = await self._keys(user_id, now)
        await self.delete(user_id, keys)
        return len(keys)

    async def delete_session(self, user_id: UUID, session_id: UUID, now: datetime) -> None:
        """Delete a user's letters about chunks of a session."""
        await self.delete(user_id, await self.about(user_id, session_id, now))

    async def _keys(
        self,
        user_id: UUID,
        now: datetime,
        since: date | None = None,
        until: date | None = None,
    ) -> list[LetterKey]:
        """The keys of a user's letters, oldest day first."""

        async def of_day(day: date) -> list[LetterKey]:
            """The keys of one day."""
            rows = await self._database.run(
                f"SELECT id, reason FROM dead_letters {_OF_USER}",
                (day, shard_of(user_id), user_id),
            )
            return sorted(LetterKey(day, row.id, row.reason) for row in rows)

        days = [(now - timedelta(days=n)).date() for n in range(SCANNED_DAYS, -2, -1)]
        wanted = [day for day in days if (since or day) <= day <= (until or day)]
        found = await map_concurrently(of_day, wanted, DAYS_AT_ONCE)
        return [key for keys in found for key in keys]
