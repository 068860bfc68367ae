"""Projections of sessions and of the lists of `complete`.

Written `USING TIMESTAMP` of their event, so that repeats and late events converge.
"""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from schemas.times import aware
from store.database import Database, Row

_COLUMNS = "session_id, started_at, ended_at, timezone, plan_id, streams, clock_offset_ms, complete"
_KEY = "WHERE user_id = ? AND session_id = ?"
PAGE_IDS = 5000
"""Rows in a page of queries that read ids and numbers alone: one page has the sessions of years."""
PAGE_STREAMS = 1000
NO_HASH = b""
NO_STREAM = ""
"""Under this name an empty list completes a session that no samples were recorded in."""


class SessionRow(NamedTuple):
    """A session; `streams` maps a name to its declaration."""

    session_id: UUID
    started_at: datetime
    ended_at: datetime | None
    timezone: str
    plan_id: UUID | None
    streams: dict[str, dict[str, str | None]]
    clock_offset_ms: dict[str, int]
    complete: bool

    def offset(self, stream: str | None) -> timedelta:
        """How far the server's clock is ahead of a stream's; zero if it is not known."""
        return timedelta(milliseconds=self.clock_offset_ms.get(stream or "", 0))

    def unlisted(self, lists: Collection[str], with_chunks: Collection[str]) -> list[str]:
        """Its streams that have chunks and no list yet: with one of these it is not complete."""
        return [name for name in self.streams if name in with_chunks and name not in lists]


class StreamList(NamedTuple):
    """The list of a stream: hashes of chunks 0, 1, …; `NO_HASH` for numbers without a chunk."""

    hashes: tuple[bytes, ...]
    revision: int


def newest_revision(lists: Mapping[str, StreamList]) -> int:
    """The newest revision of a session's lists; 0 if there are none."""
    return max((stream_list.revision for stream_list in lists.values()), default=0)


class Sessions:
    """Sessions of users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(
        self,
        user_id: UUID,
        session_id: UUID,
        started_at: datetime,
        timezone: str,
        plan_id: UUID | None,
        revision: int,
    ) -> None:
        """Project an opening."""
        await self._database.run(
            "UPDATE sessions USING TIMESTAMP ? SET started_at = ?, timezone = ?, plan_id = ? "
            f"{_KEY}",
            (revision, started_at, timezone, plan_id, user_id, session_id),
        )

    async def declare(
        self,
        user_id: UUID,
        session_id: UUID,
        stream: str,
        declaration: Mapping[str, object],
        revision: int,
    ) -> None:
        """Project the declaration of a stream."""
        await self._database.run(
            f"UPDATE sessions USING TIMESTAMP ? SET streams[?] = ? {_KEY}",
            (revision, stream, json.dumps(declaration, sort_keys=True), user_id, session_id),
        )

    async def put_offset(
        self, user_id: UUID, session_id: UUID, stream: str, offset_ms: int, revision: int
    ) -> None:
        """Project how far the server's clock is ahead of a stream's."""
        await self._database.run(
            f"UPDATE sessions USING TIMESTAMP ? SET clock_offset_ms[?] = ? {_KEY}",
            (revision, stream, offset_ms, user_id, session_id),
        )

    async def close(
        self,
        user_id: UUID,
        session_id: UUID,
        ended_at: datetime | None,
        revision: int,
        *,
        complete: bool,
    ) -> None:
        """Project the session's end by its lists, and whether every stream has one.

        Lists only grow, so of two workers at one revision the one that saw more writes the greater
        values, which win. A missing end must not be written: a null would win.
        """
        end, values = (", ended_at = ?", (ended_at,)) if ended_at else ("", ())
        await self._database.run(
            f"UPDATE sessions USING TIMESTAMP ? SET complete = ?{end} {_KEY}",
            (revision, complete, *values, user_id, session_id),
        )

    async def read(self, user_id: UUID, session_id: UUID) -> SessionRow | None:
        """One session, None if it does not exist."""
        rows = await self._database.run(
            f"SELECT {_COLUMNS} FROM sessions {_KEY}",
            (user_id, session_id),
        )
        sessions = [session_row(row) for row in rows if row.started_at is not None]
        return sessions[0] if sessions else None

    async def page(self, user_id: UUID, before: UUID | None, limit: int) -> list[SessionRow]:
        """A user's sessions, newest first, those before a given one; fewer only at the end."""
        sessions: list[SessionRow] = []
        while True:
            where, values = ("AND session_id < ?", (before,)) if before else ("", ())
            rows = await self._database.run(
                f"SELECT {_COLUMNS} FROM sessions WHERE user_id = ? {where} LIMIT ?",
                (user_id, *values, limit),
            )
            # A row without an opening is no session yet.
            sessions += [session_row(row) for row in rows if row.started_at is not None]
            if len(sessions) >= limit or len(rows) < limit:
                return sessions[:limit]
            before = rows[-1].session_id

    async def timezones(self, user_id: UUID, session_ids: Collection[UUID]) -> dict[UUID, str]:
        """The time zone of each of these sessions that exists."""
        if not session_ids:
            return {}
        rows = await self._database.run(
            "SELECT session_id, timezone FROM sessions "
            "WHERE user_id = ? AND session_id >= ? AND session_id <= ?",
            (user_id, min(session_ids), max(session_ids)),
        )
        wanted = set(session_ids)
        return {
            row.session_id: row.timezone
            for row in rows
            if row.session_id in wanted and row.timezone is not None
        }

    async def of_plan(self, user_id: UUID, plan_id: UUID, since_us: int) -> list[UUID]:
        """The sessions that follow a plan by an opening that was received since then."""
        pages = self._database.pages(
            "SELECT session_id, WRITETIME(plan_id) AS opened_us FROM sessions "
            "WHERE user_id = ? AND plan_id = ? ALLOW FILTERING",
            (user_id, plan_id),  # within one partition
            page_rows=PAGE_IDS,
        )
        return [row.session_id async for page in pages for row in page if row.opened_us >= since_us]

    async def recording(self, user_id: UUID) -> list[UUID]:
        """The sessions that have streams and are not complete, which may get more samples."""
        pages = self._database.pages(
            "SELECT session_id, started_at, streams, complete FROM sessions WHERE user_id = ?",
            (user_id,),
            page_rows=PAGE_STREAMS,
        )
        return [
            row.session_id
            async for page in pages
            for row in page
            if row.streams and row.started_at and not row.complete
        ]

    async def put_list(
        self, user_id: UUID, session_id: UUID, stream: str, hashes: Sequence[bytes], revision: int
    ) -> None:
        """Project the list of a stream."""
        await self._database.run(
            "INSERT INTO session_lists (user_id, session_id, stream, hashes, revision) "
            "VALUES (?, ?, ?, ?, ?) USING TIMESTAMP ?",
            (user_id, session_id, stream, list(hashes), revision, revision),
        )

    async def lists(self, user_id: UUID, session_id: UUID) -> dict[str, StreamList]:
        """The lists of a session's streams, those that have one."""
        rows = await self._database.run(
            f"SELECT stream, hashes, revision FROM session_lists {_KEY}",
            (user_id, session_id),
        )
        return {r.stream: StreamList(tuple(r.hashes or ()), r.revision) for r in rows}

    async def delete(self, user_id: UUID, session_id: UUID, at_us: int) -> None:
        """Delete a session and its lists, for good."""
        await asyncio.gather(
            self._database.run(
                f"DELETE FROM sessions USING TIMESTAMP ? {_KEY}",
                (at_us, user_id, session_id),
            ),
            self._database.run(
                f"DELETE FROM session_lists USING TIMESTAMP ? {_KEY}",
                (at_us, user_id, session_id),
            ),
        )


def session_row(row: Row) -> SessionRow:
    """A session from its columns, with time zones added and declarations parsed."""
    session_id, started_at, ended_at, timezone, plan_id, streams, offsets, complete = row
    return SessionRow(
        session_id=session_id,
        started_at=aware(started_at),
        ended_at=aware(ended_at),
        timezone=timezone,
        plan_id=plan_id,
        streams={name: json.loads(text) for name, text in sorted((streams or {}).items())},
        clock_offset_ms=dict(sorted((offsets or {}).items())),
        complete=bool(complete),
    )
