"""Labelled sets as training reads them, and the windows that it stores beside them."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.names import normalised_name
from schemas.times import aware
from store.database import Database, Statement


class SetRevision(NamedTuple):
    """What tells whether a set changed since a model was trained on it."""

    set_id: UUID
    revision: int
    exercise: str
    started_at: datetime


class TrainingSet(NamedTuple):
    """A labelled set with its samples, and its windows if a run has stored them."""

    set_id: UUID
    revision: int
    exercise: str
    started_at: datetime
    label_source: str
    samples: bytes
    features: bytes | None


class StoredWindows(NamedTuple):
    """The windows of a revision of a set, with their time to live."""

    set_id: UUID
    revision: int
    features: bytes
    ttl_s: int


class TrainingSets:
    """Partitions of `labelled_sets`, for training."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, user_id: UUID, model_id: str) -> list[TrainingSet]:
        """A user's labelled sets in one input layout, ordered by id."""
        rows = await self._database.run(
            "SELECT set_id, revision, exercise, started_at, label_source, samples, features "
            "FROM labelled_sets WHERE user_id = ? AND model_id = ?",
            (user_id, model_id),
        )
        return [TrainingSet(*row)._replace(started_at=aware(row.started_at)) for row in rows]

    async def keep(self, user_id: UUID, model_id: str, kept: Sequence[StoredWindows]) -> None:
        """Store windows with the timestamp of their set's revision, so that deletions apply."""
        await self._database.run_all(
            [
                Statement(
                    "UPDATE labelled_sets USING TIMESTAMP ? AND TTL ? SET features = ? "
                    "WHERE user_id = ? AND model_id = ? AND set_id = ?",
                    (
                        windows.revision,
                        windows.ttl_s,
                        windows.features,
                        user_id,
                        model_id,
                        windows.set_id,
                    ),
                )
                for windows in kept
                if windows.ttl_s > 0
            ]
        )


class TrainingKeys:
    """The partitions of `labelled_sets`, without their samples."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[tuple[UUID, str]]:
        """Every (user, layout) that has labelled sets, in order."""
        rows = await self._database.run("SELECT DISTINCT user_id, model_id FROM labelled_sets")
        return sorted((row.user_id, row.model_id) for row in rows)

    async def revisions(self, user_id: UUID, model_id: str) -> list[SetRevision]:
        """A partition's sets, each with its revision and label."""
        rows = await self._database.run(
            "SELECT set_id, revision, exercise, started_at FROM labelled_sets "
            "WHERE user_id = ? AND model_id = ?",
            (user_id, model_id),
        )
        return [
            SetRevision(r.set_id, r.revision, normalised_name(r.exercise), aware(r.started_at))
            for r in rows
        ]
