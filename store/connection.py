"""From settings to a connection: the cluster is reached, or a sentence says why it is not."""

from collections.abc import Iterable
from pathlib import Path

from cassandra import DriverException, UnresolvableContactPoints
from cassandra.cluster import NoHostAvailable

from schemas.config import Cassandra
from schemas.errors import DatabaseUnavailable, NotAllowed
from store.cluster import auth_of, cluster_of
from store.database import Database
from store.reactor import Home

FETCH_ROWS = 200
"""Rows in a page: rows carry samples, and the default of 5,000 is more than a node's heap."""


def connect(
    settings: Cassandra,
    *,
    keyspace: str | None,
    password_file: Path | None = None,
    credentials: tuple[str, str] | None = None,
    home: Home | None = None,
) -> Database:
    """Connect to the cluster that the settings name.

    Args:
        settings: hosts, port, data centre, consistency.
        keyspace: None before the keyspace exists (migrations only).
        password_file: read when `settings.username` is set.
        credentials: another role's name and password (store.credentials).
        home: the loop that will ask, which then also sends and reads; call in another thread.
            None: the driver's own thread does, for commands and jobs.

    Raises:
        DatabaseUnavailable: nobody answers there, or no host's name leads anywhere at the moment.
        NotAllowed: Cassandra does not know the name with this password.
    """
    name = credentials[0] if credentials else settings.username or "nobody"
    auth = auth_of(settings, password_file, credentials)
    try:
        cluster = cluster_of(settings, auth, home)
    except UnresolvableContactPoints as problem:
        raise _not_let_in(settings, name, problem) from problem
    try:
        session = cluster.connect(keyspace)
        session.default_fetch_size = FETCH_ROWS
        return Database(cluster, session, home, gathers=settings.own_node)
    except (NoHostAvailable, DriverException) as problem:
        cluster.shutdown()
        raise _not_let_in(settings, name, problem) from problem


def _not_let_in(
    settings: Cassandra, name: str, problem: NoHostAvailable | DriverException
) -> NotAllowed | DatabaseUnavailable:
    """The error for a connection that did not come about."""
    if "AuthenticationFailed" in repr(problem) or "uthentication" in str(problem):
        return NotAllowed(
            f"Cassandra does not let {name} in with this password.",
            next_step="Check cassandra.username and its password, or make the roles with `muvr "
            "migrate --roles`.",
        )
    hosts = ", ".join(settings.hosts)
    return DatabaseUnavailable(
        f"No Cassandra answers at {hosts} port {settings.port}: {_said(problem)}.",
        next_step="Start the embedded node with `muvr up`, or check cassandra.contact_points.",
    )


def _said(problem: Exception) -> str:
    """What the hosts said, without what the driver wraps around it."""
    errors: Iterable[object] = getattr(problem, "errors", {}).values() or [problem]
    return "; ".join(sorted({str(one).rpartition("Last error: ")[2].rstrip(".") for one in errors}))
