"""Records of the runs of jobs."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from schemas.ids import first_id_at
from schemas.layout import SHARDS, shard_of
from schemas.statuses import RunStatus, UserStatus
from schemas.times import aware
from store.database import Database, Row, Statement
from store.json_values import plain

LEASE_S = 60.0
"""After so long without a sign of life, of which it gives one every 15 s, a run is dead."""
A_MILLISECOND = timedelta(milliseconds=1)  # ids are no finer
READ_RUN = (
    "SELECT family, run_id, status, started_at, heartbeat_at, finished_at, inputs, counts, "
    "metrics, reasons FROM job_runs WHERE family = ? "
)
READ_USERS = (
    "SELECT user_id, model_id, status, reason, version, metrics FROM job_run_users "
    "WHERE run_id = ? AND shard = ?"
)


class JobRun(NamedTuple):
    """One run of one family's job; the four last fields are JSON objects."""

    family: str
    run_id: UUID
    status: RunStatus
    started_at: datetime
    heartbeat_at: datetime | None
    finished_at: datetime | None
    inputs: Mapping[str, object]
    counts: Mapping[str, int]
    metrics: Mapping[str, object]
    reasons: Mapping[str, int]


def last_sign_of(run: JobRun) -> datetime:
    """When a run ended, or gave its last sign of life."""
    return run.finished_at or run.heartbeat_at or run.started_at


def is_dead(run: JobRun, now: datetime) -> bool:
    """Whether a run's process was killed, as by the system when memory runs out.

    That leaves its run as running until the next one of its family begins.
    """
    return run.status == "running" and _is_silent(last_sign_of(run), now)


def _is_silent(seen_at: datetime, now: datetime) -> bool:
    """Whether the last sign of life is too old, or of a clock that was ahead."""
    return abs(now - seen_at) > timedelta(seconds=LEASE_S)


def shown_status(run: Mapping[str, Any], now: datetime) -> str:
    """The status of a run, by its fields, for people.

    >>> from datetime import UTC
    >>> at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    >>> run = {"status": "running", "started_at": at, "heartbeat_at": None}
    >>> shown_status(run, at + timedelta(minutes=1))
    'running'
    >>> shown_status(run, at + timedelta(hours=1))
    'running, no sign of life since 2026-11-21 03:00 UTC'
    """
    seen_at = run["heartbeat_at"] or run["started_at"]
    if run["status"] != "running" or not _is_silent(seen_at, now):
        return run["status"]
    return f"running, no sign of life since {seen_at:%Y-%m-%d %H:%M} UTC"


class UserOutcome(NamedTuple):
    """The outcome of a run for one user and input layout."""

    user_id: UUID
    model_id: str
    status: UserStatus
    reason: str
    version: str
    metrics: str


class JobRuns:
    """Rows of `job_runs` and `job_run_users`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(
        self, family: str, run_id: UUID, inputs: Mapping[str, object], at: datetime
    ) -> None:
        """Record that a run began."""
        await self._database.run(
            "INSERT INTO job_runs (family, run_id, status, started_at, heartbeat_at, inputs) "
            "VALUES (?, ?, 'running', ?, ?, ?)",
            (family, run_id, at, at, _json(inputs)),
        )

    async def heartbeat(self, family: str, run_id: UUID, at: datetime) -> None:
        """Record that a run is alive."""
        await self._database.run(
            "UPDATE job_runs SET heartbeat_at = ? WHERE family = ? AND run_id = ?",
            (at, family, run_id),
        )

    async def record(
        self,
        family: str,
        run_id: UUID,
        *,
        counts: Mapping[str, int],
        metrics: Mapping[str, object],
    ) -> None:
        """Record counts and metrics of a run that goes on: they outlive its process."""
        await self._database.run(
            "UPDATE job_runs SET counts = ?, metrics = ? WHERE family = ? AND run_id = ?",
            (_json(counts), _json(metrics), family, run_id),
        )

    async def finish(
        self,
        family: str,
        run_id: UUID,
        status: RunStatus,
        at: datetime,
        *,
        counts: Mapping[str, int],
        metrics: Mapping[str, object],
        reasons: Mapping[str, int],
    ) -> None:
        """Record how a run ended, with counts, metrics and reasons."""
        await self._database.run(
            "UPDATE job_runs SET status = ?, heartbeat_at = ?, finished_at = ?, counts = ?, "
            "metrics = ?, reasons = ? WHERE family = ? AND run_id = ?",
            (status, at, at, _json(counts), _json(metrics), _json(reasons), family, run_id),
        )

    async def read(self, family: str, run_id: UUID) -> JobRun | None:
        """One run, or None."""
        rows = await self._database.run(READ_RUN + "AND run_id = ?", (family, run_id))
        return _job_run(rows[0]) if rows else None

    async def families(self) -> list[str]:
        """The names of all jobs that ever ran: families, the mart, replays."""
        rows = await self._database.run("SELECT DISTINCT family FROM job_runs")
        return sorted(row.family for row in rows)

    async def find(self, run_id: UUID) -> JobRun | None:
        """A run whose family is not known, or None."""
        names = await self.families()
        runs = await asyncio.gather(*(self.read(name, run_id) for name in names))
        return next((run for run in runs if run is not None), None)

    async def newest(
        self, family: str, limit: int = 10, *, now: datetime | None = None
    ) -> list[JobRun]:
        """The family's runs, newest first; with `now` without those that a clock ahead began."""
        before = first_id_at(now + A_MILLISECOND) if now else None
        return await self.page([family], before, limit)

    async def page(self, families: Sequence[str], before: UUID | None, limit: int) -> list[JobRun]:
        """The families' runs, newest first, those before a given one."""
        where, values = ("AND run_id < ? ", (before,)) if before else ("", ())
        cql = f"{READ_RUN}{where}LIMIT ?"
        pages = await asyncio.gather(
            *(self._database.run(cql, (name, *values, limit)) for name in families)
        )
        runs = [_job_run(row) for rows in pages for row in rows]
        return sorted(runs, key=lambda run: run.run_id, reverse=True)[:limit]  # ids are times

    async def since(self, family: str, time: datetime, before: UUID | None = None) -> list[JobRun]:
        """The family's runs that began after a time, newest first; those before a given run."""
        where, values = ("AND run_id < ?", (before,)) if before else ("", ())
        cql = f"{READ_RUN}AND run_id > ? {where}"
        rows = await self._database.run(cql, (family, first_id_at(time), *values))
        return [_job_run(row) for row in rows]

    async def write_users(self, run_id: UUID, outcomes: Sequence[UserOutcome]) -> None:
        """Store the outcomes of a run."""
        await self._database.run_all(
            [
                Statement(
                    "INSERT INTO job_run_users (run_id, shard, user_id, model_id, status, reason, "
                    "version, metrics) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (run_id, shard_of(outcome.user_id), *outcome),
                )
                for outcome in outcomes
            ]
        )

    async def users(self, run_id: UUID) -> list[UserOutcome]:
        """All outcomes of a run, ordered by user and layout."""
        shards = await asyncio.gather(
            *(self._database.run(READ_USERS, (run_id, shard)) for shard in range(SHARDS))
        )
        return sorted(UserOutcome(*row) for rows in shards for row in rows)

    async def users_page(
        self, run_id: UUID, after: tuple[UUID, str] | None, limit: int
    ) -> list[UserOutcome]:
        """A page of the outcomes of a run, after a given user and layout.

        Ordered by shard, then by user and layout, so that one shard gives a page of a large run. As
        long as the page is not full, each round reads twice as many shards, so that a small run
        needs few rounds.
        """
        page: list[UserOutcome] = []
        shard, batch_size = 0, 1
        if after is not None:
            shard = shard_of(after[0])
            page = await self._users_in(run_id, shard, limit, after)
            shard += 1
        while len(page) < limit and shard < SHARDS:
            batch = range(shard, min(shard + batch_size, SHARDS))
            missing = limit - len(page)
            shards = await asyncio.gather(*(self._users_in(run_id, n, missing) for n in batch))
            page += [outcome for outcomes in shards for outcome in outcomes]
            shard, batch_size = batch.stop, 2 * batch_size
        return page[:limit]

    async def _users_in(
        self, run_id: UUID, shard: int, limit: int, after: tuple[UUID, str] | None = None
    ) -> list[UserOutcome]:
        where = " AND (user_id, model_id) > (?, ?)" if after else ""
        cql = f"{READ_USERS}{where} LIMIT ?"
        rows = await self._database.run(cql, (run_id, shard, *(after or ()), limit))
        return [UserOutcome(*row) for row in rows]

    async def of_user(self, run_id: UUID, user_id: UUID) -> list[UserOutcome]:
        """The outcomes of a run for one user, by layout; empty if it left the user out."""
        cql = f"{READ_USERS} AND user_id = ?"
        rows = await self._database.run(cql, (run_id, shard_of(user_id), user_id))
        return [UserOutcome(*row) for row in rows]


def _json(values: Mapping[str, object]) -> str:
    """As text; numbers that JSON does not have (NaN, infinities) are null."""
    return json.dumps(plain(dict(values)), sort_keys=True, allow_nan=False)


def _job_run(row: Row) -> JobRun:
    return JobRun(
        row.family,
        row.run_id,
        row.status,
        aware(row.started_at),
        aware(row.heartbeat_at),
        aware(row.finished_at),
        json.loads(row.inputs or "{}"),
        json.loads(row.counts or "{}"),
        json.loads(row.metrics or "{}"),
        json.loads(row.reasons or "{}"),
    )
