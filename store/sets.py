"""Projections of confirmed sets: for users, and with their samples for training."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.errors import BadSets
from schemas.inputs import LAYOUTS
from schemas.names import normalised_name
from schemas.retention import LABELLED_TTL_S
from schemas.times import aware, us_of
from store.database import Database, Row, Statement

_COLUMNS = (
    "session_id, set_id, exercise, started_at, ended_at, reps, weight_kg, intensity, "
    "label_source, revision"
)
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
    def span_ns(self) -> tuple[int, int]:
        """Begin and end in nanoseconds since the epoch, on the clock of its samples."""
        return us_of(self.started_at) * 1000, us_of(self.ended_at) * 1000


class LabelledSet(NamedTuple):
    """A labelled set: a confirmed set with its samples, for training.

    Times are corrected by the clock offset of its stream; those inside `samples` are the device's.
    `revision` is the newest of the set and its streams' lists: it changes when the samples may.
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


class Sets:
    """Confirmed and labelled sets."""

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
        return [_set_row(row) for row in rows]

    async def revisions(self, user_id: UUID) -> list[tuple[UUID, int]]:
        """Every set of a user with its revision, to detect changes."""
        rows = await self._database.run(
            "SELECT set_id, revision FROM sets WHERE user_id = ?", (user_id,)
        )
        return [(row.set_id, row.revision) for row in rows]

    async def delete(self, user_id: UUID, session_id: UUID, set_id: UUID, at_us: int) -> None:
        """Delete a set and its labelled rows, for good."""
        await asyncio.gather(
            self._database.run(
                f"DELETE FROM sets USING TIMESTAMP ? {_KEY}",
                (at_us, user_id, session_id, set_id),
            ),
            *(self.delete_labelled(user_id, m, set_id, at_us) for m in LAYOUTS),
        )

    async def delete_session(self, user_id: UUID, session_id: UUID, at_us: int) -> None:
        """Delete a session's sets and their labelled rows, for good."""
        labelled = [
            labelled_row
            for labelled_row in await self.labelled_revisions(user_id)
            if labelled_row.session_id == session_id
        ]
        await asyncio.gather(
            self._database.run(
                "DELETE FROM sets USING TIMESTAMP ? WHERE user_id = ? AND session_id = ?",
                (at_us, user_id, session_id),
            ),
            *(
                self.delete_labelled(user_id, labelled_row.model_id, labelled_row.set_id, at_us)
                for labelled_row in labelled
            ),
        )

    async def put_labelled(self, user_id: UUID, row: LabelledSet, ttl_s: int) -> None:
        """Project a set with its samples: all columns, at its revision, for `ttl_s` seconds."""
        await self._database.run(
            "INSERT INTO labelled_sets (user_id, model_id, set_id, session_id, exercise, "
            "started_at, ended_at, reps, weight_kg, intensity, label_source, revision, samples) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?",
            (user_id, *row, row.revision, ttl_s),
        )

    async def delete_labelled(self, user_id: UUID, model_id: str, set_id: UUID, at_us: int) -> None:
        """Delete a labelled set from one layout."""
        await self._database.run(
            "DELETE FROM labelled_sets USING TIMESTAMP ? "
            "WHERE user_id = ? AND model_id = ? AND set_id = ?",
            (at_us, user_id, model_id, set_id),
        )

    async def labelled(self, user_id: UUID, model_id: str) -> list[LabelledSet]:
        """The labelled sets of a user in one input layout, ordered by set id."""
        rows = await self._database.run(
            "SELECT model_id, set_id, session_id, exercise, started_at, ended_at, reps, weight_kg, "
            "intensity, label_source, revision, samples FROM labelled_sets "
            "WHERE user_id = ? AND model_id = ?",
            (user_id, model_id),
        )
        return [
            LabelledSet(*row)._replace(
                started_at=aware(row.started_at),
                ended_at=aware(row.ended_at),
            )
            for row in rows
        ]

    async def labelled_revisions(
        self, user_id: UUID, only: Collection[UUID] | None = None
    ) -> list[LabelledRevision]:
        """The revisions of a user's labelled sets: of these, or of all."""
        where, values = ("", ()) if only is None else (" AND set_id IN ?", (list(only),))
        pages = await asyncio.gather(
            *(
                self._database.run(
                    "SELECT model_id, set_id, session_id, revision FROM labelled_sets "
                    f"WHERE user_id = ? AND model_id = ?{where}",
                    (user_id, model_id, *values),
                )
                for model_id in LAYOUTS
            )
        )
        return [LabelledRevision(*row) for page in pages for row in page]


def remaining_ttl_s(revision: int, now_us: int) -> int:
    """The time to live of labelled samples of a revision from now on, in seconds.

    A replay must not prolong it, so it depends on the revision. It is at most that of new samples,
    because clocks differ; 0 or less means that they must not be written any more.

    >>> remaining_ttl_s(0, 399 * 86_400_000_000), remaining_ttl_s(5_000_000, 0)
    (86400, 34560000)
    """
    return min(LABELLED_TTL_S, LABELLED_TTL_S - (now_us - revision) // 1_000_000)


def _put(user_id: UUID, row: SetRow) -> Statement:
    return Statement(
        f"INSERT INTO sets (user_id, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "USING TIMESTAMP ?",
        (user_id, *row, row.revision),
    )


def _set_row(row: Row) -> SetRow:
    done = SetRow(*row)
    if None in (done.exercise, done.started_at, done.ended_at, done.revision):
        raise BadSets(
            f"half a set in session {done.session_id}: {done.set_id} has no time, or no exercise"
        )
    return done._replace(
        exercise=normalised_name(done.exercise),
        started_at=aware(done.started_at),
        ended_at=aware(done.ended_at),
    )
