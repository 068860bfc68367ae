"""Predictions for recognised sets: with model, level and probability."""

from collections.abc import Sequence
from datetime import datetime
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
    """One prediction; `set_id` is derived from the session and the start of the set.

    `details` is JSON: repetitions, form, and the versions of the models.
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
        """Replace a session's predictions."""
        await self.delete(user_id, session_id)
        marks = ", ".join("?" * 16)
        cql = f"INSERT INTO predictions ({_COLUMNS}) VALUES ({marks})"
        await self._database.run_all(
            [
                Statement(cql, (prediction.user_id, prediction.month, *prediction[1:]))
                for prediction in predictions
            ]
        )

    async def delete(self, user_id: UUID, session_id: UUID, at_us: int | None = None) -> None:
        """Delete a session's predictions.

        Args:
            user_id: whose session.
            session_id: which one.
            at_us: timestamp of the deletion, microseconds; None for now.
        """
        using, at = ("", ()) if at_us is None else ("USING TIMESTAMP ? ", (at_us,))
        await self._database.run(
            f"DELETE FROM predictions {using}WHERE user_id = ? AND month = ? AND session_id = ?",
            (*at, user_id, month_of(day_of(session_id)), session_id),
        )

    async def of_session(self, user_id: UUID, session_id: UUID) -> list[Prediction]:
        """The predictions of a session, in time order."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM predictions "
            "WHERE user_id = ? AND month = ? AND session_id = ?",
            (user_id, month_of(day_of(session_id)), session_id),
        )
        predictions = [_with_aware_times(Prediction(row.user_id, *row[2:])) for row in rows]
        return sorted(predictions, key=lambda prediction: prediction.started_at)


def _with_aware_times(stored: Prediction) -> Prediction:
    return stored._replace(
        started_at=aware(stored.started_at),
        ended_at=aware(stored.ended_at),
        predicted_at=aware(stored.predicted_at),
    )
