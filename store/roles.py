"""Cassandra's roles with least privilege: what each may read and write, as CQL.

| role | may |
|---|---|
| service | read and write what users send and own; read what jobs publish; change no table |
| spark | read what jobs learn from; write models, results and its own runs; see no password |
| migrations | create and change the tables of the keyspace, and pass rights on them on |

A table that is added to the migrations and not named here fails a test.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.config import Cassandra, Config
from schemas.errors import RoleRefused
from store.connection import connect
from store.credentials import (
    DEFAULT_SUPERUSER,
    ROLES,
    Credentials,
    Role,
    credentials_of,
    open_as,
    username_of,
)
from store.database import Database

SUPERUSER_TIMEOUT_S = 30.0
READ, WRITE = ("SELECT",), ("SELECT", "MODIFY")
_OWNER = ("CREATE", "ALTER", "DROP", "SELECT", "MODIFY", "AUTHORIZE")


class _Rights(NamedTuple):
    service: tuple[str, ...] = ()
    spark: tuple[str, ...] = ()


TABLES: Mapping[str, _Rights] = {
    # users: jobs read their ids from `usernames`, never a password hash
    "users": _Rights(WRITE),
    "usernames": _Rights(WRITE, READ),
    "logins": _Rights(WRITE),
    # what users sent, and its projections
    "samples": _Rights(WRITE, READ),
    "stream_parts": _Rights(WRITE),
    "journal": _Rights(WRITE, READ),
    "changes": _Rights(WRITE, READ),
    "sessions": _Rights(WRITE, READ),
    "session_lists": _Rights(WRITE),
    "sets": _Rights(WRITE, READ),
    "labelled_sets": _Rights(WRITE, WRITE),  # jobs keep a set's windows beside it
    "labelled_stretches": _Rights(WRITE, READ),
    "predictions": _Rights(WRITE, READ),
    "deviations": _Rights(WRITE, READ),
    "plans": _Rights(WRITE, READ),
    "plan_versions": _Rights(WRITE, READ),
    "follows": _Rights(WRITE, READ),
    "dead_letters": _Rights(WRITE, READ),
    # results of jobs: the service deletes them when their user is erased
    "models": _Rights(WRITE, WRITE),
    "champions": _Rights(WRITE, WRITE),
    "clusters": _Rights(WRITE, WRITE),
    "recommendations": _Rights(WRITE, WRITE),
    "ranks": _Rights(WRITE, WRITE),
    "job_run_users": _Rights(WRITE, WRITE),
    # records of jobs
    "job_runs": _Rights(READ, WRITE),
    "live_runs": _Rights(READ, WRITE),
    "withdrawn_runs": _Rights(READ, READ),
    "job_leases": _Rights((), WRITE),
    "watermarks": _Rights(WRITE, WRITE),  # including that of the service's sweep
    # the schema
    "migrations": _Rights(READ, READ),
    "layout": _Rights(READ, READ),
    "migration_lease": _Rights(),
}
"""Migrations and `muvr models rollback --run` run as the role of migrations, which owns it all."""

SYSTEM: Mapping[Role, tuple[str, ...]] = {
    "service": ("system_views.settings",),  # whether a write is synced before it is acknowledged
    "spark": ("system.size_estimates", "system.local", "system.peers"),
    "migrations": ("system_views.settings",),
    "admin": (),
}


class Grant(NamedTuple):
    """One right of one role."""

    permission: str
    resource: str
    role: str

    @property
    def cql(self) -> str:
        """The statement that gives it."""
        return f"GRANT {self.permission} ON {self.resource} TO {_quoted(self.role)}"

    def is_of(self, keyspace: str) -> bool:
        """Whether it is a right on a keyspace or one of its tables; not on one named alike."""
        tables = f"TABLE {keyspace}."
        return self.resource == f"KEYSPACE {keyspace}" or self.resource.startswith(tables)


def grants(settings: Cassandra, tables: Iterable[str] | None = None) -> list[Grant]:
    """All rights that the roles need, on these tables or on all."""
    required = TABLES.keys() if tables is None else set(tables) & TABLES.keys()
    granted: list[Grant] = []
    for role in ("service", "spark"):
        name = username_of(settings, role)
        for table in sorted(required):
            rights = getattr(TABLES[table], role)
            granted += [
                Grant(right, f"TABLE {settings.keyspace}.{table}", name) for right in rights
            ]
    owner = username_of(settings, "migrations")
    granted += [Grant(right, f"KEYSPACE {settings.keyspace}", owner) for right in _OWNER]
    for role, readable in SYSTEM.items():
        name = username_of(settings, role)
        granted += [Grant("SELECT", f"TABLE {table}", name) for table in readable]
    return sorted(set(granted))


def make_roles(database: Database, config: Config) -> None:
    """Create the three roles with their passwords, or give existing ones these passwords.

    Args:
        database: a connection as a superuser.
        config: names the roles; their passwords are looked up.

    Raises:
        BadConfig: a role has no password.
    """
    is_superuser = {row.role: row.super for row in database.execute("LIST ROLES")}
    unique = {credentials_of(config, role): None for role in ROLES}
    logins = [login for login in unique if login is not None]
    for login in logins:
        if login.username not in is_superuser:
            database.execute(f"CREATE ROLE {_quoted(login.username)} {_login(login)}")
        # Only when it must: Cassandra limits how often a password changes.
        elif not _can_connect(config.cassandra, login):
            database.execute(f"ALTER ROLE {_quoted(login.username)} {_login(login)}")
        if is_superuser.get(login.username):
            database.execute(f"ALTER ROLE {_quoted(login.username)} WITH SUPERUSER = false")


def _login(credentials: Credentials) -> str:
    return f"WITH LOGIN = true AND PASSWORD = {_text(credentials.password)}"


def _can_connect(settings: Cassandra, credentials: Credentials) -> bool:
    try:
        connect(settings, keyspace=None, credentials=credentials).close()
    except RoleRefused:
        return False
    return True


def sync_grants(database: Database, settings: Cassandra) -> int:
    """Grant every role its rights on the existing tables, and revoke all others.

    Args:
        database: a connection as a superuser.
        settings: name the roles and the keyspace.

    Returns:
        how many rights were granted or revoked.
    """
    cql = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?"
    existing = [row.table_name for row in database.execute(cql, (settings.keyspace,))]
    required = set(grants(settings, existing))
    roles = {grant.role for grant in required}
    granted = {grant for role in roles for grant in _granted(database, role)}
    for grant in sorted(required - granted):
        database.execute(grant.cql)
    excess = sorted(grant for grant in granted - required if grant.is_of(settings.keyspace))
    for grant in excess:
        database.execute(
            f"REVOKE {grant.permission} ON {grant.resource} FROM {_quoted(grant.role)}"
        )
    return len(required - granted) + len(excess)


def secure_superuser(config: Config) -> None:
    """Replace the well-known password of a new cluster's superuser by the configured one.

    Raises:
        RoleRefused: it has neither of the two passwords.
    """
    admin = credentials_of(config, "admin")
    if admin is None or admin.username != DEFAULT_SUPERUSER:
        return
    default = Credentials(DEFAULT_SUPERUSER, DEFAULT_SUPERUSER)
    accepted, database = _connect_as_first_accepted(config.cassandra, [admin, default])
    try:
        if accepted == admin:
            return
        database.execute(f"ALTER ROLE {DEFAULT_SUPERUSER} WITH PASSWORD = {_text(admin.password)}")
    finally:
        database.close()
    # Wait until the new password is accepted: Cassandra caches the old one for a moment.
    _, database = _connect_as_first_accepted(config.cassandra, [admin])
    database.close()


def _connect_as_first_accepted(
    settings: Cassandra, candidates: Sequence[Credentials]
) -> tuple[Credentials, Database]:
    """Connect with the first accepted credentials; a new node creates its superuser late."""
    deadline_s = time.monotonic() + SUPERUSER_TIMEOUT_S
    while True:
        for credentials in candidates:
            try:
                return credentials, connect(settings, keyspace=None, credentials=credentials)
            except RoleRefused:
                if time.monotonic() > deadline_s:
                    raise
        time.sleep(0.2)


def grant_table_rights(config: Config) -> None:
    """Grant service and Spark their rights on tables that the migrations role just created."""
    settings = config.cassandra
    if not settings.username:
        return
    owner = username_of(settings, "migrations")
    database = open_as(config, "migrations")
    try:
        for grant in grants(settings):
            if grant.role != owner and grant.resource.startswith(f"TABLE {settings.keyspace}."):
                database.execute(grant.cql)
    finally:
        database.close()


def _granted(database: Database, name: str) -> set[Grant]:
    """The rights of a role as Cassandra lists them: `<table ks.name>`, `<keyspace ks>`."""
    rows = database.execute(f"LIST ALL PERMISSIONS OF {_quoted(name)} NORECURSIVE")
    granted: set[Grant] = set()
    for row in rows:
        kind, _, rest = row.resource.strip("<>").partition(" ")
        if kind in ("table", "keyspace"):
            granted.add(Grant(row.permission, f"{kind.upper()} {rest}", name))
    return granted


def _quoted(name: str) -> str:
    """A quoted CQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    """A CQL string literal."""
    return "'" + value.replace("'", "''") + "'"
