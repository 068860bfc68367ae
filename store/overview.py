"""An overview of the deployment, for the status command and the status page."""

import asyncio
from datetime import datetime
from typing import NamedTuple

from schemas.times import server_time
from store.database import Database
from store.jobs import JobRun, JobRuns

MAX_COUNT = 10_000
"""Rows of a table that are counted at most: counting all would read whole tables."""
RUNS_EACH = 5
_COUNTED = {
    "users": "SELECT user_id FROM users LIMIT ?",
    "sessions": "SELECT session_id FROM sessions LIMIT ?",
    "sets": "SELECT set_id FROM sets LIMIT ?",
    "models": "SELECT version FROM models LIMIT ?",
    "champions": "SELECT version FROM champions LIMIT ?",
}


class Overview(NamedTuple):
    """Counts, each up to `MAX_COUNT`, node and the last runs of every job that ever ran."""

    cluster: str
    cassandra: str
    data_center: str
    counts: dict[str, int]
    runs: list[JobRun]
    read_at: datetime


def shown(count: int) -> str:
    """A count for people; at the maximum it says that there may be more.

    >>> shown(1234), shown(10_000)
    ('1,234', '10,000 or more')
    """
    return f"{count:,}" if count < MAX_COUNT else f"{MAX_COUNT:,} or more"


async def read_overview(database: Database) -> Overview:
    """Read the overview.

    Raises:
        DatabaseUnavailable: it does not answer.
    """
    local = (
        await database.run("SELECT cluster_name, release_version, data_center FROM system.local")
    )[0]
    counted = await asyncio.gather(*(database.run(cql, (MAX_COUNT,)) for cql in _COUNTED.values()))
    jobs = JobRuns(database)
    newest = await asyncio.gather(
        *(jobs.newest(family, RUNS_EACH) for family in await jobs.families())
    )
    # Ids are times.
    runs = sorted((run for runs in newest for run in runs), key=lambda r: r.run_id, reverse=True)
    return Overview(
        local.cluster_name,
        local.release_version,
        local.data_center,
        {
            name: sum(row[0] != "" for row in rows)  # a pointer may name nothing: store.champions
            for name, rows in zip(_COUNTED, counted, strict=True)
        },
        runs,
        server_time(),
    )
