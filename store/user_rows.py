"""Finds a user's rows in every table, for export and erasure.

A test fails when a migration adds a table with a user column that is not named here, except those
that other modules empty: `users`, `usernames`, `logins`, `champions`, `dead_letters`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import product
from typing import NamedTuple
from uuid import UUID

from schemas.errors import BadEvent
from schemas.families import FAMILIES
from schemas.ids import first_id_at
from schemas.inputs import INPUTS, LAYOUTS
from schemas.journal import SessionOpened
from schemas.layout import MAX_ID_AGE_DAYS, months_between, owner_of, shard_of
from schemas.retention import CHANGES_TTL, RESULTS_TTL, TOMBSTONE_AHEAD
from schemas.times import us_of
from store.concurrency import map_concurrently
from store.database import Database, Row, Statement
from store.deviations import deviations_month
from store.journal import Event, event_of

OLDEST_DATA = date(2024, 1, 1)  # no deployment is older
CHANGES_SCANNED_DAYS = CHANGES_TTL.days + 2  # up to tomorrow; the oldest day has expired in part
RUNS_KEPT = RESULTS_TTL + timedelta(days=1)  # a run is older than its rows


class RunKey(NamedTuple):
    """A run of a job, and the family that it computed."""

    run_id: UUID
    family: str


@dataclass(frozen=True, slots=True)
class UserKeys:
    """All keys under which a user may have rows.

    Attributes:
        months: those that ids may carry, and those of sessions' starts.
    """

    user_id: UUID
    sessions: tuple[UUID, ...]
    parts: tuple[tuple[UUID, str, int], ...]
    months: tuple[str, ...]
    days: tuple[date, ...]
    runs: tuple[RunKey, ...]
    models: tuple[tuple[str, str], ...]


def possible_months(now: datetime) -> list[str]:
    """Every month that ids may carry, up to that of the day after tomorrow, in order.

    Events and predictions lie under these. Deviations also lie under others.
    """
    first, last = OLDEST_DATA - timedelta(MAX_ID_AGE_DAYS), now + timedelta(days=2)
    return months_between(first, last.date())


KeysInTable = Callable[[UserKeys], list[tuple[object, ...]]]


def _user(keys: UserKeys) -> list[tuple[object, ...]]:
    return [(keys.user_id,)]


def _sessions(keys: UserKeys) -> list[tuple[object, ...]]:
    return [(keys.user_id, session) for session in keys.sessions]


def _months(keys: UserKeys) -> list[tuple[object, ...]]:
    return [(keys.user_id, month) for month in keys.months]


def _layouts(keys: UserKeys) -> list[tuple[object, ...]]:
    return [(keys.user_id, model_id) for model_id in LAYOUTS]


def _of_runs(family: str) -> tuple[str, KeysInTable]:
    """Where the results of a batch family are: only its own runs write there."""
    return "run_id = ? AND user_id = ?", lambda keys: [
        (run.run_id, keys.user_id) for run in keys.runs if run.family == family
    ]


_OF_USER = ("user_id = ?", _user)
_OF_SESSION = ("user_id = ? AND session_id = ?", _sessions)
_OF_MONTH = ("user_id = ? AND month = ?", _months)
_OF_LAYOUT = ("user_id = ? AND model_id = ?", _layouts)

USER_TABLES: Mapping[str, tuple[str, KeysInTable]] = {
    "sessions": _OF_USER,  # first: no chunk comes into a part that is new after that
    "sets": _OF_USER,
    "plans": _OF_USER,
    "plan_versions": _OF_USER,
    "follows": _OF_USER,
    "session_lists": _OF_SESSION,
    "samples": (
        "user_id = ? AND session_id = ? AND stream = ? AND part = ?",
        lambda keys: [(keys.user_id, *part) for part in keys.parts],
    ),
    "stream_parts": _OF_SESSION,
    "labelled_sets": _OF_LAYOUT,
    "labelled_stretches": _OF_LAYOUT,
    "predictions": _OF_MONTH,
    "deviations": _OF_MONTH,
    "models": (
        "owner = ? AND model_id = ? AND family = ?",
        lambda keys: [(owner_of(keys.user_id), *model) for model in keys.models],
    ),
    "clusters": _of_runs("clusters"),
    "recommendations": _of_runs("recommend"),
    "ranks": _of_runs("rank"),
    "job_run_users": (
        "run_id = ? AND shard = ? AND user_id = ?",
        lambda keys: [(run.run_id, shard_of(keys.user_id), keys.user_id) for run in keys.runs],
    ),
    "changes": (
        "day = ? AND shard = ? AND user_id = ?",
        lambda keys: [(day, shard_of(keys.user_id), keys.user_id) for day in keys.days],
    ),
    "journal": _OF_MONTH,  # last: it knows the sessions that the others are found by
}

RUN_TABLES = ("clusters", "recommendations", "ranks", "job_run_users")
"""Tables that a run which began before an erasure may still fill while it goes on."""

PAGE_ROWS = 32
"""Rows that an export has in memory: of stretches, five minutes of samples each, some megabytes."""
KEYS_AHEAD = 32
"""Partitions that an export looks into at the same time. Most of a user's possible ones are empty:
thousands, read one after the other, would be a silence after which the service cuts the answer."""


SessionStart = tuple[UUID, datetime | None]


class UserRows:
    """The rows of one user in all tables above."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keys(self, user_id: UUID, now: datetime, known: UserKeys | None = None) -> UserKeys:
        """All keys of a user's rows, from the journal and the tables themselves.

        Args:
            user_id: whose.
            now: server time.
            known: keys that were found before: their sessions and months are kept.
        """
        id_months = possible_months(now)
        starts = await self._session_starts(user_id, id_months)
        sessions = sorted({*dict(starts), *(known.sessions if known else ())})
        months = {*id_months, *_months_of(starts), *(known.months if known else ())}
        cql = (
            "SELECT session_id, stream, part FROM stream_parts WHERE user_id = ? AND session_id = ?"
        )
        parts = await self._each(cql, [(user_id, session) for session in sessions])
        first = (now + timedelta(days=1)).date()
        return UserKeys(
            user_id=user_id,
            sessions=tuple(sessions),
            parts=tuple((row.session_id, row.stream, row.part) for row in parts),
            months=tuple(sorted(months)),
            days=tuple(first - timedelta(days=n) for n in range(CHANGES_SCANNED_DAYS)),
            runs=tuple(await self.runs(now)),
            models=tuple(await self._model_keys(user_id)),
        )

    async def rows(self, table: str, keys: UserKeys) -> AsyncIterator[Row]:
        """A user's rows of one table with all columns, partition by partition, page by page."""
        where, _ = USER_TABLES[table]
        cql = f"SELECT * FROM {table} WHERE {where}"
        async for key in self._filled(table, keys):
            async for page in self._database.pages(cql, key, page_rows=PAGE_ROWS):
                for row in page:
                    yield row

    async def _filled(self, table: str, keys: UserKeys) -> AsyncIterator[tuple[object, ...]]:
        """The keys of a table under which a user has rows, in their order."""
        where, keys_in_table = USER_TABLES[table]
        find = f"SELECT {where.split()[0]} FROM {table} WHERE {where} LIMIT 1"
        possible = keys_in_table(keys)
        for start in range(0, len(possible), KEYS_AHEAD):
            some = possible[start : start + KEYS_AHEAD]
            found = await map_concurrently(partial(self._database.run, find), some, KEYS_AHEAD)
            for key, rows in zip(some, found, strict=True):
                if rows:
                    yield key

    async def count(self, table: str, keys: UserKeys) -> int:
        """How many rows a user has in a table."""
        where, keys_in_table = USER_TABLES[table]
        cql = f"SELECT count(*) FROM {table} WHERE {where}"
        return sum(int(row[0]) for row in await self._each(cql, keys_in_table(keys)))

    async def delete(self, table: str, keys: UserKeys, now: datetime) -> None:
        """Delete a user's rows of one table, including those of writes in flight.

        Only `changes` stays writable: it records the erasure.
        """
        where, keys_in_table = USER_TABLES[table]
        at_us = us_of(now if table == "changes" else now + TOMBSTONE_AHEAD)
        await self._database.run_all(
            [
                Statement(
                    f"DELETE FROM {table} USING TIMESTAMP ? WHERE {where}",
                    (at_us, *key),
                )
                for key in keys_in_table(keys)
            ]
        )

    async def months(self, user_id: UUID, now: datetime) -> list[str]:
        """Every month under which a user who is not half erased may have rows, in order."""
        starts = await self._stored_starts(user_id)
        return sorted({*possible_months(now), *_months_of(starts)})

    async def runs(self, now: datetime) -> list[RunKey]:
        """Runs that may have rows left: those of the last 91 days, and the live ones.

        The number of runs only grows: searching all of them would take longer every day.
        """
        oldest = first_id_at(now - RUNS_KEPT)
        newer = "SELECT run_id, family FROM job_runs WHERE family = ? AND run_id >= ?"
        families = await self._database.run("SELECT DISTINCT family FROM job_runs")
        pages = await asyncio.gather(
            *(self._database.run(newer, (row.family, oldest)) for row in families)
        )
        kept = {RunKey(*row) for page in pages for row in page}
        live = await self._database.run("SELECT family, run_id, previous_run_id FROM live_runs")
        named = {(run, row.family) for row in live for run in (row.run_id, row.previous_run_id)}
        return sorted(kept | {RunKey(run, family) for run, family in named if run is not None})

    async def _session_starts(self, user_id: UUID, id_months: list[str]) -> list[SessionStart]:
        """Sessions of the projection and of the journal, with every start that they ever had.

        Some may be half deleted.
        """
        starts = await self._stored_starts(user_id)
        cql = "SELECT user_id, month, event_id, kind FROM journal WHERE user_id = ? AND month = ?"
        events = await self._each(cql, [(user_id, month) for month in id_months])
        opened = await self._each(  # only these: bodies of other kinds may be long
            "SELECT event_id, kind, payload, received_at FROM journal "
            "WHERE user_id = ? AND month = ? AND event_id = ?",
            [row[:3] for row in events if row.kind in ("session-opened", "session-amended")],
        )
        told = [event_of(*row) for row in opened]
        return [*starts, *((event.entity_id, _start_of(event)) for event in told)]

    async def _stored_starts(self, user_id: UUID) -> list[SessionStart]:
        """Sessions of the projection, with their starts; None where only late writes are left."""
        rows = await self._database.run(
            "SELECT session_id, started_at FROM sessions WHERE user_id = ?", (user_id,)
        )
        return [(row.session_id, row.started_at) for row in rows]

    async def _each(self, cql: str, keys: Iterable[tuple[object, ...]]) -> list[Row]:
        """The rows of many keys in their order, with bounded concurrency."""
        pages = await map_concurrently(partial(self._database.run, cql), keys, limit=32)
        return [row for page in pages for row in page]

    async def _model_keys(self, user_id: UUID) -> list[tuple[str, str]]:
        """Layout and family of every model that a user may have."""
        rows = await self._database.run(
            "SELECT model_id, family FROM champions WHERE owner = ?", (owner_of(user_id),)
        )
        named = {(row.model_id, row.family) for row in rows}
        return sorted(named | set(product(INPUTS, FAMILIES)))


def _start_of(event: Event) -> datetime | None:
    """The start that an opening gives; None where only a later release understands it."""
    try:
        body = event.parsed
    except BadEvent:
        return None  # an erasure must not end at it: the session's own rows are found by its id
    return body.started_at if isinstance(body, SessionOpened) else None


def _months_of(starts: Iterable[SessionStart]) -> set[str]:
    return {deviations_month(start) for _, start in starts if start is not None}
