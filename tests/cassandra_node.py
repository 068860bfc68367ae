"""A real Cassandra node for the whole test run, on free ports, in its own folder."""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest

from schemas.config import Cassandra, Limits, Paths
from schemas.config_file import load_config
from schemas.errors import DatabaseUnavailable
from store.changes import Changes
from store.connection import connect
from store.database import Database
from store.java import quick_java
from store.migrate import migrate
from store.node.process import EmbeddedNode
from store.records import Records, records_in
from store.rows import Row
from tests.ports import free_ports
from tests.store.memory import memory_records

CHECKOUT = Path(__file__).parents[1]
# Two processes share the node: one has Spark, the other its remaining users.
ON_NODE = pytest.mark.xdist_group("node")  # for tests that take `node` by name; others get it
ON_SPARK = pytest.mark.xdist_group("spark")
# The first test of a process waits for the node, its tables and Spark, and a fixture that the limit
# of pyproject.toml interrupts is not tried again: all that need it would fail.
_STARTS_MUCH = pytest.mark.timeout(900)
# Without flushes of system tables. A truncation would hold their lock during its flush, which waits
# for the gossiper's lock if a new kind of file appears; a change of the schema takes the two the
# other way round. The node then hangs for good (Cassandra 5.0.9).
_QUICK_TABLES = "-Dcassandra.test.flush_local_schema_changes=false -Dcassandra.unsafesystem=true"
_KILL = 'pid=$(sed -n \'s/.*"pid": *\\([0-9]*\\).*/\\1/p\' "$1") && kill -9 $pid'
# Waits until the test process is gone, in whatever way, and ends the node of a folder, which goes
# as well: it may be in memory.
_LAST_WILL = f'read -r _; {_KILL}; rm -rf "$2"'
# The same for the process that started the test processes.
_LAST_WILL_OF_RUN = (
    f'(while kill -0 "$2" 2>/dev/null; do sleep 1; done; {_KILL}; rm -rf "$3") >/dev/null 2>&1 &'
)


_IN_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 << 30  # the shared node needs less than 1 GiB; Java and Spark need the rest
_LOGS: dict[int, Path] = {}  # port of the node that all tests share -> its log


@contextlib.contextmanager
def explained_by_log(settings: Cassandra) -> Generator[None]:
    """Add the end of the shared node's log to the error that it does not answer."""
    try:
        yield
    except DatabaseUnavailable as problem:
        log = _LOGS.get(settings.port)
        if log is not None and log.exists():
            lines = log.read_text(errors="replace").splitlines()[-40:]
            problem.add_note("\n".join([f"The end of {log}:", *lines]))
        raise


def rows_read(patch: pytest.MonkeyPatch, database: Database) -> list[Row]:
    """Each row that this connection's `run` returns from now on, in order.

    Only of this connection: a service of other tests may sweep in the same process.
    """
    read: list[Row] = []
    run = database.run

    async def noted(cql: str, values: Sequence[object] = ()) -> list[Row]:
        rows = await run(cql, values)
        read.extend(rows)
        return rows

    patch.setattr(database, "run", noted)
    return read


def payloads_read(patch: pytest.MonkeyPatch, database: Database) -> list[Any]:
    """The payload of each row that this connection's `run` returns from now on, as `rows_read`."""
    read: list[Any] = []
    run = database.run

    async def noted(cql: str, values: Sequence[object] = ()) -> list[Row]:
        rows = await run(cql, values)
        read.extend(row.payload for row in rows if "payload" in getattr(row, "_fields", ()))
        return rows

    patch.setattr(database, "run", noted)
    return read


def announce_only(patch: pytest.MonkeyPatch, *user_ids: UUID) -> None:
    """Let only changes of these users be found from now on: a sweep of all tests' takes long."""
    since = Changes.since

    async def of_these(changes: Changes, first: datetime, until: datetime) -> dict[UUID, Any]:
        found = await since(changes, first, until)
        return {user_id: topics for user_id, topics in found.items() if user_id in user_ids}

    patch.setattr(Changes, "since", of_these)


def node_settings(data: Path) -> tuple[Cassandra, Paths]:
    """Settings of a separate node: its folder, free ports, little memory, the user's jars."""
    port, storage_port, jmx_port = free_ports(3)
    settings = Cassandra(port=port, storage_port=storage_port, jmx_port=jmx_port, heap_mb=512)
    paths = load_config(CHECKOUT / "conf.yaml").paths
    return settings, paths.model_copy(update={"data": data})


def _fits() -> bool:
    """Whether a node can live in memory: there is room, and it may load its native code there."""
    if not os.access(_IN_MEMORY, os.W_OK) or os.statvfs(_IN_MEMORY).f_flag & os.ST_NOEXEC:
        return False
    free = shutil.disk_usage(_IN_MEMORY).free
    return min(free, psutil.virtual_memory().available) >= _ROOM_BYTES


def _quick_node(usual: Path) -> EmbeddedNode:
    """The node that all tests share, not started yet. Most tests do nothing but wait for it.

    It survives no power failure and need not: tests that kill a node start one as users do. Its
    folder is in memory where that has room, and the usual one elsewhere. A conditional write takes
    12 ms so instead of 34, a truncation 25 ms instead of 150.
    """
    data = Path(tempfile.mkdtemp(prefix="muvr-tests-", dir=_IN_MEMORY)) if _fits() else usual
    settings, paths = node_settings(data)
    return EmbeddedNode(settings.model_copy(update={"commitlog_window_ms": 1}), paths)


@contextlib.contextmanager
def own_node(data: Path) -> Generator[EmbeddedNode]:
    """A node that is not started yet; it is removed completely afterwards."""
    with _removed(EmbeddedNode(*node_settings(data))) as node:
        yield node


@contextlib.contextmanager
def _removed(node: EmbeddedNode) -> Generator[EmbeddedNode]:
    with _heir(node):
        try:
            yield node
        finally:
            node.kill()
            shutil.rmtree(node.paths.data, ignore_errors=True)


@contextlib.contextmanager
def _heir(node: EmbeddedNode) -> Generator[None]:
    """A watchdog that kills the node if this process is killed: a node is not its child.
    The pipe closes when this process ends; after a normal end the node's record is gone."""
    command = ["/bin/sh", "-c", _LAST_WILL, "sh", str(node.folders.record), str(node.paths.data)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ):
        yield  # leaving closes the pipe and waits


@contextlib.contextmanager
def quick_tables() -> Generator[None]:
    """Nodes started meanwhile make a table in 0.03 s instead of 0.2 s.

    Not for a node that is killed and started again: without an orderly end it would not find its
    tables.
    """
    with pytest.MonkeyPatch.context() as environment:
        quick = f"{os.environ['JDK_JAVA_OPTIONS']} {_QUICK_TABLES}"
        environment.setenv("JDK_JAVA_OPTIONS", quick)
        yield


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNode]:
    """The running node that all tests share. Tests that stop or kill a node use `fresh_node`."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = _node_of_run(tmp_path_factory.getbasetemp().parent)
        _LOGS[shared.config.port] = shared.folders.log
        yield shared
        return
    with _removed(_quick_node(tmp_path_factory.mktemp("cassandra"))) as shared:
        with quick_tables():
            shared.start()
        _LOGS[shared.config.port] = shared.folders.log
        yield shared


def _node_of_run(folder: Path) -> EmbeddedNode:
    """The node of all processes of a run: the first one that needs it starts it.

    It ends with the process that started them, whichever of them end before.
    """
    settings = folder / "cassandra.json"
    with (folder / "cassandra.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the others wait until it runs
        if settings.exists():
            config, paths = json.loads(settings.read_text())
            return EmbeddedNode(Cassandra.model_validate(config), Paths.model_validate(paths))
        node = _quick_node(folder / "cassandra")
        last_will = [_LAST_WILL_OF_RUN, "sh", str(node.folders.record), str(os.getppid())]
        command = ["/bin/sh", "-c", *last_will, str(node.paths.data)]
        subprocess.run(command, stdin=subprocess.DEVNULL, start_new_session=True, check=True)
        with quick_tables():
            node.start()
        made = [each.model_dump(mode="json") for each in (node.config, node.paths)]
        settings.write_text(json.dumps(made))
        return node


@pytest.fixture
def fresh_node(tmp_path: Path) -> Iterator[EmbeddedNode]:
    """A node for a single test, not started yet."""
    with own_node(tmp_path / "node") as own:
        yield own


@pytest.fixture(scope="session")
def keyspace(node: EmbeddedNode) -> Cassandra:
    """Settings of the shared, migrated keyspace. Tests are isolated by random ids."""
    slow = {"keyspace": "muvr_test", "request_timeout_s": 60.0}  # a busy machine: 10 s are little
    settings = node.config.model_copy(update=slow)
    migrate(settings)
    return settings


@pytest.fixture(scope="session")
def database(keyspace: Cassandra) -> Iterator[Database]:
    """A connection to the shared keyspace."""
    connection = connect(keyspace, keyspace=keyspace.keyspace)
    yield connection
    connection.close()


@pytest.fixture(params=["memory", pytest.param("cassandra", marks=ON_NODE)])
def records(request: pytest.FixtureRequest) -> Records:
    """The repositories of recorded data: in memory, and in the shared keyspace."""
    if request.param == "memory":
        return memory_records()
    return records_in(request.getfixturevalue("database"), Limits())


def pytest_configure(config: pytest.Config) -> None:
    """Use quick Java: its processes are too short-lived for the second compiler to pay off.

    A run that is asked to end (`timeout`, a CI that gives up) ends as after Ctrl-C: fixtures stop
    what they started.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = contextlib.ExitStack()
    run.enter_context(quick_java())
    config.add_cleanup(run.close)


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests that need Spark in one process, and others that need the node in one.

    They have more time than others, unless they say how much themselves.
    """
    for item in items:
        names = getattr(item, "fixturenames", ())
        if "spark_config" in names:
            item.add_marker(ON_SPARK)
        elif "node" in names:
            item.add_marker(ON_NODE)
        starts = item.get_closest_marker("xdist_group") or "fresh_node" in names
        if starts and not item.get_closest_marker("timeout"):
            item.add_marker(_STARTS_MUCH)
