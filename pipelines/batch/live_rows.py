"""Which rows are live: when they expire, whether new ones may replace them, and the pointer."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from pipelines.lifecycle.job import Job
from pipelines.lifecycle.runs import Run
from schemas.errors import LostChampionRace
from schemas.retention import RESULTS_TTL
from store.champions import Champions
from store.database import Database
from store.jobs import JobRuns
from store.live_runs import LiveRuns
from store.watermarks import Watermarks

RENEW_AFTER = RESULTS_TTL - timedelta(days=30)  # leaves four weekly runs to write the rows again


def expiring(database: Database, family: str, now: datetime) -> bool:
    """Whether the live rows expire soon, so that new ones must replace them.

    False before the first run: there are no rows.
    """
    live = asyncio.run(LiveRuns(database).read(family))
    return live is not None and now - live.as_of > RENEW_AFTER


def digest_of(rows: Sequence[tuple[object, ...]]) -> str:
    """The first 16 hex digits of the SHA-256 of a run's rows; their order does not matter.

    >>> digest_of([("a", 1), ("b", 2.5)]) == digest_of([("b", 2.5), ("a", 1)])
    True
    """
    text = json.dumps(sorted(json.dumps(row) for row in rows))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def known_digests(database: Database, family: str) -> set[object]:
    """Digests of the live rows, and of those of the last run, which may have been refused.

    The digest of a last run that was withdrawn is left out: such rows are judged again.
    """
    live = asyncio.run(LiveRuns(database).read(family))
    mark = asyncio.run(Watermarks(database).newest(family))
    last = asyncio.run(JobRuns(database).read(family, mark.run_id)) if mark else None
    if last is not None and asyncio.run(Champions(database).is_withdrawn(last.run_id)):
        last = None
    return {run.metrics.get("digest") for run in (live, last) if run is not None}


def withdrawn_reason(database: Database, family: str, digest: str) -> str:
    """Why rows must not go live because an operator has withdrawn them, "" when they may.

    As with models, this holds while another run's rows are live; where none are, the recipe
    decides.
    """
    live = asyncio.run(LiveRuns(database).read(family))
    if live is None or live.metrics.get("digest") == digest:
        return ""
    for run_id in asyncio.run(Champions(database).withdrawn()):
        run = asyncio.run(JobRuns(database).read(family, run_id))
        if run is not None and run.metrics.get("digest") == digest:
            return f"the same rows as those of run {run_id}, which was withdrawn"
    return ""


def publish_run(database: Database, family: str, run: Run) -> None:
    """Point readers at a finished run.

    Its metrics are recorded first: whatever becomes of this process, an operator can withdraw the
    run, and its digest tells the same rows.

    Raises:
        RunWithdrawn: an operator withdrew the run while it was under way.
        LostChampionRace: the pointer moved meanwhile.
    """
    live = LiveRuns(database)
    before = asyncio.run(live.read(family))
    expected = before.run_id if before else None
    record = JobRuns(database).record
    asyncio.run(record(family, run.run_id, counts=run.counts, metrics=run.metrics))
    if not asyncio.run(live.go_live(family, run.run_id, run.started_at, run.metrics, expected)):
        raise LostChampionRace(f"Another run of {family} went live meanwhile.")


def retire_live_rows(job: Job, family: str) -> None:
    """Leave no rows live: their users have left, or are too few.

    Unlike an operator's withdrawal this takes nothing back: a rollback may return to these rows.
    The run's metrics name them as `retired`.

    Raises:
        LeaseLost: the run's lease was lost; the rows stay live.
        LostChampionRace: the pointer moved meanwhile.
    """
    job.run.require_lease()
    live = LiveRuns(job.database)
    before = asyncio.run(live.read(family))
    if before is None:
        return
    if not asyncio.run(live.clear(family, before.run_id)):
        raise LostChampionRace(f"Another run of {family} went live meanwhile.")
    job.run.metrics["retired"] = str(before.run_id)
