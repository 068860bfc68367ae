"""What the batch jobs found for one user, of the run that is live."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from store.database import Database, Row


class Cluster(NamedTuple):
    """The group of people that a user trains like."""

    cluster: int
    name: str
    features: Mapping[str, float]


class Recommendation(NamedTuple):
    """An exercise that a user might like."""

    position: int
    exercise: str
    score: float
    why: str


class Rank(NamedTuple):
    """A user's place among all."""

    rank: float
    position: int


class Deviation(NamedTuple):
    """One planned set or unplanned done set; None where there was no plan, or nothing was done."""

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
    started_at_utc: datetime | None
    timezone: str | None
    local_hour: int | None
    local_date: date | None
    source: str | None
    confidence: float | None


_DEVIATION = ", ".join(Deviation._fields)


class Results:
    """Rows of `clusters`, `recommendations`, `ranks` and `deviations`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def cluster(self, run_id: UUID, user_id: UUID) -> Cluster | None:
        """The user's cluster in a run, None when the run left the user out."""
        rows = await self._database.run(
            "SELECT cluster, name, features FROM clusters WHERE run_id = ? AND user_id = ?",
            (run_id, user_id),
        )
        return Cluster(rows[0].cluster, rows[0].name, _object(rows[0].features)) if rows else None

    async def recommendations(self, run_id: UUID, user_id: UUID) -> list[Recommendation]:
        """What a run recommends to the user, the best first."""
        rows = await self._database.run(
            "SELECT position, exercise, score, why FROM recommendations "
            "WHERE run_id = ? AND user_id = ?",
            (run_id, user_id),
        )
        return [Recommendation(*row) for row in rows]

    async def rank(self, run_id: UUID, user_id: UUID) -> Rank | None:
        """The user's rank in a run, None when the run left the user out."""
        rows = await self._database.run(
            "SELECT rank, position FROM ranks WHERE run_id = ? AND user_id = ?", (run_id, user_id)
        )
        return Rank(*rows[0]) if rows else None

    async def deviations(
        self, user_id: UUID, month: str, session_id: UUID | None = None
    ) -> list[Deviation]:
        """The user's deviations of a month, or of one session in it."""
        cql = f"SELECT {_DEVIATION} FROM deviations WHERE user_id = ? AND month = ?"
        if session_id is None:
            rows = await self._database.run(cql, (user_id, month))
        else:
            rows = await self._database.run(
                f"{cql} AND session_id = ?", (user_id, month, session_id)
            )
        return [_deviation(row) for row in rows]


def _deviation(row: Row) -> Deviation:
    found = Deviation(*row)
    started = found.started_at_utc
    return found._replace(
        kinds=frozenset(found.kinds or ()),
        started_at_utc=None if started is None else started.replace(tzinfo=UTC),
        local_date=None if row.local_date is None else row.local_date.date(),
    )


def _object(text: str | None) -> dict[str, float]:
    return json.loads(text) if text else {}
