"""`muvr demo` stops everything it started, however it ends."""

import shlex
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.client import RequestRefused, TryLater
from muvr import importing
from muvr.context import CommandContext
from muvr.demo import command
from muvr.demo.sending import connect_people, demo_password
from muvr.service import Service, ServiceFailed
from muvr.terminal import Terminal
from schemas.config import Cassandra, Config, Paths
from schemas.errors import NameTaken
from schemas.progress import Progress
from store.node.process import EmbeddedNode
from tests.api.offline_phone import served_by
from tests.patched_os import os_with
from tests.ports import free_ports


@pytest.fixture
def context(tmp_path: Path) -> CommandContext:
    """A deployment that is down."""
    port, storage_port, jmx_port = free_ports(3)
    config = Config(
        paths=Paths(data=tmp_path / "node", run=tmp_path / "run"),
        cassandra=Cassandra(port=port, storage_port=storage_port, jmx_port=jmx_port),
    )
    return CommandContext(config, tmp_path / "conf.yaml", Terminal(as_json=True))


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recorded calls of the demo to a fake node and a fake service."""
    calls: list[str] = []

    def note(owner: type, name: str) -> None:
        def noted(*_: Any, **__: Any) -> None:
            calls.append(f"{name} {owner.__name__}")

        monkeypatch.setattr(owner, name, noted)

    for owner in (EmbeddedNode, Service):
        note(owner, "start")
        note(owner, "stop")
    note(CommandContext, "migrate")
    return calls


def test_ctrl_c_while_the_service_starts_stops_the_node(
    context: CommandContext, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Service, progress: Progress) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Service, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.run(context)
    assert told == ["start EmbeddedNode", "migrate CommandContext", "stop EmbeddedNode"]


def test_ctrl_c_while_the_node_starts_stops_nothing(
    context: CommandContext, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: EmbeddedNode, progress: Progress) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EmbeddedNode, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.run(context)
    assert told == []


@pytest.mark.parametrize("problem", [TryLater("nobody"), RequestRefused(422, {})])
def test_a_service_that_refuses_the_demo_is_one_sentence(
    context: CommandContext, told: list[str], monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise problem

    monkeypatch.setattr(Service, "_answers", lambda *_: True)
    monkeypatch.setattr(command, "demo_sessions", lambda _: {})
    monkeypatch.setattr(command, "connect_people", refuse)
    with pytest.raises(ServiceFailed):
        command.run(context)
    assert told[-2:] == ["stop Service", "stop EmbeddedNode"]


def test_people_of_the_demo_with_another_password_are_refused_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(409 if request.url.path.endswith("/register") else 401, json={})

    monkeypatch.setattr(importing, "Client", lambda _: served_by(answer))
    with pytest.raises(NameTaken, match=r"'spar-01' .* demo-password"):
        connect_people("", ["01"], "a new password")


def test_password_of_the_demo_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: an empty file would be the password of every later demo."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("store.secret_file.os", os_with(fsync=full))
        with pytest.raises(OSError, match="No space"):
            demo_password(tmp_path)
    password = demo_password(tmp_path)
    assert len(password) == 24
    assert demo_password(tmp_path) == password
    assert [path.name for path in tmp_path.iterdir()] == ["demo-password"]
    assert (tmp_path / "demo-password").stat().st_mode & 0o777 == 0o600


def test_next_steps_of_the_demo_are_words_of_the_shell(tmp_path: Path) -> None:
    """A path may hold spaces, and a `?` names files to the shell."""
    paths = Paths(secrets=tmp_path / "secrets", reports=tmp_path / "my reports")
    context = CommandContext(Config(paths=paths), tmp_path / "conf.yaml", Terminal())
    lines = [line for line in command._next_steps(context) if "curl" in line]
    assert len(lines) == 3
    assert f"@{tmp_path}/my reports/movement.cbor" in shlex.split(lines[1])
    assert " 'http://127.0.0.1:8080/v1/sessions?limit=1' " in lines[2]


def test_ctrl_c_during_the_pipeline_stops_the_service_and_the_node(
    context: CommandContext, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run_pipeline", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.run(context)
    assert told[-2:] == ["stop Service", "stop EmbeddedNode"]
