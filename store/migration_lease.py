"""The migration lease: held by one process at a time, by conditional writes only."""

import os
import socket
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager

from schemas.errors import LeaseHeld, UncertainWrite
from store.database import Database, Row

_NAME = "migrate"  # key of the table's only row
_RETRY_PAUSE_S = 0.2


class MigrationLease:
    """An exclusive lease. A holder that dies loses it when its row's TTL expires."""

    def __init__(self, database: Database, *, ttl_s: int) -> None:
        """Describe a lease without taking it.

        Args:
            database: a connection to a keyspace with the table `migration_lease`.
            ttl_s: whole seconds without a renewal after which the lease expires.
        """
        self.owner = f"{socket.gethostname()} process {os.getpid()} ({uuid.uuid4().hex[:8]})"
        self._database = database
        self._ttl_s = ttl_s
        self._written_s = 0.0

    def take(self, *, timeout_s: float) -> None:
        """Take the lease, waiting for its current holder.

        Raises:
            LeaseHeld: another process still holds it after `timeout_s`.
        """
        deadline_s = time.monotonic() + timeout_s
        while (holder := self._try_take()) != self.owner:
            if time.monotonic() > deadline_s:
                raise LeaseHeld(
                    f"{holder} has held the lease `{_NAME}` for over {timeout_s:.0f} s. Wait "
                    f"for it; {self._ttl_s} s after its death the lease is free again."
                )
            time.sleep(_RETRY_PAUSE_S)

    def renew(self) -> None:
        """Renew the lease, at most once per quarter of `ttl_s`.

        Raises:
            LeaseHeld: it expired before this call.
        """
        if time.monotonic() - self._written_s < self._ttl_s / 4:
            return
        cql = "UPDATE migration_lease USING TTL ? SET owner = ? WHERE name = ? IF owner = ?"
        values = (self._ttl_s, self.owner, _NAME, self.owner)
        if not self._write(cql, values)[0]:
            raise LeaseHeld(f"The lease `{_NAME}` ran out; another process may have taken it.")

    def release(self) -> None:
        """Release the lease; nothing happens if it was lost already."""
        cql = "DELETE FROM migration_lease WHERE name = ? IF owner = ?"
        self._write(cql, (_NAME, self.owner))

    def _try_take(self) -> str:
        """Try to take the lease; returns the owner afterwards."""
        cql = "INSERT INTO migration_lease (name, owner) VALUES (?, ?) IF NOT EXISTS USING TTL ?"
        row = self._write(cql, (_NAME, self.owner, self._ttl_s))
        return self.owner if row[0] else row.owner

    def _write(self, cql: str, values: tuple[object, ...]) -> Row:
        """A conditional write, repeated while Cassandra cannot tell whether it was applied."""
        self._written_s = time.monotonic()
        for _ in range(3):
            try:
                return self._database.execute(cql, values)[0]
            except UncertainWrite:
                time.sleep(_RETRY_PAUSE_S)
        return self._database.execute(cql, values)[0]


@contextmanager
def holding(lease: MigrationLease, *, timeout_s: float) -> Generator[MigrationLease]:
    """Hold a lease for the body of a `with`.

    Raises:
        LeaseHeld: another process still holds it after `timeout_s`.
    """
    lease.take(timeout_s=timeout_s)
    try:
        yield lease
    finally:
        lease.release()
