"""Cassandra's roles with the least rights that work: what each may read and write, as CQL.

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
from schemas.errors import NotAllowed
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


class _May(NamedTuple):
    service: tuple[str, ...] = ()
    spark: tuple[str, ...] = ()


TABLES: Mapping[str, _May] = {
    # who there is: jobs see ids by `usernames`, never a password hash
    "users": _May(WRITE),
    "usernames": _May(WRITE, READ),
    "logins": _May(WRITE),
    # what they sent, and what follows from it
    "samples": _May(WRITE, READ),
    "stream_parts": _May(WRITE),
    "journal": _May(WRITE, READ),
    "changes": _May(WRITE, READ),
    "sessions": _May(WRITE, READ),
    "session_lists": _May(WRITE),
    "sets": _May(WRITE, READ),
    "labelled_sets": _May(WRITE, WRITE),  # jobs keep a set's windows beside it
    "labelled_stretches": _May(WRITE, READ),
    "predictions": _May(WRITE, READ),
    "deviations": _May(WRITE, READ),
    "plans": _May(WRITE, READ),
    "plan_versions": _May(WRITE, READ),
    "follows": _May(WRITE, READ),
    "dead_letters": _May(WRITE, READ),
    # what jobs learn: the service deletes it when its user is erased
    "models": _May(WRITE, WRITE),
    "champions": _May(WRITE, WRITE),
    "clusters": _May(WRITE, WRITE),
    "recommendations": _May(WRITE, WRITE),
    "ranks": _May(WRITE, WRITE),
    "job_run_users": _May(WRITE, WRITE),
    # what jobs say of themselves
    "job_runs": _May(READ, WRITE),
    "live_runs": _May(READ, WRITE),
    "withdrawn_runs": _May(READ, READ),
    "job_leases": _May((), WRITE),
    "watermarks": _May(WRITE, WRITE),  # how far the service's sweep came is among them
    # which schema this is
    "migrations": _May(READ, READ),
    "layout": _May(READ, READ),
    "migration_lease": _May(),
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


def grants(settings: Cassandra, tables: Iterable[str] | None = None) -> list[Grant]:
    """Every right that every role needs; of these tables only, of all by default."""
    wanted = TABLES.keys() if tables is None else set(tables) & TABLES.keys()
    found: list[Grant] = []
    for role in ("service", "spark"):
        name = username_of(settings, role)
        for table in sorted(wanted):
            rights = getattr(TABLES[table], role)
            found += [Grant(right, f"TABLE {settings.keyspace}.{table}", name) for right in rights]
    owner = username_of(settings, "migrations")
    found += [Grant(right, f"KEYSPACE {settings.keyspace}", owner) for right in _OWNER]
    for role, readable in SYSTEM.items():
        name = username_of(settings, role)
        found += [Grant("SELECT", f"TABLE {table}", name) for table in readable]
    return sorted(set(found))


def make_roles(database: Database, config: Config) -> list[str]:
    """Create the three roles with their passwords, or give existing ones these passwords.

    Args:
        database: a connection as a superuser.
        config: names the roles; their passwords are looked up.

    Returns:
        the names of the roles.

    Raises:
        BadConfig: a role has no password.
    """
    known = {row.role: row.super for row in database.execute("LIST ROLES")}
    found = {credentials_of(config, role): None for role in ROLES}
    wanted = [one for one in found if one is not None]
    for one in wanted:
        if one.username not in known:
            database.execute(f"CREATE ROLE {_quoted(one.username)} {_login(one)}")
        elif not _is_let_in(
            config.cassandra, one
        ):  # Cassandra lets a password change only so often
            database.execute(f"ALTER ROLE {_quoted(one.username)} {_login(one)}")
        if known.get(one.username):
            database.execute(f"ALTER ROLE {_quoted(one.username)} WITH SUPERUSER = false")
    return [one.username for one in wanted]


def _login(credentials: Credentials) -> str:
    return f"WITH LOGIN = true AND PASSWORD = {_text(credentials.password)}"


def _is_let_in(settings: Cassandra, credentials: Credentials) -> bool:
    try:
        connect(settings, keyspace=None, credentials=credentials).close()
    except NotAllowed:
        return False
    return True


def give_rights(database: Database, settings: Cassandra) -> int:
    """Give every role its rights on the tables that are there, and take back what is too much.

    Args:
        database: a connection as a superuser.
        settings: name the roles and the keyspace.

    Returns:
        how many rights were given or taken back.
    """
    cql = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?"
    there = [row.table_name for row in database.execute(cql, (settings.keyspace,))]
    wanted = set(grants(settings, there))
    held = {right for name in {one.role for one in wanted} for right in _held(database, name)}
    for one in sorted(wanted - held):
        database.execute(one.cql)
    surplus = sorted(one for one in held - wanted if settings.keyspace in one.resource)
    for one in surplus:
        database.execute(f"REVOKE {one.permission} ON {one.resource} FROM {_quoted(one.role)}")
    return len(wanted - held) + len(surplus)


def take_over(config: Config) -> None:
    """Give the superuser that a new cluster has, and whose password everybody knows, our own.

    Raises:
        NotAllowed: it has another password, and not ours.
    """
    wanted = credentials_of(config, "admin")
    if wanted is None or wanted.username != DEFAULT_SUPERUSER:
        return
    everybodys = Credentials(DEFAULT_SUPERUSER, DEFAULT_SUPERUSER)
    accepted, database = _first_let_in(config.cassandra, [wanted, everybodys])
    try:
        if accepted == wanted:
            return
        database.execute(f"ALTER ROLE {DEFAULT_SUPERUSER} WITH PASSWORD = {_text(wanted.password)}")
    finally:
        database.close()
    _, database = _first_let_in(config.cassandra, [wanted])  # the old one is cached for a moment
    database.close()


def _first_let_in(
    settings: Cassandra, candidates: Sequence[Credentials]
) -> tuple[Credentials, Database]:
    """A connection by the first that is accepted; a new node makes its superuser after a moment."""
    deadline_s = time.monotonic() + SUPERUSER_TIMEOUT_S
    while True:
        for credentials in candidates:
            try:
                return credentials, connect(settings, keyspace=None, credentials=credentials)
            except NotAllowed:
                if time.monotonic() > deadline_s:
                    raise
        time.sleep(0.2)


def pass_rights_on(config: Config) -> None:
    """Give service and Spark their rights on tables that the role of migrations just made."""
    settings = config.cassandra
    if not settings.username:
        return
    owner = username_of(settings, "migrations")
    database = open_as(config, "migrations")
    try:
        for one in grants(settings):
            if one.role != owner and one.resource.startswith(f"TABLE {settings.keyspace}."):
                database.execute(one.cql)
    finally:
        database.close()


def _held(database: Database, name: str) -> set[Grant]:
    """The rights of a role as Cassandra lists them: `<table ks.name>`, `<keyspace ks>`."""
    rows = database.execute(f"LIST ALL PERMISSIONS OF {_quoted(name)} NORECURSIVE")
    found: set[Grant] = set()
    for row in rows:
        kind, _, rest = row.resource.strip("<>").partition(" ")
        if kind in ("table", "keyspace"):
            found.add(Grant(row.permission, f"{kind.upper()} {rest}", name))
    return found


def _quoted(name: str) -> str:
    """A role's name as CQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    """A CQL string."""
    return "'" + value.replace("'", "''") + "'"
