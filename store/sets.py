"""Projections of confirmed sets."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.errors import BadSets
from schemas.times import SpanNs, aware, us_of
from store.database import Database, Row, Statement

_COLUMNS = (
    "session_id, set_id, exercise, started_at, ended_at, reps, weight_kg, intensity, "
    "label_source, revision"
)
IDS_PER_QUERY = 100
_KEY = "WHERE user_id = ? AND session_id = ? AND set_id = ?"


class SetRow(NamedTuple):
    """A confirmed set; `revision` is the time of its last event in microseconds.

    A row without a time or a name was not written by the service; reading it raises `BadSets`.
    """

    session_id: UUID
    set_id: UUID
    exercise: str
    started_at: datetime
    ended_at: datetime
    reps: int | None
    weight_kg: float | None
    intensity: float | None
    label_source: str
    revision: int

    @property
    def span_ns(self) -> SpanNs:
        """From begin to end, on the clock of its samples."""
        return us_of(self.started_at) * 1000, us_of(self.ended_at) * 1000


class TrainedSet(NamedTuple):
    """What training reads of a set, unchecked: CQL may have written anything.

    Attributes:
        started_ms: its start in milliseconds since the epoch, which may lie outside `datetime`.
    """

    session_id: UUID
    set_id: UUID
    exercise: str | None
    started_ms: int | None
    reps: int | None
    weight_kg: float | None
    intensity: float | None
    revision: int | None


class Sets:
    """Rows of `sets`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, user_id: UUID, row: SetRow) -> None:
        """Project a confirmation: all columns, at the time of its event."""
        put = _put(user_id, row)
        await self._database.run(put.cql, put.values)

    async def put_all(self, user_id: UUID, rows: Sequence[SetRow]) -> None:
        """Project about 100 confirmations of a user in one batch: they share a partition."""
        await self._database.run_batch([_put(user_id, row) for row in rows])

    async def read(self, user_id: UUID, session_id: UUID, set_id: UUID) -> SetRow | None:
        """One set, None if it does not exist."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM sets {_KEY}",
            (user_id, session_id, set_id),
        )
        return _set_row(rows[0]) if rows else None

    async def of_session(self, user_id: UUID, session_id: UUID) -> list[SetRow]:
        """A session's sets in time order."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM sets WHERE user_id = ? AND session_id = ?",
            (user_id, session_id),
        )
        return sorted((_set_row(row) for row in rows), key=lambda s: (s.started_at, s.set_id))

    async def some(
        self, user_id: UUID, session_id: UUID, set_ids: Collection[UUID]
    ) -> list[SetRow]:
        """The existing ones among these sets of a session, in time order."""
        stored = await asyncio.gather(
            *(self.read(user_id, session_id, set_id) for set_id in set_ids)
        )
        rows = [row for row in stored if row is not None]
        return sorted(rows, key=lambda s: (s.started_at, s.set_id))

    async def count(self, user_id: UUID, session_id: UUID) -> int:
        """How many sets a session has."""
        rows = await self._database.run(
            "SELECT count(*) AS count FROM sets WHERE user_id = ? AND session_id = ?",
            (user_id, session_id),
        )
        return rows[0].count

    async def of_user(self, user_id: UUID) -> list[SetRow]:
        """All sets of a user, newest session first."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM sets WHERE user_id = ?",
            (user_id,),
        )
        return await asyncio.to_thread(_set_rows, rows)  # of years: a third of a second

    async def of_sessions(self, user_id: UUID, session_ids: Collection[UUID]) -> list[SetRow]:
        """The sets of some sessions, newest session first; a query for every `IDS_PER_QUERY`."""
        cql = f"SELECT {_COLUMNS} FROM sets WHERE user_id = ? AND session_id IN ?"
        newest_first, rows = sorted(session_ids, reverse=True), list[Row]()
        for start in range(0, len(newest_first), IDS_PER_QUERY):
            some = newest_first[start : start + IDS_PER_QUERY]
            rows += await self._database.run(cql, (user_id, some))
        return await asyncio.to_thread(_set_rows, rows)

    # The next three let the node pass over the other sets of the partition: years of them are read
    # there in a tenth of the time that sending them takes. Ids do not tell when a set was done: a
    # session may be imported, or go on, long after its id was made.

    async def of_exercise(self, user_id: UUID, exercise: str) -> list[SetRow]:
        """All sets of a user's exercise, newest session first."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM sets WHERE user_id = ? AND exercise = ? ALLOW FILTERING",
            (user_id, exercise),
        )
        return await asyncio.to_thread(_set_rows, rows)

    async def between(
        self, user_id: UUID, since: datetime, until: datetime | None = None
    ) -> list[SetRow]:
        """A user's sets that began at `since` or later and before `until`, newest session first."""
        end, values = ("AND started_at < ? ", (until,)) if until else ("", ())
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM sets WHERE user_id = ? AND started_at >= ? {end}"
            "ALLOW FILTERING",
            (user_id, since, *values),
        )
        return await asyncio.to_thread(_set_rows, rows)

    async def begun_before(
        self, user_id: UUID, session_ids: Collection[UUID], before: datetime
    ) -> set[UUID]:
        """Which of these sessions have a set that began before a time."""
        if not session_ids:
            return set()
        rows = await self._database.run(
            "SELECT session_id FROM sets WHERE user_id = ? AND session_id >= ? AND session_id <= ? "
            "AND started_at < ? ALLOW FILTERING",
            (user_id, min(session_ids), max(session_ids), before),
        )
        return {row.session_id for row in rows} & {*session_ids}

    async def revisions(
        self, user_id: UUID, only: Collection[tuple[UUID, UUID]] | None = None
    ) -> list[tuple[UUID, int]]:
        """A user's sets with their revisions, to detect changes.

        Args:
            user_id: whose.
            only: session and id of up to `IDS_PER_QUERY` sets; all of the user by default.
        """
        where, values = ("", ())
        if only is not None:
            where, values = " AND (session_id, set_id) IN ?", (list(only),)
        rows = await self._database.run(
            f"SELECT set_id, revision FROM sets WHERE user_id = ?{where}", (user_id, *values)
        )
        return [(row.set_id, row.revision) for row in rows]

    async def trained(self, user_id: UUID) -> list[TrainedSet]:
        """Every set of a user as training reads it, in the order of the table."""
        rows = await self._database.run(
            "SELECT session_id, set_id, exercise, toUnixTimestamp(started_at) AS started_ms, reps, "
            "weight_kg, intensity, revision FROM sets WHERE user_id = ?",
            (user_id,),
        )
        return [TrainedSet(*row) for row in rows]

    async def starts_ms(self, user_id: UUID) -> list[int]:
        """The starts of a user's sets, milliseconds since the epoch."""
        rows = await self._database.run(
            "SELECT toUnixTimestamp(started_at) AS start FROM sets WHERE user_id = ?", (user_id,)
        )
        return [row.start for row in rows if row.start is not None]

    async def users(self) -> list[UUID]:
        """Everybody who has sets, in order."""
        rows = await self._database.run("SELECT DISTINCT user_id FROM sets")
        return sorted(row.user_id for row in rows)

    async def delete(self, user_id: UUID, session_id: UUID, set_id: UUID, at_us: int) -> None:
        """Delete a set, for good; not its labelled rows."""
        await self._database.run(
            f"DELETE FROM sets USING TIMESTAMP ? {_KEY}",
            (at_us, user_id, session_id, set_id),
        )

    async def delete_session(self, user_id: UUID, session_id: UUID, at_us: int) -> None:
        """Delete a session's sets, for good; not their labelled rows."""
        await self._database.run(
            "DELETE FROM sets USING TIMESTAMP ? WHERE user_id = ? AND session_id = ?",
            (at_us, user_id, session_id),
        )


def _put(user_id: UUID, row: SetRow) -> Statement:
    return Statement(
        f"INSERT INTO sets (user_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "USING TIMESTAMP ?",
        (user_id, *row, row.revision),
    )


def _set_rows(rows: Sequence[Row]) -> list[SetRow]:
    return [_set_row(row) for row in rows]


def _set_row(row: Row) -> SetRow:
    done = SetRow(*row)
    if None in (done.exercise, done.started_at, done.ended_at, done.revision):
        raise BadSets(
            f"half a set in session {done.session_id}: {done.set_id} has no time, or no exercise"
        )
    return done._replace(started_at=aware(done.started_at), ended_at=aware(done.ended_at))
