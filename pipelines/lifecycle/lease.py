"""The lease of a job: one run of a family at a time changes what others see."""

import asyncio
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pipelines.lifecycle.lease_owner import has_ended, owner_of
from schemas.errors import LeaseHeld, LeaseLost, Retryable
from schemas.times import Clock
from store.database import Database
from store.job_leases import JobLeases
from store.jobs import JobRuns

HEARTBEAT_S = 15.0


@dataclass(slots=True)
class Lease:
    """A lease that a run holds.

    Attributes:
        family: whose runs it keeps apart.
        renew: extends it; raises LeaseLost where another run has taken it.
        clock: the server's time.
        seconds: how long it lasts when nobody extends it.
        renewed_at: just before it was extended last.
        lost: why it is no longer held; "" while it is.
    """

    family: str
    renew: Callable[[datetime], None]
    clock: Clock
    seconds: float
    renewed_at: datetime
    lost: str = ""

    def keep(self) -> None:
        """Extend the lease.

        Raises:
            LeaseLost: another run took it.
            Retryable: the database does not answer.
        """
        at = self.clock()
        try:
            self.renew(at)
        except LeaseLost as problem:
            self.lost = str(problem)
            raise
        self.renewed_at = at

    def require(self) -> None:
        """Refuse to go on without the lease.

        One that was not extended in time, as after an outage or while the machine slept, is
        extended now: that goes well where no other run took it.

        Raises:
            LeaseLost: another run may be at the same point.
            Retryable: the database does not answer.
        """
        if not self.lost and self.clock() - self.renewed_at > timedelta(seconds=self.seconds):
            self.keep()
        if self.lost:
            raise LeaseLost(
                f"This run of {self.family} lost its lease and changes nothing more: {self.lost}"
            )


def take_lease(
    database: Database, family: str, run_id: UUID, clock: Clock, seconds: float
) -> Lease:
    """Take a family's lease for a run; it lasts for `seconds` after it was extended last.

    That of a process of this machine which was killed is taken over at once.

    Raises:
        LeaseHeld: another run holds it.
    """

    def renew(at: datetime) -> None:
        """Extend the lease and record the time in the run."""
        asyncio.run(_renew(database, family, run_id, at, seconds))

    now = clock()
    asyncio.run(_acquire(database, family, run_id, now, seconds))
    return Lease(family, renew, clock, seconds, now)


@contextmanager
def heartbeats(lease: Lease) -> Generator[None]:
    """Extend a lease from a thread for as long as the block runs: the recipe waits for Spark."""
    stop = threading.Event()
    thread = threading.Thread(
        target=keep_until, args=(lease, stop), name=f"heartbeat-{lease.family}", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def keep_until(lease: Lease, stop: threading.Event, every_s: float = HEARTBEAT_S) -> None:
    """Extend a lease until stopped; once it is lost `lease.require` raises, with the reason."""
    while not stop.wait(every_s):
        try:
            lease.keep()
        except LeaseLost:
            return
        except Retryable:
            continue  # the lease outlives three missed heartbeats
        except Exception as problem:  # noqa: BLE001 - the run ends with this reason
            lease.lost = f"{type(problem).__name__}: {problem}"
            return


async def _renew(
    database: Database, family: str, run_id: UUID, at: datetime, seconds: float
) -> None:
    await JobLeases(database).renew(family, run_id, at, seconds)
    await JobRuns(database).heartbeat(family, run_id, at)


async def _acquire(
    database: Database, family: str, run_id: UUID, now: datetime, seconds: float
) -> None:
    leases, owner = JobLeases(database), owner_of(os.getpid())
    try:
        await leases.acquire(family, run_id, owner, now, seconds)
    except LeaseHeld:
        holder = await leases.holder(family)
        if holder is None or not has_ended(holder.owner):
            raise
        await leases.take_over(family, holder, run_id, owner, now, seconds)
