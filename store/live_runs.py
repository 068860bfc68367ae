"""Which run of a batch family readers see, and which one they saw before."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.errors import LostChampionRace
from schemas.times import aware
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns


class LiveRun(NamedTuple):
    """Which run of a batch family readers see."""

    family: str
    run_id: UUID
    previous_run_id: UUID | None
    as_of: datetime
    metrics: Mapping[str, object]


class LiveRuns:
    """Which run's rows readers of a batch family see. Conditional writes only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, family: str) -> LiveRun | None:
        """The live run, None before the first."""
        rows = await self._database.run(
            "SELECT family, run_id, previous_run_id, as_of, metrics FROM live_runs "
            "WHERE family = ?",
            (family,),
        )
        if not rows:
            return None
        row = rows[0]
        return LiveRun(
            row.family,
            row.run_id,
            row.previous_run_id,
            aware(row.as_of),
            json.loads(row.metrics or "{}"),
        )

    async def go_live(
        self,
        family: str,
        run_id: UUID,
        as_of: datetime,
        metrics: Mapping[str, object],
        expected: UUID | None,
    ) -> bool:
        """Point readers at a run; False when the pointer is not what was read."""
        if expected is None:
            return await self._database.applied(
                "INSERT INTO live_runs (family, run_id, as_of, metrics) VALUES (?, ?, ?, ?) "
                "IF NOT EXISTS",
                (family, run_id, as_of, json.dumps(metrics, sort_keys=True)),
            )
        return await self._database.applied(
            "UPDATE live_runs SET run_id = ?, previous_run_id = ?, as_of = ?, metrics = ? "
            "WHERE family = ? IF run_id = ?",
            (run_id, expected, as_of, json.dumps(metrics, sort_keys=True), family, expected),
        )

    async def take_back(self, family: str, run_id: UUID) -> LiveRun | None:
        """Let readers see the run before this one again.

        They see nothing where there was none, or where it was taken back as well.

        Returns:
            the run that is live now.

        Raises:
            LostChampionRace: this run is not the live one any more.
        """
        live = await self.read(family)
        previous = live.previous_run_id if live else None
        if previous and await Champions(self._database).is_withdrawn(previous):
            previous = None
        before = await JobRuns(self._database).read(family, previous) if previous else None
        if before is None:
            cql, values = "DELETE FROM live_runs WHERE family = ? IF run_id = ?", (family, run_id)
            now = None
        else:
            now = LiveRun(family, before.run_id, None, before.started_at, before.metrics)
            cql = (
                "UPDATE live_runs SET run_id = ?, previous_run_id = null, as_of = ?, metrics = ? "
                "WHERE family = ? IF run_id = ?"
            )
            values = (
                now.run_id,
                now.as_of,
                json.dumps(now.metrics, sort_keys=True),
                family,
                run_id,
            )
        if not await self._database.applied(cql, values):
            raise LostChampionRace(f"Run {run_id} of {family} is not the one that is live.")
        return now
