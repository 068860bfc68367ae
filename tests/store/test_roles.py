"""Cassandra's roles on a node with authentication: each may do its work, and nothing else."""

import asyncio
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import psutil
import pytest

from ingest.erasure import erase_user
from ingest.sweeper import sweep
from muvr.context import CommandContext
from muvr.terminal import Terminal
from muvr.up import Started, start_all
from pipelines.lifecycle.recent import recent_inputs
from schemas.config import Cassandra, Config
from schemas.errors import BadConfig, NodeFailed, RoleRefused
from schemas.times import us_of
from schemas.topics import Topic
from store.champions import Champions
from store.changes import Changes
from store.connection import connect
from store.cql import read_migrations
from store.credentials import credentials_of, open_as, password_file
from store.database import Database
from store.durability import durability_of
from store.job_leases import JobLeases
from store.jobs import JobRuns
from store.logins import Logins
from store.migrate import FOLDER, check_schema
from store.models import ModelKey, Models, StoredModel
from store.node import jmx
from store.node.files import cassandra_yaml
from store.node.process import EmbeddedNode
from store.node.snapshot import _nodetool
from store.pointers import Challenger
from store.records import records_in
from store.roles import TABLES, grants, sync_grants
from store.users import User, Users
from store.watermarks import Watermarks
from tests.cassandra_node import own_node, quick_tables
from tests.ingest.histories import LIMITS

# one process starts the node, which takes long when both do something else
pytestmark = [pytest.mark.xdist_group("roles"), pytest.mark.timeout(900)]

NOW = datetime(2026, 11, 21, tzinfo=UTC)
NAMES = {
    "username": "muvr_service",
    "spark_username": "muvr_spark",
    "migrations_username": "muvr_migrations",
}

CREATED_TABLE = re.compile(r"^CREATE\s+TABLE\s+IF\s+NOT\s+EXISTS\s+(\w+)", re.IGNORECASE)


def test_every_table_has_role_permissions() -> None:
    statements = [text for migration in read_migrations(FOLDER) for text in migration.statements]
    made = {table[1] for text in statements if (table := CREATED_TABLE.match(text))}
    assert made | {"migrations", "layout", "migration_lease"} == TABLES.keys()


def test_grants_are_minimal() -> None:
    rights = {
        (grant.role, grant.permission, grant.resource) for grant in grants(Cassandra(**NAMES))
    }
    of_service = {(p, r) for name, p, r in rights if name == "muvr_service"}
    of_spark = {(p, r) for name, p, r in rights if name == "muvr_spark"}
    assert {p for p, _ in of_service | of_spark} == {"SELECT", "MODIFY"}
    assert not [r for _, r in of_spark if r.endswith((".users", ".logins"))], "no password hash"
    assert ("MODIFY", "TABLE muvr.journal") not in of_spark
    assert ("MODIFY", "TABLE muvr.job_runs") not in of_service


def test_password_from_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = Config(cassandra=Cassandra(**NAMES))
    config = config.model_copy(
        update={"paths": config.paths.model_copy(update={"secrets": tmp_path})}
    )
    with pytest.raises(BadConfig, match="MUVR_CASSANDRA_PASSWORD_SPARK"):
        credentials_of(config, "spark", {})
    password_file(tmp_path, "spark").write_text("from the file\n")
    assert credentials_of(config, "spark", {}) == ("muvr_spark", "from the file")
    known = {"MUVR_CASSANDRA_PASSWORD_SPARK": "from outside"}
    assert credentials_of(config, "spark", known) == ("muvr_spark", "from outside")
    assert credentials_of(Config(), "spark", {}) is None, "nobody asks"


@dataclass
class Guarded:
    """A node with password authentication and its three roles."""

    context: CommandContext

    def opened(self, role: str) -> Database:
        return open_as(self.context.config, role)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    with own_node(folder / "node") as plain:
        cassandra = plain.config.model_copy(update=NAMES)
        paths = plain.paths.model_copy(update={"secrets": folder / "secrets"})
        config = Config(cassandra=cassandra, paths=paths)
        context = CommandContext(config, folder / "conf.yaml", Terminal(as_json=True))
        with quick_tables():
            context.node.start()
        context.migrate(with_roles=True)
        yield Guarded(context)


@pytest.fixture(scope="module", params=["service", "spark", "migrations"])
def role(request: pytest.FixtureRequest) -> str:
    return request.param


def refused(database: Database, cql: str) -> bool:
    try:
        database.execute(cql)
    except RoleRefused:
        return True
    return False


def test_the_node_is_managed_with_a_password_only(guarded: Guarded) -> None:
    """JMX could otherwise read and change all that the roles protect, from any local account."""
    node = guarded.context.node
    _nodetool(node, "statusbinary")
    secret = jmx.jmx_password_file(node.paths.secrets)
    for path in (secret, jmx.server_file(node.folders)):
        assert path.stat().st_mode & 0o777 == 0o600
    _, password = secret.read_text().split()
    assert password not in " ".join(psutil.Process(node.status().pid).cmdline())
    nowhere = node.paths.model_copy(update={"secrets": node.folders.tmp / "nowhere"})
    with pytest.raises(NodeFailed, match="Credentials required.*nowhere.*`muvr down`"):
        _nodetool(EmbeddedNode(node.config, nowhere), "statusbinary")


def test_missing_default_and_wrong_passwords_are_refused(guarded: Guarded) -> None:
    config = guarded.context.config
    for credentials in (None, ("cassandra", "cassandra"), ("muvr_service", "guessed")):
        with pytest.raises(RoleRefused, match="password"):
            connect(config.cassandra, keyspace=None, credentials=credentials)


def test_only_the_migrations_role_may_change_tables(guarded: Guarded, role: str) -> None:
    database = guarded.opened(role)
    statements = [
        "ALTER TABLE users ADD pet text",
        "CREATE TABLE mine (a int PRIMARY KEY)",
        "DROP TABLE IF EXISTS mine",
        "TRUNCATE dead_letters",
    ]
    denied = [refused(database, cql) for cql in statements]
    everybody = [
        "CREATE ROLE friend WITH LOGIN = true",
        "ALTER ROLE cassandra WITH PASSWORD = 'known'",
        "GRANT SELECT ON ALL KEYSPACES TO muvr_spark",
        "SELECT * FROM system_auth.roles",
        "CREATE KEYSPACE elsewhere WITH replication = {'class': 'SimpleStrategy', "
        "'replication_factor': 1}",
    ]
    assert all(refused(database, cql) for cql in everybody)
    database.close()
    if role == "migrations":
        assert not any(denied)
    else:
        assert denied[:3] == [True, True, True]
        assert denied[3] == (role == "spark")


def test_service_role_can_do_its_work_and_read_only_its_tables(guarded: Guarded) -> None:
    database = guarded.opened("service")
    settings = guarded.context.config.cassandra
    check_schema(database, settings)
    assert durability_of(database, settings).holds
    user = User(uuid.uuid4(), f"anna-{uuid.uuid4().hex[:6]}", "hash", frozenset({"predict"}), NOW)

    async def work() -> None:
        await Users(database).register(user)
        assert await Logins(database).of_user(user.user_id) == []
        assert await JobRuns(database).newest("rank") == []
        await erase_user(database, user.user_id, NOW)
        assert await sweep(records_in(database, LIMITS), NOW, NOW, database=database) == ()
        assert await Watermarks(database).advance("sweep", user.user_id, NOW, NOW)

    asyncio.run(work())
    for table, may in TABLES.items():
        assert refused(database, f"SELECT * FROM {table} LIMIT 1") == (not may.service), table
    assert refused(database, "INSERT INTO job_runs (family, run_id) VALUES ('rank', uuid())")
    database.close()


def test_spark_role_can_do_its_work_and_read_only_its_tables(guarded: Guarded) -> None:
    database = guarded.opened("spark")
    run_id, owner = uuid.uuid4(), f"u:{uuid.uuid4()}"
    model = StoredModel.of(ModelKey(owner, "wrist-acc6", "exercise"), b"x", {}, run_id, NOW)

    async def work() -> None:
        await JobLeases(database).acquire("rank", run_id, "test", NOW, 60)
        await JobRuns(database).start("rank", run_id, {}, NOW)
        await Models(database).put(model)
        await Champions(database).promote(Challenger.of(model), None, NOW)
        assert await Champions(database).serving(model.key) is not None
        await Watermarks(database).advance("rank", run_id, NOW, NOW)
        await JobLeases(database).release("rank", run_id)

    asyncio.run(work())
    service = guarded.opened("service")
    asyncio.run(Changes(service).announce(uuid.uuid4(), "registered", us_of(NOW)))
    service.close()
    assert recent_inputs(database, get_args(Topic), NOW)
    for table, may in TABLES.items():
        assert refused(database, f"SELECT * FROM {table} LIMIT 1") == (not may.spark), table
    for table in ("journal", "samples", "sets", "users", "withdrawn_runs"):
        assert refused(database, f"TRUNCATE {table}"), table
    assert refused(database, "DELETE FROM usernames WHERE username = 'anna'")
    database.close()


def test_making_roles_warns_of_logins_that_one_node_alone_keeps(
    guarded: Guarded, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muvr.context.login_warning", lambda database, settings: "One copy only.")
    replace(guarded.context, terminal=Terminal(as_json=True)).migrate(with_roles=True)
    assert "note: One copy only." in capsys.readouterr().err


def test_migration_without_new_tables_repairs_missing_grants(guarded: Guarded) -> None:
    """A run that was killed after its last migration has left tables without grants."""
    with guarded.context.database("admin") as admin:
        admin.execute("REVOKE SELECT ON muvr.sets FROM muvr_spark")
        assert guarded.context.migrate() == ()
        assert sync_grants(admin, guarded.context.config.cassandra) == 0


def test_roles_that_are_named_while_the_node_runs_are_refused(guarded: Guarded) -> None:
    guarded.context.node.require_roles()
    settings = guarded.context.node.folders.conf / "cassandra.yaml"
    kept = settings.read_text()
    settings.write_text(cassandra_yaml(Cassandra(), guarded.context.node.folders.root))
    try:
        with pytest.raises(NodeFailed, match="without roles.*`muvr down`"):
            start_all(guarded.context, Started())
    finally:
        settings.write_text(kept)


def test_sync_grants_revokes_excess_rights_and_grants_missing_ones(guarded: Guarded) -> None:
    settings = guarded.context.config.cassandra
    with guarded.context.database("admin") as admin:
        assert sync_grants(admin, settings) == 0, "everything is as it must be"
        admin.execute("GRANT MODIFY ON muvr.journal TO muvr_spark")
        admin.execute("REVOKE SELECT ON muvr.sets FROM muvr_spark")
        assert sync_grants(admin, settings) == 2
        assert sync_grants(admin, settings) == 0


def test_sync_grants_leaves_rights_on_keyspaces_named_alike(guarded: Guarded) -> None:
    """A second Muvr in the same cluster, with the same roles."""
    settings = guarded.context.config.cassandra
    keyspace = f"{settings.keyspace}_staging"
    with guarded.context.database("admin") as admin:
        admin.execute(
            f"CREATE KEYSPACE {keyspace} WITH replication = "
            "{'class': 'SimpleStrategy', 'replication_factor': 1}"
        )
        admin.execute(f"CREATE TABLE {keyspace}.muvr (id int PRIMARY KEY)")
        admin.execute(f"GRANT ALTER ON KEYSPACE {keyspace} TO muvr_migrations")
        admin.execute(f"GRANT MODIFY ON {keyspace}.muvr TO muvr_spark")
        assert sync_grants(admin, settings) == 0
        rights = admin.execute("LIST ALL PERMISSIONS OF muvr_spark NORECURSIVE")
        assert f"<table {keyspace}.muvr>" in {row.resource for row in rights}
