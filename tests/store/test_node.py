"""The embedded node: start, stop, recovery after a kill, and failures to start."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from schemas.config import Cassandra
from schemas.errors import DiskFull, FolderInUse, NodeFailed, PortBusy
from store.connection import connect
from store.node import owner, preflight, process
from store.node.failure import explain_failure
from store.node.files import cassandra_yaml
from store.node.folders import Folders
from store.node.process import EmbeddedNode
from store.processes import is_running
from tests.cassandra_node import CHECKOUT
from tests.ports import free_ports

START = """
import sys
from pathlib import Path
from schemas.config import Cassandra, Paths
from store.node.process import EmbeddedNode
settings, paths = sys.argv[1:]
EmbeddedNode(Cassandra.model_validate_json(settings), Paths.model_validate_json(paths)).start()
"""


def _start_elsewhere(node: EmbeddedNode) -> subprocess.CompletedProcess[str]:
    """Start the node from another process, which ends when the node is ready."""
    settings = [node.config.model_dump_json(), node.paths.model_dump_json()]
    command = [sys.executable, "-c", START, *settings]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def _write(node: EmbeddedNode, numbers: range) -> None:
    connection = connect(node.config, keyspace=None)
    connection.execute(
        "CREATE KEYSPACE IF NOT EXISTS life WITH replication = "
        "{'class': 'NetworkTopologyStrategy', 'datacenter1': 1}"
    )
    connection.execute("CREATE TABLE IF NOT EXISTS life.written (number int PRIMARY KEY)")
    for number in numbers:
        connection.execute("INSERT INTO life.written (number) VALUES (?)", (number,))
    connection.close()


def _read(node: EmbeddedNode) -> set[int]:
    connection = connect(node.config, keyspace=None)
    rows = connection.execute("SELECT number FROM life.written")
    connection.close()
    return {row.number for row in rows}


@pytest.mark.timeout(900)  # starts it three times
def test_node_keeps_written_rows_over_kill_stop_and_restart(fresh_node: EmbeddedNode) -> None:
    before = fresh_node.status()
    assert (before.running, before.ready, before.pid, before.failure) == (False, False, None, None)

    started = _start_elsewhere(fresh_node)
    assert started.returncode == 0, started.stderr
    status = fresh_node.status()  # the starting process has ended by now
    assert status.running
    assert status.ready
    assert (status.port, status.version) == (fresh_node.config.port, "5.0.9")
    assert status.pid is not None
    assert psutil.Process(status.pid).ppid() == 1
    assert status.rss_mb is not None
    assert 300 < status.rss_mb < 2000
    assert _listening_addresses(status.pid) == {"127.0.0.1"}

    with pytest.raises(FolderInUse, match=f"node {status.pid} on port {status.port}"):
        fresh_node.start()
    assert fresh_node.status().ready

    _write(fresh_node, range(100))
    fresh_node.kill()  # at once: only the commit log has the rows
    assert not is_running(status.pid)
    assert not fresh_node.status().running

    fresh_node.start()
    assert _read(fresh_node) == set(range(100))
    _write(fresh_node, range(100, 120))
    fresh_node.folders.record.unlink()  # as if the starting process had been killed before
    assert fresh_node.stop()
    assert "Cassandra shutdown complete" in fresh_node.folders.log.read_text()
    ended = fresh_node.status()
    assert (ended.running, ended.failure) == (False, None)
    assert fresh_node.stop()  # stopping a stopped node is no failure

    fresh_node.start()
    assert _read(fresh_node) == set(range(120))
    _kill_from_outside(fresh_node)
    killed = fresh_node.status()
    assert not killed.running
    assert killed.failure is not None
    assert "Cassandra was killed" in killed.failure


def _kill_from_outside(node: EmbeddedNode) -> None:
    pid = node.status().pid
    assert pid is not None
    psutil.Process(pid).kill()
    deadline_s = time.monotonic() + 10
    while node.status().running and time.monotonic() < deadline_s:
        time.sleep(0.05)


def _listening_addresses(pid: int) -> set[str]:
    found = psutil.Process(pid).net_connections("tcp")
    return {one.laddr[0] for one in found if one.status == psutil.CONN_LISTEN}


@pytest.mark.parametrize("setting", ["port", "storage_port", "jmx_port"])
def test_busy_port_is_refused_with_its_setting(fresh_node: EmbeddedNode, setting: str) -> None:
    port = getattr(fresh_node.config, setting)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        with pytest.raises(PortBusy, match=rf"Port {port} \(cassandra\.{setting}\) is in use"):
            fresh_node.start()
    assert not fresh_node.status().running


def test_port_taken_after_the_check_is_found_in_the_log(
    fresh_node: EmbeddedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "check_ports", lambda config: None)
    port = fresh_node.config.port
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        with pytest.raises(PortBusy, match=rf"Port {port} \(cassandra\.port\)"):
            fresh_node.start()
    assert not fresh_node.status().running


def test_node_with_too_large_a_heap_names_the_setting(fresh_node: EmbeddedNode) -> None:
    greedy = fresh_node.config.model_copy(update={"heap_mb": 64_000_000})
    node = EmbeddedNode(greedy, fresh_node.paths)
    with pytest.raises(NodeFailed, match=r"cassandra\.heap_mb = 64000000"):
        node.start()
    assert not node.status().running


def test_node_not_ready_in_time_is_stopped(fresh_node: EmbeddedNode) -> None:
    with pytest.raises(NodeFailed, match="not ready within 0 s"):
        fresh_node.start(within_s=0.2)
    assert not fresh_node.status().running


def test_start_interrupted_before_the_record_is_written_leaves_no_process(
    fresh_node: EmbeddedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[int] = []

    def interrupted(folders: Folders, record: owner.NodeRecord) -> None:
        launched.append(record.pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(process, "write_record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fresh_node.start()
    assert not fresh_node.status().running
    [pid] = launched
    assert not is_running(pid)


def test_too_little_disk_is_refused_before_the_start(tmp_path: Path) -> None:
    preflight.check_disk(tmp_path)
    with pytest.raises(DiskFull, match=r"MiB are free .* needs 1000000000000 MiB"):
        preflight.check_disk(tmp_path, needed_mib=10**12)


def test_full_disk_is_found_in_the_log(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.log.parent.mkdir()
    folders.log.write_text(
        "2026-01-01 00:00:00 ERROR o.a.c.u.JVMStabilityInspector - Exiting due to error\n"
        "java.io.IOException: No space left on device\n"
    )
    assert isinstance(explain_failure(folders, Cassandra()), DiskFull)


@pytest.mark.parametrize(
    ("last", "is_killed"),
    [
        ("INFO  x - Completed flushing", True),
        ("INFO  x.Gossiper - Announcing shutdown", False),
        ("ERROR x - Bad key", False),
    ],
)
def test_a_log_that_ends_in_the_midst_is_of_a_node_that_was_killed(
    tmp_path: Path, last: str, *, is_killed: bool
) -> None:
    folders = Folders(tmp_path)
    folders.log.parent.mkdir()
    folders.log.write_text("INFO  x - Starting listening for CQL clients\n" * 9 + last + "\n")
    sentence = str(explain_failure(folders, Cassandra(heap_mb=500)))
    assert ("was killed" in sentence) == is_killed
    assert ("cassandra.heap_mb (500)" in sentence) == is_killed
    assert ("dmesg" in sentence) == is_killed
    slow = explain_failure(folders, Cassandra(), is_running=True)
    assert "was killed" not in str(slow)


def test_failure_message_holds_the_error_and_its_cause(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    folders.log.parent.mkdir()
    folders.log.write_text(
        "INFO  x - Loading settings\n"
        "ERROR o.a.c.service.CassandraDaemon - Exception encountered during startup\n"
        "\tat a.b.c\n"
        "Caused by: java.lang.IllegalStateException: the reason\n"
    )
    sentence = str(explain_failure(folders, Cassandra()))
    assert "Exception encountered during startup | Caused by: java.lang" in sentence
    assert "the reason" in sentence
    assert "Loading settings" not in sentence


def test_cassandra_yaml_follows_the_configuration(tmp_path: Path) -> None:
    config = Cassandra(port=1234, storage_port=1235, commitlog_window_ms=7, request_timeout_s=5)
    written = yaml.safe_load(cassandra_yaml(config, tmp_path))
    assert written["native_transport_port"] == 1234
    assert written["storage_port"] == 1235
    assert (written["commitlog_sync"], written["commitlog_sync_group_window"]) == ("group", "7ms")
    assert written["write_request_timeout"] == "4000ms"
    assert written["data_file_directories"] == [str(tmp_path / "data")]


def test_commit_log_uses_direct_io_where_the_disk_allows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def way(folder: Path) -> object:
        return yaml.safe_load(cassandra_yaml(Cassandra(), folder))["commitlog_disk_access_mode"]

    assert way(tmp_path / "that is not there") == "mmap"
    monkeypatch.setattr("os.O_DIRECT", 0)  # now any disk accepts it
    assert way(tmp_path) == "direct"
    monkeypatch.delattr("os.O_DIRECT")  # as on macOS
    assert way(tmp_path) == "mmap"
    assert not list(tmp_path.iterdir())


def test_detached_process_has_timer_slack_and_its_output_is_kept(tmp_path: Path) -> None:
    console = tmp_path / "console"
    started = subprocess.run(
        ["/bin/sh", "-c", process._DETACH, "sh", console, "cat", "/proc/self/timerslack_ns"],
        stdout=subprocess.PIPE,
        check=True,
    )
    assert int(started.stdout) > 1
    until = time.monotonic() + 10
    while not console.read_text() and time.monotonic() < until:
        time.sleep(0.01)
    assert console.read_text() == f"{process._SLACK_NS}\n"


def test_responds_is_false_for_another_server() -> None:
    (port,) = free_ports(1)
    assert not process.responds(port)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        listener.listen()
        assert not process.responds(port, within_s=0.2)
