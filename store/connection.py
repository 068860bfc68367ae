"""Connects to the cluster that the settings name, or raises an error that says why it cannot."""

from collections.abc import Iterable

from cassandra import DriverException, UnresolvableContactPoints
from cassandra.cluster import NoHostAvailable

from schemas.config import Cassandra
from schemas.errors import BadConfig, DatabaseUnavailable, RoleRefused
from store.cluster import cluster_of
from store.database import Database
from store.reactor import LoopThread

FETCH_ROWS = 200
"""Rows in a page: rows carry samples, and the default of 5,000 is more than a node's heap."""


def connect(
    settings: Cassandra,
    *,
    keyspace: str | None,
    credentials: tuple[str, str] | None = None,
    loop_thread: LoopThread | None = None,
) -> Database:
    """Connect to the cluster that the settings name.

    Args:
        settings: hosts, port, data centre, consistency.
        keyspace: None before the keyspace exists (migrations only).
        credentials: a role's name and password (store.credentials); None without authentication.
        loop_thread: the event loop that sends all requests and also reads the answers; call this
            from another thread. None: the driver's own thread does, for commands and jobs.

    Raises:
        DatabaseUnavailable: no host answers, or none of their names can be resolved now.
        RoleRefused: Cassandra refuses this name and password.
        BadConfig: `cassandra.tls_ca` is no file of certificates.
    """
    name = credentials[0] if credentials else settings.username or "nobody"
    try:
        cluster = cluster_of(settings, credentials, loop_thread)
    except UnresolvableContactPoints as problem:
        raise _connection_error(settings, name, problem) from problem
    except OSError as problem:  # ssl.SSLError is one
        raise BadConfig(
            f"cassandra.tls_ca: {settings.tls_ca} holds no certificate that can be read: {problem}",
            field="cassandra.tls_ca",
            value=settings.tls_ca,
        ) from problem
    try:
        # Nodes that keep the only copy of a row are all asked how they sync it (`Durability`).
        alone = not settings.own_node and settings.replication == 1
        session = cluster.connect(keyspace, wait_for_all_pools=alone)
        session.default_fetch_size = FETCH_ROWS
        return Database(cluster, session, loop_thread, batch_writes=settings.own_node)
    except (NoHostAvailable, DriverException) as problem:
        cluster.shutdown()
        raise _connection_error(settings, name, problem) from problem


def _connection_error(
    settings: Cassandra, name: str, problem: NoHostAvailable | DriverException
) -> RoleRefused | DatabaseUnavailable:
    """The error for a failed connection attempt."""
    if "AuthenticationFailed" in repr(problem) or "uthentication" in str(problem):
        return RoleRefused(
            f"Cassandra does not let {name} in with this password.",
            next_step="Check cassandra.username and its password, or make the roles with `muvr "
            "migrate --roles`.",
        )
    hosts = ", ".join(settings.hosts)
    next_step = (
        "Start the embedded node with `muvr up`, or check cassandra.contact_points."
        if settings.own_node
        else "Check that the cluster runs, and cassandra.contact_points, cassandra.port and "
        "cassandra.local_dc."
    )
    return DatabaseUnavailable(
        f"No Cassandra answers at {hosts} port {settings.port}: {_host_errors(problem)}.",
        next_step=next_step,
    )


def _host_errors(problem: Exception) -> str:
    """The hosts' own error messages, without the driver's text around them."""
    if isinstance(problem, UnresolvableContactPoints):
        return "no such name is known to this machine"
    errors: Iterable[object] = getattr(problem, "errors", {}).values() or [problem]
    return "; ".join(
        sorted({str(error).rpartition("Last error: ")[2].rstrip(".") for error in errors})
    )
