"""Projections of labelled stretches: samples of confirmed sets with the idle time around them."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.inputs import LAYOUTS
from schemas.times import aware
from store.concurrency import map_concurrently
from store.database import Database, Row

_COLUMNS = "model_id, session_id, started_at, ended_at, spans, revision"
_SESSION = "WHERE user_id = ? AND model_id = ? AND session_id = ?"
ROWS_AT_ONCE = 8  # that are read with samples: each is up to a megabyte

NamedSpan = tuple[int, int, str]
"""A set on the clock of the samples: start and end in nanoseconds, and its exercise."""


class StretchMetadata(NamedTuple):
    """A stretch without its samples.

    Times are corrected by the clock offset of the stream; those in `spans` are the device's.
    `revision` is its write time, later than that of every set and list that it is based on.
    """

    model_id: str
    session_id: UUID
    started_at: datetime
    ended_at: datetime
    spans: tuple[NamedSpan, ...]
    revision: int


class StretchKey(NamedTuple):
    """A stretch's place in the partition of its user and layout."""

    session_id: UUID
    started_at: datetime


class StoredStretch(NamedTuple):
    """A stretch with its raw samples (models.signal.pieces)."""

    metadata: StretchMetadata
    samples: bytes


class Stretches:
    """Rows of `labelled_stretches`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replace(
        self,
        user_id: UUID,
        session_id: UUID,
        rows: Sequence[StoredStretch],
        revision: int,
        ttl_s: int,
    ) -> None:
        """Replace a session's stretches, as of a revision, with a time to live of `ttl_s`."""
        await self.delete_session(user_id, session_id, revision - 1)
        for metadata, samples in rows:  # one after the other: a row may hold 300 kB
            await self._database.run(
                f"INSERT INTO labelled_stretches (user_id, {_COLUMNS}, samples) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?) USING TIMESTAMP ? AND TTL ?",
                (
                    user_id,
                    *metadata[:4],
                    json.dumps(metadata.spans),
                    revision,
                    samples,
                    revision,
                    ttl_s,
                ),
            )

    async def delete_session(self, user_id: UUID, session_id: UUID, at_us: int) -> None:
        """Delete what was written of a session at or before `at_us`."""
        await asyncio.gather(
            *(
                self._database.run(
                    f"DELETE FROM labelled_stretches USING TIMESTAMP ? {_SESSION}",
                    (at_us, user_id, model_id, session_id),
                )
                for model_id in LAYOUTS
            )
        )

    async def of_session(self, user_id: UUID, session_id: UUID) -> list[StretchMetadata]:
        """A session's stretches in order, without samples."""
        cql = f"SELECT {_COLUMNS} FROM labelled_stretches {_SESSION}"
        return [_metadata(row) for row in await self._in_each_layout(cql, user_id, session_id)]

    async def row_keys(self, user_id: UUID, model_id: str) -> list[StretchKey]:
        """The key of every stretch of a user in one layout, in order: no samples are read."""
        rows = await self._database.run(
            "SELECT session_id, started_at FROM labelled_stretches "
            "WHERE user_id = ? AND model_id = ?",
            (user_id, model_id),
        )
        return [StretchKey(row.session_id, aware(row.started_at)) for row in rows]

    async def rows(
        self, user_id: UUID, model_id: str, keys: Sequence[tuple[UUID, datetime]]
    ) -> list[StoredStretch]:
        """The stretches of a user in one layout with these keys, in their order; not the others.

        One that was deleted meanwhile is left out.
        """
        cql = f"SELECT {_COLUMNS}, samples FROM labelled_stretches {_SESSION} AND started_at = ?"
        found = await map_concurrently(
            lambda key: self._database.run(cql, (user_id, model_id, *key)), keys, ROWS_AT_ONCE
        )
        return [StoredStretch(_metadata(row), bytes(row.samples)) for [row] in filter(None, found)]

    async def revisions(self, user_id: UUID) -> list[tuple[str, UUID, datetime, int]]:
        """Layout, session, start and revision of every stretch of a user, to detect changes."""
        cql = (
            "SELECT model_id, session_id, started_at, revision FROM labelled_stretches "
            "WHERE user_id = ? AND model_id = ?"
        )
        rows = await self._in_each_layout(cql, user_id)
        return [(r.model_id, r.session_id, aware(r.started_at), r.revision) for r in rows]

    async def sessions_of(self, user_id: UUID) -> set[UUID]:
        """Sessions of a user that have stretches."""
        cql = "SELECT session_id FROM labelled_stretches WHERE user_id = ? AND model_id = ?"
        return {row.session_id for row in await self._in_each_layout(cql, user_id)}

    async def keys(self) -> list[tuple[UUID, str]]:
        """Every (user, layout) that has stretches, in order."""
        rows = await self._database.run("SELECT DISTINCT user_id, model_id FROM labelled_stretches")
        return sorted((row[0], row[1]) for row in rows)

    async def _in_each_layout(self, cql: str, user_id: UUID, *more: UUID) -> list[Row]:
        """The rows of a user's partitions, which are one for each layout, in their order."""
        pages = await asyncio.gather(
            *(self._database.run(cql, (user_id, model_id, *more)) for model_id in LAYOUTS)
        )
        return [row for page in pages for row in page]


def spans_of(text: str) -> tuple[NamedSpan, ...]:
    """The spans in a row's JSON.

    >>> spans_of('[[1, 2, "row"]]')
    ((1, 2, 'row'),)
    """
    return tuple((int(start), int(end), str(name)) for start, end, name in json.loads(text))


def _metadata(row: Row) -> StretchMetadata:
    return StretchMetadata(
        row.model_id,
        row.session_id,
        aware(row.started_at),
        aware(row.ended_at),
        spans_of(row.spans),
        row.revision,
    )
