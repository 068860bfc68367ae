"""Whether an acknowledged write survives kill -9 and a power failure."""

from dataclasses import dataclass

from schemas.config import Cassandra
from schemas.errors import NotDurable
from store.database import Database

SYNCED = frozenset({"group", "batch"})  # acknowledged after the fsync


@dataclass(frozen=True, slots=True)
class Durability:
    """How the nodes sync their commit logs.

    Attributes:
        commitlog_sync: `group`, `batch` or `periodic`; of several nodes that keep the only
            copies that of the least safe one, otherwise that of the one that answered.
        replication: copies of each row in the local data centre.
    """

    commitlog_sync: str
    replication: int

    @property
    def holds(self) -> bool:
        """Whether acknowledged writes survive a crash.

        With several copies also under a periodic sync: a majority of them has the write
        (`schemas.config` refuses a lower consistency), and all of those would have to fail at once.
        """
        return self.commitlog_sync in SYNCED or self.replication > 1

    def require(self) -> None:
        """Refuse a cluster that could lose acknowledged writes.

        Raises:
            NotDurable: one copy only and `commitlog_sync: periodic`.
        """
        if not self.holds:
            raise NotDurable(
                f"Cassandra runs with commitlog_sync: {self.commitlog_sync} and one copy of each "
                "row: a crash would lose acknowledged writes.",
                next_step="Set commitlog_sync: group in its cassandra.yaml, or "
                "cassandra.replication to 3.",
            )


def durability_of(database: Database, config: Cassandra) -> Durability:
    """Read the setting: from every node that is up where each keeps the only copy of some rows."""
    cql = "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'"
    several = config.replication > 1
    answers = [database.execute(cql)] if several else database.execute_on_each(cql)
    settings = [rows[0].value if rows else "unknown" for rows in answers]
    weakest = next((value for value in settings if value not in SYNCED), settings[0])
    return Durability(weakest, config.replication)
