"""Leases of the jobs of families."""

from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from schemas.errors import LeaseHeld, LeaseLost
from store.database import Database


class LeaseHolder(NamedTuple):
    """The run that holds a lease, and the name of its process."""

    run_id: UUID
    owner: str


class JobLeases:
    """One run of a family at a time. Conditional writes only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def acquire(
        self, family: str, run_id: UUID, owner: str, now: datetime, seconds: float
    ) -> None:
        """Take the lease if it is free or expired.

        A lease that lasts more than twice as long as requested counts as expired: the clock was
        wrong when it was taken.

        Raises:
            LeaseHeld: another run holds it.
        """
        lasting = timedelta(seconds=seconds)
        until = now + lasting

        async def take_if(condition: str, at: datetime) -> bool:
            """Take another run's lease, if it expires as the condition says."""
            return await self._database.applied(
                "UPDATE job_leases SET run_id = ?, owner = ?, expires_at = ? "
                f"WHERE family = ? IF {condition}",
                (run_id, owner, until, family, at),
            )

        free = await self._database.applied(
            "INSERT INTO job_leases (family, run_id, owner, expires_at) VALUES (?, ?, ?, ?) "
            "IF NOT EXISTS",
            (family, run_id, owner, until),
        )
        if not (
            free
            or await take_if("expires_at < ?", now)  # its run died
            or await take_if("expires_at > ?", until + lasting)  # of a clock that was wrong
            or await self._extend(family, run_id, until)  # an uncertain write above was ours
        ):
            raise _held(family, seconds)

    async def holder(self, family: str) -> LeaseHolder | None:
        """Who holds a lease, or held it until it expired; None where nobody does."""
        rows = await self._database.run(
            "SELECT run_id, owner FROM job_leases WHERE family = ?", (family,)
        )
        return LeaseHolder(*rows[0]) if rows else None

    async def take_over(
        self,
        family: str,
        dead: LeaseHolder,
        run_id: UUID,
        owner: str,
        now: datetime,
        seconds: float,
    ) -> None:
        """Take the lease of a run whose process has ended.

        Raises:
            LeaseHeld: another run has taken it meanwhile.
        """
        until = now + timedelta(seconds=seconds)
        taken = await self._database.applied(
            "UPDATE job_leases SET run_id = ?, owner = ?, expires_at = ? WHERE family = ? "
            "IF run_id = ?",
            (run_id, owner, until, family, dead.run_id),
        )
        if not (taken or await self._extend(family, run_id, until)):  # an uncertain write was ours
            raise _held(family, seconds)

    async def renew(self, family: str, run_id: UUID, now: datetime, seconds: float) -> None:
        """Extend the lease.

        Raises:
            LeaseLost: it expired and another run took it.
        """
        if not await self._extend(family, run_id, now + timedelta(seconds=seconds)):
            raise LeaseLost(f"The lease of {family} was lost to another run.")

    async def release(self, family: str, run_id: UUID) -> None:
        """Release the lease; nothing happens if another run holds it."""
        await self._database.applied(
            "DELETE FROM job_leases WHERE family = ? IF run_id = ?", (family, run_id)
        )

    async def _extend(self, family: str, run_id: UUID, until: datetime) -> bool:
        return await self._database.applied(
            "UPDATE job_leases SET expires_at = ? WHERE family = ? IF run_id = ?",
            (until, family, run_id),
        )


def _held(family: str, seconds: float) -> LeaseHeld:
    return LeaseHeld(
        f"Another run of {family} is under way; see `muvr jobs list {family}`. One that was killed "
        f"elsewhere gives way within {seconds:.0f} s."
    )
