"""The pid file of the background service, also when it names another process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
import yaml

from muvr.context import CommandContext
from muvr.service import Service, ServiceFailed
from muvr.terminal import Terminal
from muvr.up import Started, start_all, up
from schemas.config import Api, Cassandra, Config, Paths
from schemas.config_file import load_config
from schemas.errors import NodeFailed
from schemas.progress import NoProgress
from store.node.owner import NodeRecord, acquire, write_record
from store.node.process import EmbeddedNode
from store.processes import is_running
from tests.json_server import json_server
from tests.patched_os import os_with
from tests.ports import free_ports
from tests.waiting import answer_when

CHECKOUT = Path(__file__).resolve().parents[2]
SLEEP = "import time; print(flush=True); time.sleep(60)"
HOLD = """
import sys, time
from pathlib import Path
from api.pid_file import held_pid_file
with held_pid_file(Path(sys.argv[1])):
    print(flush=True)
    time.sleep(60)
"""


@pytest.fixture
def service(tmp_path: Path) -> Service:
    config = load_config(CHECKOUT / "conf.yaml")
    paths = config.paths.model_copy(update={"run": tmp_path})
    return Service(config.model_copy(update={"paths": paths}), CHECKOUT / "conf.yaml")


@pytest.fixture
def of_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process belongs to another user and cannot be signalled."""

    def refuse(pid: int, how: int) -> None:
        raise PermissionError(f"{how} to {pid}: not yours")

    monkeypatch.setattr("muvr.service.os", os_with(kill=refuse))


@pytest.fixture
def other_service() -> Iterator[int]:
    """Another deployment's service: the same command line, no pid file here."""
    command = [sys.executable, "-c", SLEEP, "api.serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running.pid
        running.kill()


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[int]:
    """A process that holds the pid file as the service does."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "service.pid")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running.pid
        running.kill()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_url_of_the_service_leads_to_its_host_and_port(tmp_path: Path, host: str):
    url = httpx.URL(Service(Config(api=Api(host=host, port=8081)), tmp_path / "conf.yaml").url)
    assert (url.host, url.port) == (host, 8081)


def test_service_is_found_with_an_empty_path(
    service: Service, tmp_path: Path, recorded: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert service.status().pid == recorded


def test_service_is_not_another_deployments_with_a_reused_pid(
    service: Service, tmp_path: Path, other_service: int
):
    (tmp_path / "service.pid").write_text(str(other_service))  # as after a reboot
    assert not service.status().running
    assert service.stop() is False
    assert psutil.pid_exists(other_service)


def test_start_is_refused_where_something_else_answers(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(service, "_answers", lambda path: path == "/livez")
    with pytest.raises(ServiceFailed, match=r"already answers at .*api\.port"):
        service.start(NoProgress())


def test_service_that_runs_must_answer_at_the_configured_address(
    tmp_path: Path,
    recorded: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    [port] = free_ports(1)
    config = Config(api=Api(port=port), paths=Paths(run=tmp_path))
    monkeypatch.setattr("muvr.service.READY_WITHIN_S", 0.2)
    elsewhere = rf"process {recorded}\) runs, but does not answer at .*:{port}"
    with pytest.raises(ServiceFailed, match=elsewhere):
        Service(config, tmp_path / "conf.yaml").start(NoProgress())
    with json_server({"/livez": {}}) as answered:
        there = config.model_copy(update={"api": Api(port=answered)})
        Service(there, tmp_path / "conf.yaml").start(Terminal())
    assert capsys.readouterr() == ("", "")


# It was started as a process of its own, which outlives the command, and is stopped by its id.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_service_starts_in_a_folder_whose_packages_have_the_same_names(
    keyspace: Cassandra, strangers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    [port] = free_ports(1)
    there = {"contact_points": ["127.0.0.1"], "port": keyspace.port, "keyspace": keyspace.keyspace}
    conf = tmp_path / "conf.yaml"
    conf.write_text(yaml.safe_dump({"cassandra": there, "api": {"port": port}}))
    service = Service(load_config(conf), conf)
    monkeypatch.chdir(strangers)
    service.start(NoProgress())
    try:
        assert answer_when(bool, lambda: service.status().ready)
    finally:
        service.stop()


@pytest.mark.parametrize(
    ("serves", "here", "is_other"),
    [("aaaa", "bbbb", True), ("aaaa", "aaaa", False), ("", "bbbb", False), ("aaaa", "", False)],
)
def test_up_says_that_another_release_serves_where_both_are_known(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    serves: str,
    here: str,
    is_other: bool,
):
    monkeypatch.setattr("api.health.commit_of", lambda _: here)
    monkeypatch.setattr("muvr.up.start_all", lambda *_: None)  # it runs already
    with json_server({"/version": {"commit": serves}}) as port:
        conf = tmp_path / "conf.yaml"
        conf.write_text(yaml.safe_dump({"api": {"port": port}}))
        up(conf=conf)
        said = capsys.readouterr().out
        up(conf=conf, as_json=True)
    assert ("commit aaaa, and this checkout is at bbbb" in said) == is_other
    assert ("muvr down, then muvr up" in said) == is_other
    next_step = json.loads(capsys.readouterr().out)["next_step"]
    assert next_step in said
    assert bool(next_step) == is_other


def test_up_waits_for_a_node_that_runs_and_is_slow_to_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = Config(paths=Paths(data=tmp_path / "node", run=tmp_path / "run"))
    context = CommandContext(config, tmp_path / "conf.yaml", Terminal(as_json=True))
    answers, folders = iter([False, False, True]), context.node.folders
    monkeypatch.setattr("store.node.process.responds", lambda _: next(answers))
    monkeypatch.setattr(EmbeddedNode, "start", lambda *_: pytest.fail("it runs"))
    monkeypatch.setattr(CommandContext, "migrate", lambda *_, **__: ())
    monkeypatch.setattr(Service, "start", lambda *_: None)
    started = Started()
    with acquire(folders):
        write_record(folders, NodeRecord(os.getpid(), config.cassandra.port, "5.0.9"))
        start_all(context, started)
    assert not started.node, "another command has started it"


@pytest.mark.parametrize("is_new", [True, False])
def test_up_says_that_it_begins_a_new_database(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    is_new: bool,
):
    """As over a disk that is not mounted: who had a database would else learn it from its users."""
    (tmp_path / "conf.yaml").write_text("{}")
    data = tmp_path / "build/node/data"
    if not is_new:
        data.mkdir(parents=True)
    monkeypatch.setattr("muvr.up.start_all", lambda *_: data.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(Service, "other_release", lambda _: "")
    up(conf=tmp_path / "conf.yaml")
    assert ("is its disk mounted" in capsys.readouterr().err) == is_new


def test_up_refuses_a_node_that_a_killed_restore_left_on_its_own_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = Config(paths=Paths(data=tmp_path / "node", run=tmp_path / "run"))
    context = CommandContext(config, tmp_path / "conf.yaml", Terminal(as_json=True))
    monkeypatch.setattr("store.node.process.responds", lambda _: True)
    monkeypatch.setattr(CommandContext, "migrate", lambda *_, **__: pytest.fail("nobody is there"))
    with acquire(context.node.folders):
        write_record(context.node.folders, NodeRecord(os.getpid(), 40123, "5.0.9"))
        with pytest.raises(NodeFailed, match=r"port 40123.* 9042.*`muvr down`, then `muvr up`"):
            start_all(context, Started())


def test_release_of_a_service_that_does_not_answer_is_unknown(service: Service, tmp_path: Path):
    [port] = free_ports(1)
    (tmp_path / "conf.yaml").write_text(f"api: {{port: {port}}}")
    config = load_config(tmp_path / "conf.yaml")
    assert Service(config, tmp_path / "conf.yaml").other_release() == ""


def test_an_interrupted_start_leaves_no_process_or_pid_file(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Interrupting(NoProgress):
        def step(self, *_: object) -> None:
            raise KeyboardInterrupt

    monkeypatch.setattr(service, "_answers", lambda path: False)
    before = set(psutil.Process().children())
    with pytest.raises(KeyboardInterrupt):
        service.start(Interrupting())
    assert set(psutil.Process().children()) <= before
    assert not (tmp_path / "service.pid").exists()


@pytest.mark.usefixtures("of_somebody_else")
def test_a_pid_reused_by_another_process_is_not_the_service(service: Service, tmp_path: Path):
    (tmp_path / "service.pid").write_text("1")  # as after a reboot
    assert not service.status().running
    assert service.stop() is False


def test_a_service_of_another_user_is_not_stopped(
    service: Service, recorded: int, of_somebody_else: None
):
    assert service.status().running
    with pytest.raises(ServiceFailed, match=f"process {recorded}.*another user"):
        service.stop()


@pytest.mark.usefixtures("recorded")
def test_service_that_ends_before_it_is_asked_to_is_not_stopped(
    service: Service, monkeypatch: pytest.MonkeyPatch
):
    """Between the look into its file and the signal, as by another `muvr down`."""

    def gone(*_: object) -> None:
        raise ProcessLookupError

    monkeypatch.setattr("muvr.service.os", os_with(kill=gone))
    assert service.stop() is False


def test_service_stop_ends_the_process_that_holds_the_pid_file(service: Service, recorded: int):
    assert service.stop() is True
    assert not is_running(recorded)
    assert not service.status().running
