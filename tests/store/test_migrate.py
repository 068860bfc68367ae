"""Migrations against a real node: once, under a lease, with real processes racing."""

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.config import Cassandra
from schemas.errors import BadMigration, DatabaseUnavailable, LeaseHeld, SchemaMismatch
from schemas.layout import LAYOUT
from store.connection import connect
from store.database import Database
from store.migrate import check_schema, migrate
from store.migration_lease import MigrationLease
from store.node.process import EmbeddedNode
from tests.cassandra_node import CHECKOUT, quick_tables

ONE = "-- first\nCREATE TABLE one (id int PRIMARY KEY);\nCREATE TABLE two (id int PRIMARY KEY);\n"
MIGRATE = """
import sys
from pathlib import Path
from schemas.config import Cassandra
from store.migrate import migrate
settings, folder = sys.argv[1:]
print(*migrate(Cassandra.model_validate_json(settings), folder=Path(folder)))
"""
TAKE_THE_LEASE_AND_DIE = """
import os, sys
from schemas.config import Cassandra
from store.connection import connect
from store.migration_lease import MigrationLease
settings = Cassandra.model_validate_json(sys.argv[1])
MigrationLease(connect(settings, keyspace=settings.keyspace), ttl_s=8).take(timeout_s=0)
os._exit(9)
"""


@pytest.fixture
def settings(node: EmbeddedNode) -> Cassandra:
    """Settings of a keyspace that does not exist yet."""
    name = f"migrate_{uuid.uuid4().hex[:12]}"
    return node.config.model_copy(update={"keyspace": name})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_one.cql").write_text(ONE)
    return tmp_path


@pytest.fixture
def anywhere(node: EmbeddedNode) -> Iterator[Database]:
    """A connection outside of any keyspace."""
    connection = connect(node.config, keyspace=None)
    yield connection
    connection.close()


def _tables(database: Database, keyspace: str) -> set[str]:
    cql = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?"
    return {row.table_name for row in database.execute(cql, (keyspace,))}


class _Heard:
    def __init__(self) -> None:
        self.steps: list[tuple[int, int | None]] = []

    def step(self, what: str, done: int, total: int | None = None) -> None:
        self.steps.append((done, total))


def test_migrations_are_applied_once_and_recorded(
    settings: Cassandra, folder: Path, anywhere: Database
) -> None:
    heard = _Heard()
    assert migrate(settings, folder=folder, progress=heard) == ("0001_one",)
    assert heard.steps == [(1, 2), (2, 2)]
    own_tables = {"migrations", "migration_lease", "layout"}
    assert _tables(anywhere, settings.keyspace) == {"one", "two"} | own_tables
    rows = anywhere.execute(
        f"SELECT replication FROM system_schema.keyspaces WHERE keyspace_name='{settings.keyspace}'"
    )
    assert rows[0].replication["class"].endswith("NetworkTopologyStrategy")
    assert rows[0].replication["datacenter1"] == "1"

    assert migrate(settings, folder=folder) == ()
    (folder / "0002_more.cql").write_text("ALTER TABLE one ADD IF NOT EXISTS note text;")
    assert migrate(settings, folder=folder) == ("0002_more",)
    anywhere.execute(f"SELECT note FROM {settings.keyspace}.one")

    lease = anywhere.execute(f"SELECT owner FROM {settings.keyspace}.migration_lease")
    assert lease == []
    done = anywhere.execute(f"SELECT name, done_by, done_at FROM {settings.keyspace}.migrations")
    assert {row.name for row in done} == {"0001_one", "0002_more"}
    assert all(row.done_at and "process" in row.done_by for row in done)


def test_the_real_schema_is_applied(database: Database, keyspace: Cassandra) -> None:
    check_schema(database, keyspace)
    assert {"samples", "journal", "models"} <= _tables(database, keyspace.keyspace)
    kept = {row.name: row.value for row in database.execute("SELECT name, value FROM layout")}
    assert kept == LAYOUT


def test_concurrent_processes_apply_each_migration_once(
    settings: Cassandra, folder: Path, anywhere: Database
) -> None:
    many = ";\n".join(f"CREATE TABLE t{n} (id int PRIMARY KEY)" for n in range(10))
    (folder / "0002_many.cql").write_text(many)
    command = [sys.executable, "-c", MIGRATE, settings.model_dump_json(), str(folder)]
    both = [
        subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    # Each migration was applied by exactly one of them.
    assert sorted(" ".join(out.decode() for out, _ in said).split()) == ["0001_one", "0002_many"]
    assert {f"t{n}" for n in range(10)} <= _tables(anywhere, settings.keyspace)


def test_changed_migration_file_is_refused(settings: Cassandra, folder: Path) -> None:
    migrate(settings, folder=folder)
    (folder / "0001_one.cql").write_text("// only the comment\n" + ONE.replace("\n", "\n\n"))
    assert migrate(settings, folder=folder) == ()  # the same statements
    (folder / "0001_one.cql").write_text(ONE.replace("id int", "id bigint"))
    with pytest.raises(BadMigration, match=r"0001_one\.cql was changed after it was applied"):
        migrate(settings, folder=folder)


def test_interrupted_migration_is_finished_by_the_next_run(
    settings: Cassandra, folder: Path, anywhere: Database
) -> None:
    file = folder / "0001_one.cql"
    file.write_text(ONE + "CREATE TABLE three (id int PRIMARY KEY, what frozen<later>);")
    with pytest.raises(BadMigration, match=r"0001_one\.cql: .* refuses `CREATE .*three.*later"):
        migrate(settings, folder=folder)
    assert {"one", "two"} <= _tables(anywhere, settings.keyspace)
    assert anywhere.execute(f"SELECT owner FROM {settings.keyspace}.migration_lease") == []

    anywhere.execute(f"CREATE TYPE {settings.keyspace}.later (n int)")
    assert migrate(settings, folder=folder) == ("0001_one",)  # existing tables are no obstacle
    assert "three" in _tables(anywhere, settings.keyspace)


def test_file_changed_after_an_interrupted_migration_is_refused(
    settings: Cassandra, folder: Path
) -> None:
    broken = ONE + "CREATE TABLE three (id nothing PRIMARY KEY);"
    (folder / "0001_one.cql").write_text(broken)
    with pytest.raises(BadMigration, match="refuses"):
        migrate(settings, folder=folder)
    (folder / "0001_one.cql").write_text(ONE)
    with pytest.raises(BadMigration, match="was begun"):
        migrate(settings, folder=folder)


def test_migration_lease_of_a_dead_process_expires(settings: Cassandra, folder: Path) -> None:
    migrate(settings, folder=folder)
    (folder / "0002_more.cql").write_text("CREATE TABLE more (id int PRIMARY KEY);")
    command = [sys.executable, "-c", TAKE_THE_LEASE_AND_DIE, settings.model_dump_json()]
    died = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert died.returncode == 9, died.stderr
    with pytest.raises(LeaseHeld, match=r"process \d+ .* has held the lease `migrate`"):
        migrate(settings, folder=folder, timeout_s=0)
    assert migrate(settings, folder=folder, timeout_s=60) == ("0002_more",)


def test_renewing_an_expired_lease_is_refused(settings: Cassandra, folder: Path) -> None:
    migrate(settings, folder=folder)
    connection = connect(settings, keyspace=settings.keyspace)
    slow = MigrationLease(connection, ttl_s=1)
    slow.take(timeout_s=0)
    time.sleep(1.5)
    quick = MigrationLease(connection, ttl_s=30)
    quick.take(timeout_s=0)
    with pytest.raises(LeaseHeld, match="ran out"):
        slow.renew()
    slow.release()  # must not take it from the new holder
    with pytest.raises(LeaseHeld, match=quick.owner.split(" (")[0]):
        MigrationLease(connection, ttl_s=1).take(timeout_s=0)
    quick.release()
    connection.close()


def test_renewed_lease_outlives_its_first_ttl(settings: Cassandra, folder: Path) -> None:
    migrate(settings, folder=folder)
    connection = connect(settings, keyspace=settings.keyspace)
    lease = MigrationLease(connection, ttl_s=4)
    lease.take(timeout_s=0)
    for _ in range(4):
        time.sleep(1.2)
        lease.renew()
    with pytest.raises(LeaseHeld):
        MigrationLease(connection, ttl_s=1).take(timeout_s=0)
    connection.close()


def test_different_layout_is_refused(settings: Cassandra, folder: Path) -> None:
    migrate(settings, folder=folder, layout={"shards": "64"})
    with pytest.raises(SchemaMismatch, match="shaped with shards = 64, this code uses 32"):
        migrate(settings, folder=folder, layout={"shards": "32"})


def test_different_replication_is_refused(settings: Cassandra, folder: Path) -> None:
    migrate(settings, folder=folder)
    three = settings.model_copy(update={"replication": 3})
    with pytest.raises(SchemaMismatch, match=r"conf\.yaml says 3 in datacenter1"):
        migrate(three, folder=folder)
    there = connect(three, keyspace=three.keyspace)
    try:  # a service does not start with it either
        with pytest.raises(SchemaMismatch, match=r"conf\.yaml says 3 in datacenter1"):
            check_schema(there, three, folder=folder)
    finally:
        there.close()


def test_schema_check_at_start_up_changes_nothing(
    settings: Cassandra, folder: Path, anywhere: Database
) -> None:
    with pytest.raises(SchemaMismatch, match="not set up"):
        check_schema(anywhere, settings, folder=folder)
    assert _tables(anywhere, settings.keyspace) == set()
    migrate(settings, folder=folder)
    connection = connect(settings, keyspace=settings.keyspace)
    check_schema(connection, settings, folder=folder)
    with pytest.raises(SchemaMismatch, match="shards = 64"):
        check_schema(connection, settings, folder=folder, layout={"shards": "1"})
    (folder / "0002_more.cql").write_text("CREATE TABLE more (id int PRIMARY KEY);")
    with pytest.raises(SchemaMismatch, match="lacks 0002_more"):
        check_schema(connection, settings, folder=folder)
    connection.close()


def test_code_accepts_a_schema_one_migration_ahead_but_not_two(
    settings: Cassandra, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    older = tmp_path_factory.mktemp("older")
    (older / "0001_one.cql").write_text(ONE)
    (folder / "0002_more.cql").write_text("CREATE TABLE more (id int PRIMARY KEY);")
    migrate(settings, folder=folder)
    assert migrate(settings, folder=older) == ()
    (folder / "0003_most.cql").write_text("CREATE TABLE most (id int PRIMARY KEY);")
    migrate(settings, folder=folder)
    with pytest.raises(SchemaMismatch, match="later release: 0002_more, 0003_most"):
        migrate(settings, folder=older)


def test_schema_disagreement_between_nodes_is_an_error(
    settings: Cassandra, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "schema_agreed", lambda database, timeout_s: False)
    with pytest.raises(DatabaseUnavailable, match="do not agree on the schema"):
        migrate(settings, folder=folder)


def test_node_that_is_down_does_not_hold_up_migrations(
    fresh_node: EmbeddedNode, folder: Path
) -> None:
    """The others remember the schema that it had when it went down."""
    with quick_tables():
        fresh_node.start()
    connection = connect(fresh_node.config, keyspace=None)
    connection.execute(
        "INSERT INTO system.peers_v2 (peer, peer_port, host_id, data_center, rack, native_address, "
        "native_port, release_version, schema_version, tokens) "
        "VALUES (?, ?, ?, ?, 'rack1', ?, ?, '5.0.9', ?, {'1'})",
        (
            *("127.0.0.9", fresh_node.config.storage_port, uuid.uuid4(), "datacenter1"),
            *("127.0.0.9", fresh_node.config.port, uuid.uuid4()),
        ),
    )
    connection.close()
    assert migrate(fresh_node.config, folder=folder) == ("0001_one",)
