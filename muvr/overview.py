"""The figures of `muvr status`: what is kept, and what ran last."""

from typing import Any

from schemas.families import FAMILIES
from store.database import Database
from store.jobs import JobRuns

COUNTED = ("users", "sessions", "sets", "labelled_sets", "models", "champions")
RUNS_OF_EACH = 3


async def overview(database: Database) -> dict[str, Any]:
    """Rows per table that people ask for, and the last runs of every family."""
    counts = {table: await _count(database, table) for table in COUNTED}
    runs = [
        run._asdict()
        for family in FAMILIES
        for run in await JobRuns(database).newest(family, RUNS_OF_EACH)
    ]
    return {"counts": counts, "runs": sorted(runs, key=lambda run: run["run_id"], reverse=True)}


async def _count(database: Database, table: str) -> int:
    """A full count: for a person's eyes on a few thousand users, not for a loop."""
    return int((await database.run(f"SELECT count(*) FROM {table}"))[0][0])  # noqa: S608  ours
