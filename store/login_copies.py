"""How many nodes keep the logins of roles: one, unless Cassandra is told otherwise."""

from schemas.config import Cassandra
from schemas.plurals import plural
from store.database import Database


def login_warning(database: Database, settings: Cassandra) -> str:
    """What to change where a login fails with fewer nodes down than a read; "" where none does.

    Args:
        database: a connection as a superuser.
        settings: the data centre, and how many copies of each row it keeps.
    """
    nodes = [
        *database.execute("SELECT data_center FROM system.local"),
        *database.execute("SELECT data_center FROM system.peers_v2"),
    ]
    cql = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = 'system_auth'"
    kept = dict(database.execute(cql)[0].replication)
    copies = _copies(kept, settings.local_dc)
    if len(nodes) == 1 or copies >= settings.replication:
        return ""
    centres = sorted({node.data_center for node in nodes} | {settings.local_dc})
    wanted = {centre: max(_copies(kept, centre), settings.replication) for centre in centres}
    replication = {"class": "NetworkTopologyStrategy", **wanted}
    return (
        f"{settings.local_dc} keeps each login of a role (keyspace system_auth) "
        f"{plural(copies, 'time')}, each row {plural(settings.replication, 'time')}: one node that "
        f"is down can keep everybody out. As a superuser: ALTER KEYSPACE system_auth WITH "
        f"replication = {replication}; then, on every node: nodetool repair --full system_auth"
    )


def _copies(replication: dict[str, str], centre: str) -> int:
    """Copies in a data centre; `SimpleStrategy` knows none and counts over all of them."""
    return int(replication.get(centre) or replication.get("replication_factor", 0))
