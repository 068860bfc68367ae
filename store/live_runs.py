"""Which run of a batch family is live."""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.errors import LostChampionRace, RunWithdrawn
from schemas.retention import RESULTS_TTL
from schemas.times import aware
from store.champions import Champions
from store.database import Database
from store.jobs import JobRun, JobRuns

PUBLISHED = "published"
"""Key of a failed run's metrics: it was live when it failed, and can be live again."""


class LiveRun(NamedTuple):
    """Which run of a batch family readers see."""

    family: str
    run_id: UUID
    as_of: datetime
    metrics: Mapping[str, object]


class LiveRuns:
    """Which run's rows readers of a batch family see. Conditional writes only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, family: str) -> LiveRun | None:
        """The live run, None before the first."""
        rows = await self._database.run(
            "SELECT family, run_id, as_of, metrics FROM live_runs WHERE family = ?", (family,)
        )
        if not rows:
            return None
        row = rows[0]
        return LiveRun(row.family, row.run_id, aware(row.as_of), json.loads(row.metrics or "{}"))

    async def go_live(
        self,
        family: str,
        run_id: UUID,
        as_of: datetime,
        metrics: Mapping[str, object],
        expected: UUID | None,
    ) -> bool:
        """Point readers at a run; False when the pointer is not what was read.

        Raises:
            RunWithdrawn: an operator withdrew the run meanwhile; it does not stay live.
        """
        await self._require_not_withdrawn(family, run_id)
        text = json.dumps(metrics, sort_keys=True)
        if expected is None:
            moved = await self._database.applied(
                "INSERT INTO live_runs (family, run_id, as_of, metrics) VALUES (?, ?, ?, ?) "
                "IF NOT EXISTS",
                (family, run_id, as_of, text),
            )
        else:
            moved = await self._database.applied(
                "UPDATE live_runs SET run_id = ?, previous_run_id = ?, as_of = ?, metrics = ? "
                "WHERE family = ? IF run_id = ?",
                (run_id, expected, as_of, text, family, expected),
            )
        moved = moved or await self._is_live(family, run_id)
        if moved:
            try:  # whoever withdrew it since the check above may have seen that it was not live yet
                await self._require_not_withdrawn(family, run_id)
            except RunWithdrawn:
                with suppress(LostChampionRace):  # they saw it live and fell back themselves
                    await self.fall_back(family, run_id, as_of)
                raise
        return moved

    async def fall_back(self, family: str, run_id: UUID, at: datetime) -> LiveRun | None:
        """Replace a withdrawn live run by the newest kept run before it; by none if none is kept.

        Args:
            family: of the run.
            run_id: what is live, and was withdrawn.
            at: now.

        Returns:
            the run that is live now.

        Raises:
            LostChampionRace: this run is not the live one any more.
        """
        while True:
            earlier = await self.kept(family, run_id, at)
            successor = _as_live(earlier[0]) if earlier else None
            if not await self._replace(family, run_id, successor):
                raise LostChampionRace(f"Run {run_id} of {family} is not the one that is live.")
            if successor is None or not await self._is_withdrawn(successor.run_id):
                return successor
            # Withdrawn meanwhile by an operator who saw that it was not live.
            run_id = successor.run_id

    async def clear(self, family: str, run_id: UUID) -> bool:
        """Leave no run live; False when this run is not the live one any more.

        The run is not withdrawn: a rollback of a later run may still go back to it.
        """
        return await self._replace(family, run_id, None)

    async def kept(self, family: str, before: UUID, at: datetime) -> list[JobRun]:
        """The runs before a given one that can be live again, newest first.

        They were live once, their rows are kept, and they were not withdrawn.
        """
        runs = await JobRuns(self._database).since(family, at - RESULTS_TTL, before)
        withdrawn = set(await Champions(self._database).withdrawn())
        return [run for run in runs if _was_live(run) and run.run_id not in withdrawn]

    async def _replace(self, family: str, run_id: UUID, successor: LiveRun | None) -> bool:
        """Point readers from a run to another one, or to nothing; whether they are there now."""
        if successor is None:
            moved = await self._database.applied(
                "DELETE FROM live_runs WHERE family = ? IF run_id = ?", (family, run_id)
            )
        else:
            metrics = json.dumps(successor.metrics, sort_keys=True)
            moved = await self._database.applied(
                "UPDATE live_runs SET run_id = ?, previous_run_id = null, as_of = ?, metrics = ? "
                "WHERE family = ? IF run_id = ?",
                (successor.run_id, successor.as_of, metrics, family, run_id),
            )
        return moved or await self._is_live(family, successor.run_id if successor else None)

    async def _is_live(self, family: str, run_id: UUID | None) -> bool:
        """Whether a run is live, or none: an uncertain write may have won, and its repeat lost."""
        live = await self.read(family)
        return (live.run_id if live else None) == run_id

    async def _require_not_withdrawn(self, family: str, run_id: UUID) -> None:
        if await self._is_withdrawn(run_id):
            raise RunWithdrawn(f"run {run_id} of {family} was withdrawn before it was live")

    async def _is_withdrawn(self, run_id: UUID) -> bool:
        return await Champions(self._database).is_withdrawn(run_id)


def _was_live(run: JobRun) -> bool:
    """Whether an ended run of a batch family was live: it may have failed afterwards."""
    return run.status == "done" or bool(run.metrics.get(PUBLISHED))


def _as_live(run: JobRun) -> LiveRun:
    return LiveRun(run.family, run.run_id, run.started_at, run.metrics)
