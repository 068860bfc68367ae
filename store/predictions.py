"""What was answered for a recognised set: by which model, on which rung, how surely."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from schemas.ids import day_of
from schemas.layout import month_of
from schemas.times import aware
from store.database import Database, Statement

_COLUMNS = (
    "user_id, month, session_id, set_id, started_at, ended_at, exercise, probability, abstained, "
    "reason, reps, family, level, version, predicted_at, details"
)


class Prediction(NamedTuple):
    """One answer; `set_id` names the stretch of the session that it is about.

    `details` is JSON: repetitions, form, and the versions of the models that were asked.
    """

    user_id: UUID
    session_id: UUID
    set_id: UUID
    started_at: datetime
    ended_at: datetime
    exercise: str | None
    probability: float
    abstained: bool
    reason: str | None
    reps: int | None
    family: str
    level: str | None
    version: str | None
    predicted_at: datetime
    details: str | None = None

    @property
    def month(self) -> str:
        """The bucket: the month that the session's id carries."""
        return month_of(day_of(self.session_id))


class Predictions:
    """Rows of `predictions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replace(
        self, user_id: UUID, session_id: UUID, predictions: Sequence[Prediction]
    ) -> None:
        """Let these be a session's answers; what was answered before is gone."""
        await self.delete(user_id, session_id)
        marks = ", ".join("?" * 16)
        cql = f"INSERT INTO predictions ({_COLUMNS}) VALUES ({marks})"
        await self._database.run_all(
            [Statement(cql, (one.user_id, one.month, *one[1:])) for one in predictions]
        )

    async def delete(self, user_id: UUID, session_id: UUID, at_us: int | None = None) -> None:
        """Forget a session's answers.

        Args:
            user_id: whose session.
            session_id: which one.
            at_us: microseconds; what is written up to then goes too. None: what is there now.
        """
        using, at = ("", ()) if at_us is None else ("USING TIMESTAMP ? ", (at_us,))
        await self._database.run(
            f"DELETE FROM predictions {using}WHERE user_id = ? AND month = ? AND session_id = ?",
            (*at, user_id, month_of(day_of(session_id)), session_id),
        )

    async def of_session(self, user_id: UUID, session_id: UUID) -> list[Prediction]:
        """The answers for a session, in order of time."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM predictions "
            "WHERE user_id = ? AND month = ? AND session_id = ?",
            (user_id, month_of(day_of(session_id)), session_id),
        )
        found = [
            Prediction(row.user_id, *row[2:])._replace(
                started_at=aware(row.started_at),
                ended_at=aware(row.ended_at),
                predicted_at=aware(row.predicted_at),
            )
            for row in rows
        ]
        return sorted(found, key=lambda one: one.started_at)


def not_confirmed(
    found: Sequence[Prediction], confirmed: Sequence[tuple[datetime, datetime]]
) -> list[Prediction]:
    """What nobody has spoken about: half of a found set inside a confirmed one is that one.

    So is a found set that holds half of a confirmed one: a person's word replaces it.
    """
    return [one for one in found if not _is_confirmed(one, confirmed)]


def _is_confirmed(one: Prediction, confirmed: Sequence[tuple[datetime, datetime]]) -> bool:
    """Whether half of a found set lies in confirmed ones, or half of a confirmed one in it."""
    spans = [(max(start, one.started_at), min(end, one.ended_at)) for start, end in confirmed]
    shares = [max(timedelta(0), end - start) for start, end in spans]
    lengths = [end - start for start, end in confirmed]
    inside = sum(shares, timedelta(0)) * 2 >= one.ended_at - one.started_at
    return inside or any(
        share * 2 >= length > timedelta(0) for share, length in zip(shares, lengths, strict=True)
    )
