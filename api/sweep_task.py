"""Sweeps once a minute: projects events that a crash left in the journal without projections.

Of the workers of a host the one that holds a lock file does it. Several hosts may sweep the same
events, which changes nothing. The progress is a watermark in Cassandra.
"""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO
from uuid import uuid4

from api.dependencies import Services
from api.request_log import RequestLog
from ingest.sweeper import ProjectedEvents, sweep
from store.file_lock import try_lock
from store.watermarks import Watermarks

EVERY_S = 60.0
FIRST_LOOKBACK = timedelta(days=1)  # of the first sweep of a deployment
NAME = "sweep"


class SweepTask:
    """The periodic sweep of one worker."""

    def __init__(self, services: Services, lock_path: Path, log: RequestLog | None = None) -> None:
        self._services = services
        self._watermarks = Watermarks(services.database)
        self._lock_path = lock_path
        self._log = log
        self._lock: IO[bytes] | None = None
        self._projected_events = ProjectedEvents()

    async def run(self) -> None:
        """Sweep every minute until cancelled; a failed sweep is repeated from its watermark."""
        metrics = self._services.metrics
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.sweep_once()
            except Exception as problem:  # noqa: BLE001 (the holder of the lock must go on)
                metrics.sweeps.labels("failed").inc()
                self._log_error(problem, "sweep")

    async def sweep_once(self) -> bool:
        """Sweep now; False when another worker of this host does it.

        Raises:
            DatabaseUnavailable: the sweep is incomplete; the watermark stays.
        """
        if not self._acquire_lock():
            return False
        now = self._services.clock()
        since = await self._watermarks.read(NAME, now) or now - FIRST_LOOKBACK
        failed = await sweep(
            self._services.records,
            since,
            now,
            database=self._services.database,
            projected=self._projected_events,
        )
        await self._advance(now)
        metrics = self._services.metrics
        metrics.sweeps.labels("done").inc()
        metrics.sweep_failures.inc(len(failed))
        for _, problem in failed:
            self._log_error(problem, "sweep of a user")
        return True

    def close(self) -> None:
        """Release the lock file: another worker sweeps from now on."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _log_error(self, problem: Exception, what: str) -> None:
        if self._log is not None:
            self._log.log_error(problem, what=what)

    async def _advance(self, to: datetime) -> None:
        await self._watermarks.advance(NAME, uuid4(), to, self._services.clock())

    def _acquire_lock(self) -> bool:
        if self._lock is not None:
            return True
        file = self._lock_path.open("ab")
        if not try_lock(file):
            file.close()
            return False
        self._lock = file
        return True
