"""Projections of deviations: one row per planned set, and per done set that was not planned."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from schemas.layout import month_of
from schemas.times import aware
from store.database import Database, Row, Statement

_SESSION = "WHERE user_id = ? AND month = ? AND session_id = ?"


class DeviationRow(NamedTuple):
    """One row; None where nothing was planned, or nothing was done.

    `started_at_utc` is the start of the done set, or of the session for a missed one. `revision` is
    the time of the newest event that the session's rows are based on: of the session, its plan, its
    sets and its predictions, as they are. A deletion leaves nothing to be based on.
    """

    session_id: UUID
    position: int
    set_id: UUID | None
    kinds: frozenset[str]
    planned_exercise: str | None
    planned_reps: int | None
    planned_weight_kg: float | None
    planned_intensity: float | None
    actual_exercise: str | None
    actual_reps: int | None
    actual_weight_kg: float | None
    actual_intensity: float | None
    started_at_utc: datetime
    timezone: str
    local_hour: int
    local_date: date
    source: str | None
    confidence: float | None
    revision: int


def deviations_month(session_started_at: datetime) -> str:
    """The bucket of a session's rows: the month of its start in UTC, whatever its offset.

    Any month of `schemas.times`: a device's clock may be years off.

    >>> deviations_month(datetime.fromisoformat("2026-12-01T00:30+01:00"))
    '2026-11'
    """
    return month_of(aware(session_started_at).astimezone(UTC).date())


_COLUMNS = ", ".join(DeviationRow._fields)
_MARKS = ", ".join("?" * (len(DeviationRow._fields) + 2))


class Deviations:
    """Rows of `deviations`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replace(
        self,
        user_id: UUID,
        month: str,
        session_id: UUID,
        rows: Sequence[DeviationRow],
        at_us: int,
    ) -> None:
        """Replace what was written of a session before `at_us`, in one batch."""
        key = (user_id, month)
        delete = f"DELETE FROM deviations USING TIMESTAMP ? {_SESSION}"
        insert = (
            f"INSERT INTO deviations (user_id, month, {_COLUMNS}) VALUES ({_MARKS}) "
            "USING TIMESTAMP ?"
        )
        await self._database.run_batch(
            [
                Statement(delete, (at_us - 1, *key, session_id)),
                *(Statement(insert, (*key, *_stored(row), at_us)) for row in rows),
            ]
        )

    async def delete_session(self, user_id: UUID, month: str, session_id: UUID, at_us: int) -> None:
        """Delete what was written of a session at or before `at_us`."""
        await self._database.run(
            f"DELETE FROM deviations USING TIMESTAMP ? {_SESSION}",
            (at_us, user_id, month, session_id),
        )

    async def of_month(self, user_id: UUID, month: str) -> list[DeviationRow]:
        """A user's rows of a month, session by session."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM deviations WHERE user_id = ? AND month = ?", (user_id, month)
        )
        return [_deviation(row) for row in rows]

    async def of_session(self, user_id: UUID, month: str, session_id: UUID) -> list[DeviationRow]:
        """A session's rows, in the order of the plan."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM deviations {_SESSION}", (user_id, month, session_id)
        )
        return [_deviation(row) for row in rows]

    async def written_us(self, user_id: UUID, month: str, session_id: UUID) -> int:
        """When a session's rows were written, as write timestamps count; 0 if there are none."""
        rows = await self._database.run(
            f"SELECT WRITETIME(revision) AS at_us FROM deviations {_SESSION}",
            (user_id, month, session_id),
        )
        return max((row.at_us for row in rows), default=0)


def _stored(row: DeviationRow) -> tuple[object, ...]:
    return tuple(row._replace(kinds=sorted(row.kinds)))  # pyrefly: ignore[bad-argument-type] a set column


def _deviation(row: Row) -> DeviationRow:
    return DeviationRow(*row)._replace(
        kinds=frozenset(row.kinds or ()),
        started_at_utc=aware(row.started_at_utc),
        local_date=row.local_date.date(),
    )
