"""Every table that holds something of a user, and how its rows are found: export and erasure.

A table that is added to the migrations with a column of a user and not named here fails a test.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from itertools import product
from uuid import UUID

from schemas.families import FAMILIES
from schemas.ids import uuid7
from schemas.inputs import INPUTS, LAYOUTS
from schemas.layout import MAX_ID_AGE_DAYS, owner_of, shard_of
from schemas.times import us_of
from store.concurrency import map_concurrently
from store.database import Database, Row, Statement
from store.journal import months_between

BIRTH = date(2024, 1, 1)  # no deployment is older
CHANGES_DAYS = 92
RUNS_DAYS = 91  # what runs say of users lives for 90
AHEAD = timedelta(days=3650)
"""An erasure's tombstones lie this far ahead: no write under way survives them, and the user's id
is never used again. Only `changes` must stay writable: it says that the user was erased."""


@dataclass(frozen=True, slots=True)
class Reach:
    """All the keys under which a user may have rows."""

    user_id: UUID
    sessions: tuple[UUID, ...]
    parts: tuple[tuple[UUID, str, int], ...]
    months: tuple[str, ...]
    days: tuple[date, ...]
    runs: tuple[UUID, ...]
    models: tuple[tuple[str, str], ...]


KeysOfReach = Callable[[Reach], list[tuple[object, ...]]]


def _user(reach: Reach) -> list[tuple[object, ...]]:
    return [(reach.user_id,)]


def _sessions(reach: Reach) -> list[tuple[object, ...]]:
    return [(reach.user_id, session) for session in reach.sessions]


def _months(reach: Reach) -> list[tuple[object, ...]]:
    return [(reach.user_id, month) for month in reach.months]


def _layouts(reach: Reach) -> list[tuple[object, ...]]:
    return [(reach.user_id, model_id) for model_id in LAYOUTS]


def _runs(reach: Reach) -> list[tuple[object, ...]]:
    return [(run, reach.user_id) for run in reach.runs]


_OF_USER = ("user_id = ?", _user)
_OF_SESSION = ("user_id = ? AND session_id = ?", _sessions)
_OF_MONTH = ("user_id = ? AND month = ?", _months)
_OF_LAYOUT = ("user_id = ? AND model_id = ?", _layouts)
_OF_RUN = ("run_id = ? AND user_id = ?", _runs)

USER_TABLES: Mapping[str, tuple[str, KeysOfReach]] = {
    "sessions": _OF_USER,  # first: no chunk comes into a part that is new after that
    "sets": _OF_USER,
    "plans": _OF_USER,
    "plan_versions": _OF_USER,
    "follows": _OF_USER,
    "session_lists": _OF_SESSION,
    "samples": (
        "user_id = ? AND session_id = ? AND stream = ? AND part = ?",
        lambda reach: [(reach.user_id, *part) for part in reach.parts],
    ),
    "stream_parts": _OF_SESSION,
    "labelled_sets": _OF_LAYOUT,
    "labelled_stretches": _OF_LAYOUT,
    "predictions": _OF_MONTH,
    "deviations": _OF_MONTH,
    "models": (
        "owner = ? AND model_id = ? AND family = ?",
        lambda reach: [(owner_of(reach.user_id), *model) for model in reach.models],
    ),
    "clusters": _OF_RUN,
    "recommendations": _OF_RUN,
    "ranks": _OF_RUN,
    "job_run_users": (
        "run_id = ? AND shard = ? AND user_id = ?",
        lambda reach: [(run, shard_of(reach.user_id), reach.user_id) for run in reach.runs],
    ),
    "changes": (
        "day = ? AND shard = ? AND user_id = ?",
        lambda reach: [(day, shard_of(reach.user_id), reach.user_id) for day in reach.days],
    ),
    "journal": _OF_MONTH,  # last: it knows the sessions that the others are found by
}

OTHER_TABLES = {
    "dead_letters": "found by day and shard (store.dead_letters)",
    "users": "conditional writes only (store.users)",
    "usernames": "conditional writes only (store.users)",
    "logins": "conditional writes only (store.users)",
    "champions": "conditional writes only (store.champions)",
}


class UserRows:
    """Rows of one user in all the tables above."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def reach(
        self, user_id: UUID, now: datetime, sessions_before: Iterable[UUID] = ()
    ) -> Reach:
        """What the user's rows may be keyed by, from the journal and the tables themselves.

        Args:
            user_id: whose.
            now: server time.
            sessions_before: sessions that were found before.
        """
        months = months_between(
            BIRTH - timedelta(MAX_ID_AGE_DAYS), (now + timedelta(days=2)).date()
        )
        sessions = sorted({*sessions_before, *await self._sessions(user_id, months)})
        cql = (
            "SELECT session_id, stream, part FROM stream_parts WHERE user_id = ? AND session_id = ?"
        )
        parts = await self._each(cql, [(user_id, session) for session in sessions])
        first = (now + timedelta(days=1)).date()
        return Reach(
            user_id=user_id,
            sessions=tuple(sessions),
            parts=tuple((row.session_id, row.stream, row.part) for row in parts),
            months=tuple(months),
            days=tuple(first - timedelta(days=n) for n in range(CHANGES_DAYS)),
            runs=tuple(await self._run_ids(now - timedelta(RUNS_DAYS))),
            models=tuple(await self._model_keys(user_id)),
        )

    async def rows(self, table: str, reach: Reach) -> AsyncIterator[Row]:
        """A user's rows of one table, partition by partition. Every column: an export is whole."""
        where, keys = USER_TABLES[table]
        for key in keys(reach):
            for row in await self._database.run(f"SELECT * FROM {table} WHERE {where}", key):
                yield row

    async def count(self, table: str, reach: Reach) -> int:
        """How many rows a user has in a table."""
        where, keys = USER_TABLES[table]
        cql = f"SELECT count(*) FROM {table} WHERE {where}"
        return sum(int(row[0]) for row in await self._each(cql, keys(reach)))

    async def delete(self, table: str, reach: Reach, now: datetime) -> None:
        """Delete a user's rows of one table, and what is being written to them now."""
        where, keys = USER_TABLES[table]
        at_us = us_of(now if table == "changes" else now + AHEAD)
        await self._database.run_all(
            [
                Statement(
                    f"DELETE FROM {table} USING TIMESTAMP ? WHERE {where}",
                    (at_us, *key),
                )
                for key in keys(reach)
            ]
        )

    async def followers(self, user_id: UUID) -> list[UUID]:
        """The followers of a user. Reads all of `follows`: too rare to keep an index for it."""
        rows = await self._database.run(
            "SELECT user_id FROM follows WHERE followee = ? ALLOW FILTERING", (user_id,)
        )
        return [row.user_id for row in rows]

    async def unfollow(self, followers: list[UUID], followee: UUID, now: datetime) -> None:
        """Delete the edges that lead to a user."""
        for follower in followers:
            await self._database.run(
                "DELETE FROM follows USING TIMESTAMP ? WHERE user_id = ? AND followee = ?",
                (us_of(now + AHEAD), follower, followee),
            )

    async def _sessions(self, user_id: UUID, months: list[str]) -> set[UUID]:
        """Sessions of the projection, and those that the journal knows: some are half deleted."""
        found = await self._database.run(
            "SELECT session_id FROM sessions WHERE user_id = ?", (user_id,)
        )
        ids: set[UUID] = {row.session_id for row in found}
        cql = "SELECT user_id, month, event_id, kind FROM journal WHERE user_id = ? AND month = ?"
        events = await self._each(cql, [(user_id, month) for month in months])
        opened = await self._each(  # what the others say may be long
            "SELECT payload FROM journal WHERE user_id = ? AND month = ? AND event_id = ?",
            [row[:3] for row in events if row.kind == "session-opened"],
        )
        return ids | {UUID(row.payload.partition('"about":"')[2][:36]) for row in opened}

    async def _each(self, cql: str, keys: Iterable[tuple[object, ...]]) -> list[Row]:
        """The rows of many keys in their order, some keys at a time."""
        pages = await map_concurrently(partial(self._database.run, cql), keys, limit=32)
        return [row for page in pages for row in page]

    async def _run_ids(self, since: datetime) -> list[UUID]:
        """Runs of which rows may be left: those since then, and those that are served.

        Runs only become more: looking for a user in all of them would take longer every day.
        """
        oldest = uuid7(int(since.timestamp() * 1000), bytes(10))
        newer = "SELECT run_id FROM job_runs WHERE family = ? AND run_id >= ?"
        families = await self._database.run("SELECT DISTINCT family FROM job_runs")
        pages = await asyncio.gather(
            *(self._database.run(newer, (row.family, oldest)) for row in families)
        )
        live = await self._database.run("SELECT run_id, previous_run_id FROM live_runs")
        ids = {row.run_id for page in pages for row in page} | {i for row in live for i in row}
        return sorted(ids - {None})

    async def _model_keys(self, user_id: UUID) -> list[tuple[str, str]]:
        """Layout and family of every model that a user may have."""
        rows = await self._database.run(
            "SELECT model_id, family FROM champions WHERE owner = ?", (owner_of(user_id),)
        )
        named = {(row.model_id, row.family) for row in rows}
        return sorted(named | set(product(INPUTS, FAMILIES)))
