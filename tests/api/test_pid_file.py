"""The pid file of the service: held, released, left behind, and refused to a second process."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from api.pid_file import held_pid_file, serving_pid
from api.serve import main
from schemas.errors import AlreadyServing

CHECKOUT = Path(__file__).resolve().parents[2]
DIE = """
import os, signal, sys
from pathlib import Path
from api.pid_file import held_pid_file
with held_pid_file(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    return tmp_path / "service.pid"


def test_pid_file_names_its_holder_and_is_removed_at_the_end(pid_file: Path):
    assert serving_pid(pid_file) is None
    with held_pid_file(pid_file):
        assert serving_pid(pid_file) == os.getpid()
    assert serving_pid(pid_file) is None
    assert not pid_file.exists()


def test_pid_file_is_refused_while_another_holds_it(pid_file: Path):
    with (
        held_pid_file(pid_file),
        pytest.raises(AlreadyServing, match=f"process {os.getpid()}"),
        held_pid_file(pid_file),
    ):
        pass
    with held_pid_file(pid_file):  # and free again afterwards
        assert serving_pid(pid_file) == os.getpid()


def test_pid_file_of_a_killed_process_names_nobody(pid_file: Path):
    subprocess.run([sys.executable, "-c", DIE, str(pid_file)], cwd=CHECKOUT, check=False)
    assert pid_file.exists()
    assert serving_pid(pid_file) is None
    with held_pid_file(pid_file):
        assert serving_pid(pid_file) == os.getpid()


def test_second_start_leaves_the_first_ones_record_and_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    conf, run = tmp_path / "conf.yaml", tmp_path / "run"
    counted = run / "metrics" / "counter_7.db"
    counted.parent.mkdir(parents=True)
    counted.touch()
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        held_pid_file(run / "service.pid"),
    ):
        api = {"port": listening.getsockname()[1], "workers": 2}
        paths = {"run": "run", "secrets": "secrets"}
        conf.write_text(json.dumps({"api": api, "paths": paths}))  # JSON is YAML
        assert main(conf) == 1
        assert f"process {os.getpid()}" in capsys.readouterr().err
        assert serving_pid(run / "service.pid") == os.getpid()
        assert counted.exists()
