"""The migration lease: one process at a time, taken and kept by conditional writes only."""

import os
import socket
import time
import uuid
from collections.abc import Generator
from contextlib import contextmanager

from schemas.errors import LeaseHeld, UncertainWrite
from store.database import Database, Row

_PAUSE_S = 0.2


class Lease:
    """The right to do one named thing. A holder that dies loses it when its row's TTL runs out."""

    def __init__(self, database: Database, name: str, *, lasts_s: int) -> None:
        """Describe a lease without taking it.

        Args:
            database: a connection to a keyspace with the table `migration_lease`.
            name: what is leased.
            lasts_s: whole seconds without a renewal after which others may take it.
        """
        self.owner = f"{socket.gethostname()} process {os.getpid()} ({uuid.uuid4().hex[:8]})"
        self._database = database
        self._name = name
        self._lasts_s = lasts_s
        self._written_s = 0.0

    def take(self, *, patience_s: float) -> None:
        """Take the lease, waiting for its present holder.

        Raises:
            LeaseHeld: somebody else still holds it after `patience_s`.
        """
        deadline_s = time.monotonic() + patience_s
        while (holder := self._claim()) != self.owner:
            if time.monotonic() > deadline_s:
                raise LeaseHeld(
                    f"{holder} has held the lease `{self._name}` for over {patience_s:.0f} s. Wait "
                    f"for it; {self._lasts_s} s after its death the lease is free again."
                )
            time.sleep(_PAUSE_S)

    def renew(self) -> None:
        """Keep the lease; writes only when a quarter of `lasts_s` has passed since the last time.

        Raises:
            LeaseHeld: it ran out before this call.
        """
        if time.monotonic() - self._written_s < self._lasts_s / 4:
            return
        cql = "UPDATE migration_lease USING TTL ? SET owner = ? WHERE name = ? IF owner = ?"
        values = (self._lasts_s, self.owner, self._name, self.owner)
        if not self._decide(cql, values)[0]:
            raise LeaseHeld(f"The lease `{self._name}` ran out; another process may have taken it.")

    def release(self) -> None:
        """Give the lease back; nothing happens when it was lost already."""
        cql = "DELETE FROM migration_lease WHERE name = ? IF owner = ?"
        self._decide(cql, (self._name, self.owner))

    def _claim(self) -> str:
        """Try to take it; the owner afterwards."""
        cql = "INSERT INTO migration_lease (name, owner) VALUES (?, ?) IF NOT EXISTS USING TTL ?"
        row = self._decide(cql, (self._name, self.owner, self._lasts_s))
        return self.owner if row[0] else row.owner

    def _decide(self, cql: str, values: tuple[object, ...]) -> Row:
        """A conditional write whose repeat finds out what an unanswered first try did."""
        self._written_s = time.monotonic()
        for _ in range(3):
            try:
                return self._database.execute(cql, values)[0]
            except UncertainWrite:
                time.sleep(_PAUSE_S)
        return self._database.execute(cql, values)[0]


@contextmanager
def held(lease: Lease, *, patience_s: float) -> Generator[Lease]:
    """Hold a lease for the body of a `with`.

    Raises:
        LeaseHeld: somebody else still holds it after `patience_s`.
    """
    lease.take(patience_s=patience_s)
    try:
        yield lease
    finally:
        lease.release()
