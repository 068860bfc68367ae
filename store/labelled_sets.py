"""Labelled sets: confirmed sets with their samples, as training reads them."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.inputs import LAYOUTS
from schemas.retention import LABELLED_TTL_S
from schemas.times import aware
from store.database import Database, Statement

_PARTITION = "FROM labelled_sets WHERE user_id = ? AND model_id = ?"


class LabelledSet(NamedTuple):
    """A labelled set: a confirmed set with its samples, for training.

    Times are corrected by the clock offset of its stream; those inside `samples` are the device's.
    `revision` is that of the set and its streams' lists (`ingest.label_revisions`): it changes when
    the samples may. Its millisecond is that of the newest of them.
    """

    model_id: str
    set_id: UUID
    session_id: UUID
    exercise: str
    started_at: datetime
    ended_at: datetime
    reps: int | None
    weight_kg: float | None
    intensity: float | None
    label_source: str
    revision: int
    samples: bytes


class LabelledRevision(NamedTuple):
    """The revision of a labelled set, and its partition."""

    model_id: str
    set_id: UUID
    session_id: UUID
    revision: int


class TrainingSet(NamedTuple):
    """A labelled set with its samples, and its windows if a run has stored them."""

    set_id: UUID
    revision: int
    exercise: str
    started_at: datetime
    label_source: str
    samples: bytes
    features: bytes | None


class TrainingRevision(NamedTuple):
    """What tells whether a set changed since a model was trained on it."""

    set_id: UUID
    revision: int
    exercise: str
    started_at: datetime


class StoredWindows(NamedTuple):
    """The windows of a revision of a set, with their time to live."""

    set_id: UUID
    revision: int
    features: bytes
    ttl_s: int


class LabelledSets:
    """Rows of `labelled_sets`; a partition is a user's sets in one input layout."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, user_id: UUID, row: LabelledSet, ttl_s: int) -> None:
        """Project a set with its samples: all columns, at its revision, for `ttl_s` seconds."""
        await self._database.run(
            "INSERT INTO labelled_sets (user_id, model_id, set_id, session_id, exercise, "
            "started_at, ended_at, reps, weight_kg, intensity, label_source, revision, samples) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?",
            (user_id, *row, row.revision, ttl_s),
        )

    async def delete(self, user_id: UUID, model_id: str, set_id: UUID, at_us: int) -> None:
        """Delete a set, with its stored windows, from one layout."""
        await self._database.run(
            "DELETE FROM labelled_sets USING TIMESTAMP ? "
            "WHERE user_id = ? AND model_id = ? AND set_id = ?",
            (at_us, user_id, model_id, set_id),
        )

    async def delete_set(self, user_id: UUID, set_id: UUID, at_us: int) -> None:
        """Delete a set from every layout."""
        await asyncio.gather(*(self.delete(user_id, m, set_id, at_us) for m in LAYOUTS))

    async def of_user(self, user_id: UUID, model_id: str) -> list[LabelledSet]:
        """The labelled sets of a user in one input layout, ordered by set id."""
        rows = await self._database.run(
            "SELECT model_id, set_id, session_id, exercise, started_at, ended_at, reps, weight_kg, "
            f"intensity, label_source, revision, samples {_PARTITION}",
            (user_id, model_id),
        )
        return [
            LabelledSet(*row)._replace(
                started_at=aware(row.started_at),
                ended_at=aware(row.ended_at),
            )
            for row in rows
        ]

    async def revisions(
        self, user_id: UUID, only: Collection[UUID] | None = None
    ) -> list[LabelledRevision]:
        """The revisions of a user's labelled sets in all layouts: of these, or of all."""
        where, values = ("", ()) if only is None else (" AND set_id IN ?", (list(only),))
        pages = await asyncio.gather(
            *(
                self._database.run(
                    f"SELECT model_id, set_id, session_id, revision {_PARTITION}{where}",
                    (user_id, model_id, *values),
                )
                for model_id in LAYOUTS
            )
        )
        return [LabelledRevision(*row) for page in pages for row in page]

    async def keys(self) -> list[tuple[UUID, str]]:
        """Every (user, layout) that has labelled sets, in order."""
        rows = await self._database.run("SELECT DISTINCT user_id, model_id FROM labelled_sets")
        return sorted((row.user_id, row.model_id) for row in rows)

    async def has_any(self, user_id: UUID, model_id: str) -> bool:
        """Whether a user has a labelled set in one input layout; one row is read."""
        rows = await self._database.run(f"SELECT set_id {_PARTITION} LIMIT 1", (user_id, model_id))
        return bool(rows)

    async def training_sets(self, user_id: UUID, model_id: str) -> list[TrainingSet]:
        """A user's sets in one input layout, with their stored windows, ordered by id."""
        rows = await self._database.run(
            "SELECT set_id, revision, exercise, started_at, label_source, samples, features "
            f"{_PARTITION}",
            (user_id, model_id),
        )
        return [TrainingSet(*row)._replace(started_at=aware(row.started_at)) for row in rows]

    async def training_revisions(self, user_id: UUID, model_id: str) -> list[TrainingRevision]:
        """A partition's sets, each with its revision and label; no samples are read."""
        rows = await self._database.run(
            f"SELECT set_id, revision, exercise, started_at {_PARTITION}", (user_id, model_id)
        )
        return [TrainingRevision(*row)._replace(started_at=aware(row.started_at)) for row in rows]

    async def keep_windows(
        self, user_id: UUID, model_id: str, kept: Sequence[StoredWindows]
    ) -> None:
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


def remaining_ttl_s(revision: int, now_us: int) -> int:
    """The time to live of labelled samples of a revision from now on, in seconds.

    A replay must not prolong it, so it depends on the revision. It is at most that of new samples,
    because clocks differ; 0 or less means that they must not be written any more.

    >>> remaining_ttl_s(0, 399 * 86_400_000_000), remaining_ttl_s(5_000_000, 0)
    (86400, 34560000)
    """
    return min(LABELLED_TTL_S, LABELLED_TTL_S - (now_us - revision) // 1_000_000)
