"""An overview of the deployment, for the status command and the status page."""

import asyncio
from datetime import datetime
from typing import NamedTuple

from schemas.times import server_time
from store.database import Database
from store.jobs import JobRun, JobRuns

MAX_COUNT = 1_000
"""Rows of a table that are counted at most: counting all would read whole tables."""
RUNS_EACH = 5
_COUNTED = {
    "users": "SELECT user_id FROM users LIMIT ?",
    "sessions": "SELECT session_id FROM sessions LIMIT ?",
    "sets": "SELECT set_id FROM sets LIMIT ?",
    "models": "SELECT sha256 FROM models LIMIT ?",
    "champions": "SELECT version FROM champions LIMIT ?",
}
_NOTHING = (None, "")
"""What a row has in that column instead: emptied models, and pointers that name none."""


class Overview(NamedTuple):
    """Node, counts and the last runs of every job that ever ran.

    Attributes:
        counts: of the first `MAX_COUNT` rows of each table.
        counted_in_part: the tables that may have more rows; they have at least `MAX_COUNT`.
    """

    cluster: str
    cassandra: str
    data_center: str
    counts: dict[str, int]
    counted_in_part: frozenset[str]
    runs: list[JobRun]
    read_at: datetime


def shown(count: int, *, more: bool) -> str:
    """A count for people, which says where there may be more.

    >>> shown(1234, more=False), shown(998, more=True)
    ('1,234', '998 or more')
    """
    return f"{count:,} or more" if more else f"{count:,}"


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
            name: sum(row[0] not in _NOTHING for row in rows)
            for name, rows in zip(_COUNTED, counted, strict=True)
        },
        frozenset(
            name for name, rows in zip(_COUNTED, counted, strict=True) if len(rows) >= MAX_COUNT
        ),
        runs,
        server_time(),
    )
