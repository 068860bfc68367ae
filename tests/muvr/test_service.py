"""The pid file of the background service, also when it names another process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from muvr.service import Service, ServiceFailed
from schemas.config_file import load_config
from schemas.progress import NoProgress

CHECKOUT = Path(__file__).resolve().parents[2]
SLEEP = "import time; print(flush=True); time.sleep(60)"


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

    monkeypatch.setattr(os, "kill", refuse)


@pytest.fixture
def called_like_the_service() -> Iterator[int]:
    """A process with the service's name in its command line."""
    command = [sys.executable, "-c", SLEEP, "api.serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.readline()
        yield running.pid
        running.kill()


def test_a_running_service_is_found_with_an_empty_path(
    service: Service, tmp_path: Path, called_like_the_service: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "service.pid").write_text(str(called_like_the_service))
    assert service.status().running


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
    service: Service, tmp_path: Path, called_like_the_service: int, of_somebody_else: None
):
    (tmp_path / "service.pid").write_text(str(called_like_the_service))
    assert service.status().running
    with pytest.raises(ServiceFailed, match=f"process {called_like_the_service}.*another user"):
        service.stop()
