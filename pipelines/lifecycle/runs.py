"""A run of a job: it holds a lease, sends heartbeats, and is recorded however it ends."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from pipelines.lifecycle.lease import Lease, heartbeats, take_lease
from pipelines.lifecycle.threads import one_blas_thread
from schemas.exhaustion import exhaustion_of, said_by
from schemas.ids import uuid7, without_ids
from schemas.statuses import RunStatus
from schemas.times import Clock, server_time
from store.database import Database
from store.job_leases import JobLeases
from store.jobs import LEASE_S, JobRuns, UserOutcome
from store.live_runs import PUBLISHED, LiveRuns
from store.watermarks import ANNOUNCED_BEFORE, Watermarks


@dataclass(frozen=True, slots=True)
class RunReport:
    """The result of a run.

    Attributes:
        status: done, nothing-to-do, not-learned (too little data), refused (by the gate) or failed.
        counts: user models by outcome (a user may have one for each input layout), and sets read.
        metrics: of the recipe: challenger, incumbent, baselines.
        reasons: why users have no new model, or one that was withdrawn before: sentence to number
            of users; and what the run had to leave to the next one.
        seconds: by step.
    """

    family: str
    run_id: UUID
    status: RunStatus
    counts: Mapping[str, int]
    metrics: Mapping[str, object]
    reasons: Mapping[str, int]
    seconds: Mapping[str, float]


@dataclass(slots=True)
class Run:
    """A run in progress: the recipe adds to it, `leased_run` records it.

    Models are dated by its clock when they are stored, not by its start: sets are read in between.
    """

    family: str
    run_id: UUID
    started_at: datetime
    lease: Lease
    status: RunStatus = "done"
    counts: Counter[str] = field(default_factory=Counter)
    metrics: dict[str, object] = field(default_factory=dict)
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    outcomes: list[UserOutcome] = field(default_factory=list)
    read_until: datetime | None = None
    more_marks: list[str] = field(default_factory=list)  # watermarks that move after the family's
    clock: Clock = server_time

    def require_lease(self) -> None:
        """Refuse to go on without the lease; to be called before anything becomes visible.

        Raises:
            LeaseLost: another run may be at the same point.
            Retryable: the lease was not extended in time, and the database does not answer.
        """
        self.lease.require()

    @property
    def all_read_until(self) -> datetime:
        """Up to when this run reads all changes: one in flight was announced before it began."""
        return self.started_at - ANNOUNCED_BEFORE

    def mark_read(self) -> None:
        """Let the next run start from where this one began, if this one ends without an error."""
        self.read_until = self.all_read_until

    def add_outcomes(self, outcomes: Sequence[UserOutcome]) -> None:
        """Add users' outcomes, and count their statuses and reasons.

        Outcomes are erased with their user, the record is not: of broken data it names no row.
        """
        self.outcomes.extend(outcomes)
        self.counts.update(outcome.status for outcome in outcomes)
        self.reasons.update(
            without_ids(outcome.reason) if outcome.status == "failed" else outcome.reason
            for outcome in outcomes
            if outcome.reason
        )

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """Measure one step of the recipe; steps of one name add up."""
        begun = server_time()
        yield
        took_s = (server_time() - begun).total_seconds()
        self.seconds[name] = round(self.seconds.get(name, 0.0) + took_s, 3)

    def report(self) -> RunReport:
        """A report of the run so far."""
        return RunReport(
            self.family,
            self.run_id,
            self.status,
            dict(self.counts),
            dict(self.metrics),
            dict(self.reasons),
            dict(self.seconds),
        )


@contextmanager
def leased_run(
    database: Database, family: str, inputs: Mapping[str, object], *, clock: Clock = server_time
) -> Generator[Run]:
    """Hold the family's lease while the recipe runs, and record the run however it ends.

    In this process BLAS uses one thread, as in Spark's workers. The watermark moves only when the
    recipe has called `mark_read` and ends without an error, after the outcomes are written.

    Raises:
        LeaseHeld: another run of the family is under way.
        LeaseLost: this one lost its lease before its end; it is recorded as failed.
    """
    now, runs = clock(), JobRuns(database)
    run_id = run_id_at(now)
    lease = take_lease(database, family, run_id, clock, LEASE_S)
    run = Run(family, run_id, now, lease, clock=clock)
    try:
        asyncio.run(_end_dead_runs(database, family))
        asyncio.run(runs.start(family, run_id, inputs, now))
        with heartbeats(run.lease):
            with one_blas_thread():
                yield run
            # outcomes first: the next run reads in them which users to retry
            asyncio.run(runs.write_users(run_id, run.outcomes))
            run.require_lease()
            if run.read_until is not None:
                marks = Watermarks(database)
                for mark in (family, *run.more_marks):
                    asyncio.run(marks.advance(mark, run_id, run.read_until, clock()))
    except BaseException as problem:
        run.status = "failed"
        told = exhaustion_of(problem) or problem
        run.reasons[without_ids(f"{type(told).__name__}: {said_by(told)}")[:500]] += 1
        if asyncio.run(_is_live(database, family, run_id)):
            run.metrics[PUBLISHED] = True
        asyncio.run(runs.write_users(run_id, run.outcomes))
        raise
    finally:
        asyncio.run(_finish(runs, run, clock()))
        asyncio.run(JobLeases(database).release(family, run_id))


def run_id_at(at: datetime) -> UUID:
    """A UUIDv7: runs sort by time.

    >>> from datetime import UTC
    >>> str(run_id_at(datetime(2026, 11, 21, tzinfo=UTC)))[:15]
    '01a1fb67-1800-7'
    """
    return uuid7(int(at.timestamp() * 1000), secrets.token_bytes(10))


async def _end_dead_runs(database: Database, family: str) -> None:
    """Record the end of earlier runs that never ended: only the holder of the lease is alive.

    They failed, except one whose rows are live: those are complete. What such a run has recorded
    of itself stays.
    """
    runs = JobRuns(database)
    for earlier in await runs.newest(family):
        if earlier.status == "running":
            await runs.finish(
                family,
                earlier.run_id,
                "done" if await _is_live(database, family, earlier.run_id) else "failed",
                earlier.heartbeat_at or earlier.started_at,
                counts=earlier.counts,
                metrics=earlier.metrics,
                reasons={"ended without a word: its process was killed or lost the database": 1},
            )


async def _is_live(database: Database, family: str, run_id: UUID) -> bool:
    """Whether readers see the rows of a run; never of a family of models."""
    live = await LiveRuns(database).read(family)
    return live is not None and live.run_id == run_id


async def _finish(runs: JobRuns, run: Run, at: datetime) -> None:
    await runs.finish(
        run.family,
        run.run_id,
        run.status,
        at,
        counts=run.counts,
        metrics={**run.metrics, "seconds": run.seconds},
        reasons=run.reasons,
    )
