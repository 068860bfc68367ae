"""Migrates the keyspace to the schema of this code, and checks it at start-up.

Numbered CQL files are applied once, in order, under a lease. A file is recorded before its first
statement and marked when done: after a crash it is applied again (every statement may run twice),
and a file that was changed in between is refused.
"""

import os
import socket
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from cassandra import RequestValidationException

import schemas
from schemas.config import Cassandra
from schemas.errors import BadMigration, DatabaseUnavailable, SchemaMismatch
from schemas.layout import LAYOUT
from schemas.progress import NoProgress, Progress
from schemas.times import server_time
from store.connection import connect
from store.cql import Migration, read_migrations
from store.database import Database
from store.migration_lease import MigrationLease, holding

FOLDER = Path(schemas.__file__).parent / "migrations"
LEASE_S = 30
_LEASE_TIMEOUT_S = 120.0
_AGREEMENT_TIMEOUT_S = 30.0
_MIGRATE = "Run `muvr migrate`."
_TABLES = {
    "migrations": "name text PRIMARY KEY, checksum text, done_at timestamp, done_by text",
    "migration_lease": "name text PRIMARY KEY, owner text",
    "layout": "name text PRIMARY KEY, value text",
}


def migrate(
    config: Cassandra,
    *,
    credentials: tuple[str, str] | None = None,
    folder: Path = FOLDER,
    layout: Mapping[str, str] = LAYOUT,
    progress: Progress | None = None,
    timeout_s: float = _LEASE_TIMEOUT_S,
) -> tuple[str, ...]:
    """Create the keyspace and apply what is pending; returns the names applied by this call.

    Any number of processes may call it at once: one migrates, the others wait for it.

    Raises:
        BadMigration: a file was changed after it was applied, or is not fit to be applied.
        SchemaMismatch: the keyspace has another layout or replication, or is of a later release.
        LeaseHeld: another process did not finish within `timeout_s`.
        DatabaseUnavailable: Cassandra does not answer, or its nodes do not agree on the schema.
    """
    migrations = read_migrations(folder)
    database = connect(config, keyspace=None, credentials=credentials)
    try:
        _create_keyspace(database, config)
        if not _pending(database, config.keyspace, migrations):
            _check_layout(database, config.keyspace, layout)
            return ()
        lease = MigrationLease(database, ttl_s=LEASE_S)
        with holding(lease, timeout_s=timeout_s):
            _write_layout(database, config.keyspace, layout)
            return _apply_all(
                database, config.keyspace, migrations, lease, progress or NoProgress()
            )
    finally:
        database.close()


def check_schema(
    database: Database,
    config: Cassandra,
    *,
    folder: Path = FOLDER,
    layout: Mapping[str, str] = LAYOUT,
) -> None:
    """Compare the keyspace with this code at start-up, changing nothing.

    Args:
        database: a connection to the keyspace.
        config: names the keyspace.
        folder: the migrations of this code.
        layout: the constants that shape keys in this code.

    Raises:
        SchemaMismatch: it does not exist, is not migrated, is of a later release, has another
            replication than the settings, or differs in a constant that shapes keys.
        BadMigration: a file was changed after it was applied.
    """
    missing = _TABLES.keys() - _tables(database, config.keyspace)
    if missing:
        raise SchemaMismatch(f"Keyspace {config.keyspace} is not set up.", next_step=_MIGRATE)
    if pending := _pending(database, config.keyspace, read_migrations(folder)):
        names = ", ".join(migration.name for migration in pending)
        raise SchemaMismatch(f"Keyspace {config.keyspace} lacks {names}.", next_step=_MIGRATE)
    _check_replication(database, config)  # whether a write is durable is judged by the setting
    _check_layout(database, config.keyspace, layout)


def _create_keyspace(database: Database, config: Cassandra) -> None:
    """Create the keyspace and the tables that migrations themselves need, and switch to it."""
    if not _TABLES.keys() <= _tables(database, config.keyspace):
        replication = {"class": "NetworkTopologyStrategy", config.local_dc: config.replication}
        database.execute(
            f"CREATE KEYSPACE IF NOT EXISTS {config.keyspace} WITH replication = {replication}"
        )
        for table, columns in _TABLES.items():
            # A fixed id: two nodes that create the table at once create the same one.
            table_id = uuid.uuid5(uuid.NAMESPACE_OID, f"muvr {config.keyspace} {table}")
            database.execute(
                f"CREATE TABLE IF NOT EXISTS {config.keyspace}.{table} ({columns}) "
                f"WITH id = {table_id}"
            )
        _await_agreement(database)
    _check_replication(database, config)
    database.execute(f"USE {config.keyspace}")


def _apply_all(
    database: Database,
    keyspace: str,
    migrations: Sequence[Migration],
    lease: MigrationLease,
    progress: Progress,
) -> tuple[str, ...]:
    """Apply what is still pending now that the lease is held."""
    pending = _pending(database, keyspace, migrations)
    total = sum(len(migration.statements) for migration in pending)
    done = 0
    for migration in pending:
        _record(database, migration, done_at=None)
        for statement in migration.statements:
            lease.renew()
            _apply(database, migration.name, statement)
            done += 1
            progress.step("creating tables", done, total)
        _record(database, migration, done_at=server_time())
    return tuple(migration.name for migration in pending)


def _apply(database: Database, name: str, statement: str) -> None:
    try:
        database.execute(statement)
    except RequestValidationException as problem:
        raise BadMigration(
            f"{name}.cql: Cassandra refuses `{statement[:80]}`: {problem}"
        ) from problem
    _await_agreement(database)


def _pending(database: Database, keyspace: str, migrations: Sequence[Migration]) -> list[Migration]:
    """The migrations that are not done yet.

    Raises:
        BadMigration: a recorded file has another content now.
        SchemaMismatch: the keyspace is more than one migration ahead of this code, which can read
            the next schema (expand, backfill, contract) but none after it.
    """
    rows = database.execute("SELECT name, checksum, done_at FROM migrations")
    recorded = {row.name: row for row in rows}
    for migration in migrations:
        row = recorded.get(migration.name)
        if row and row.checksum != migration.checksum:
            state = "applied" if row.done_at else "begun"
            raise BadMigration(
                f"{migration.name}.cql was changed after it was {state} in keyspace {keyspace}: "
                f"its checksum was {row.checksum[:12]}…, now it is {migration.checksum[:12]}….",
                next_step="Put the file back, and what is new into a new one.",
            )
    unknown = sorted(recorded.keys() - {migration.name for migration in migrations})
    if len(unknown) > 1:
        raise SchemaMismatch(
            f"Keyspace {keyspace} is of a later release: {', '.join(unknown)} are not known here.",
            next_step="Update this release.",
        )
    return [m for m in migrations if m.name not in recorded or not recorded[m.name].done_at]


def _record(database: Database, migration: Migration, *, done_at: datetime | None) -> None:
    done_by = f"{socket.gethostname()} process {os.getpid()}"
    database.execute(
        "INSERT INTO migrations (name, checksum, done_at, done_by) VALUES (?, ?, ?, ?)",
        (migration.name, migration.checksum, done_at, done_by),
    )


def _write_layout(database: Database, keyspace: str, layout: Mapping[str, str]) -> None:
    cql = "INSERT INTO layout (name, value) VALUES (?, ?) IF NOT EXISTS"
    for name, value in layout.items():
        database.execute(cql, (name, value))
    _check_layout(database, keyspace, layout)


def _check_layout(database: Database, keyspace: str, layout: Mapping[str, str]) -> None:
    rows = database.execute("SELECT name, value FROM layout")
    kept = {row.name: row.value for row in rows}
    for name, value in layout.items():
        if kept.get(name) != value:
            raise SchemaMismatch(
                f"The keys of keyspace {keyspace} were shaped with {name} = {kept.get(name)}, this "
                f"code uses {value}.",
                next_step="Use the release that fits, or migrate the data to a new keyspace.",
            )


def _check_replication(database: Database, config: Cassandra) -> None:
    cql = "SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?"
    kept = dict(database.execute(cql, (config.keyspace,))[0].replication)
    if kept.get(config.local_dc) != str(config.replication):
        raise SchemaMismatch(
            f"Keyspace {config.keyspace} is replicated as {kept}, conf.yaml says "
            f"{config.replication} in {config.local_dc}.",
            next_step="ALTER KEYSPACE and repair, or set cassandra.replication and "
            "cassandra.local_dc back.",
        )


def _tables(database: Database, keyspace: str) -> set[str]:
    cql = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?"
    return {row.table_name for row in database.execute(cql, (keyspace,))}


def _await_agreement(database: Database) -> None:
    """Wait until all nodes that are up agree on the schema.

    Raises:
        DatabaseUnavailable: not within 30 s: they cannot reach each other.
    """
    if not database.schema_agreed(_AGREEMENT_TIMEOUT_S):
        raise DatabaseUnavailable(
            f"The nodes do not agree on the schema after {_AGREEMENT_TIMEOUT_S:.0f} s.",
            next_step="See which one differs with `nodetool describecluster`, then migrate again.",
        )
