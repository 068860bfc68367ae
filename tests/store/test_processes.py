"""Which processes run."""

import os
import subprocess
import sys

import psutil
import pytest

from store.processes import is_running
from tests.patched_os import os_with


def test_a_process_runs_until_it_ends_even_before_it_is_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_running(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
        assert not is_running(process.pid)
    assert not is_running(process.pid)


def test_a_process_of_another_user_runs_even_where_it_is_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr("store.processes.os", os_with(kill=refused))
    assert is_running(4711)
