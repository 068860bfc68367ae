"""Whether an acknowledged write survives kill -9 and a power failure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.config import Cassandra
from schemas.errors import NotDurable

SYNCED = frozenset({"group", "batch"})  # acknowledged after the fsync


class Executes(Protocol):
    """The part of `store.database.Database` that is needed here."""

    def execute(self, cql: str, values: Sequence[object] = ()) -> list[Any]:
        """Run one statement and return its rows."""
        ...


@dataclass(frozen=True, slots=True)
class Durability:
    """How the node that answered syncs its commit log.

    Attributes:
        commitlog_sync: `group`, `batch` or `periodic`.
        replication: copies of each row in the local data centre.
    """

    commitlog_sync: str
    replication: int

    @property
    def holds(self) -> bool:
        """Whether acknowledged writes survive a crash.

        With several copies also under a periodic sync: all of them would have to fail at once.
        """
        return self.commitlog_sync in SYNCED or self.replication > 1


def durability(database: Executes, config: Cassandra) -> Durability:
    """Read the setting from the running node."""
    rows = database.execute("SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'")
    return Durability(rows[0].value if rows else "unknown", config.replication)


def require_durability(database: Executes, config: Cassandra) -> Durability:
    """Refuse a cluster that could lose acknowledged writes.

    Raises:
        NotDurable: one copy only and `commitlog_sync: periodic`.
    """
    state = durability(database, config)
    if not state.holds:
        raise NotDurable(
            f"Cassandra runs with commitlog_sync: {state.commitlog_sync} and one copy of each row: "
            "a crash would lose acknowledged writes.",
            next_step="Set commitlog_sync: group in its cassandra.yaml, or cassandra.replication "
            "to 3.",
        )
    return state
