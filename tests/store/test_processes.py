"""Which processes run."""

import os
import platform
import subprocess
import sys

import psutil
import pytest

from store.processes import is_running
from tests.patched_os import os_with
from tests.waiting import answer_when


def test_a_process_runs_until_it_ends_even_before_it_is_waited_for() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert is_running(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE
        assert not is_running(process.pid)
    assert not is_running(process.pid)


def test_a_process_runs_as_long_as_one_of_its_threads() -> None:
    """Here the first one ends alone, as it may for a moment when all of them end."""
    ends_one_thread = {"x86_64": 60, "aarch64": 93}[platform.machine()]  # the kernel's call `exit`
    program = (
        "import ctypes, threading; c = ctypes.CDLL(None); "
        "threading.Thread(target=c.sleep, args=(60,)).start(); "
        f"c.syscall({ends_one_thread}, 0)"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        one = psutil.Process(process.pid)
        assert answer_when(lambda status: status == psutil.STATUS_ZOMBIE, one.status)
        assert one.num_threads() == 2
        assert is_running(process.pid)
        process.kill()
        assert not answer_when(lambda running: not running, lambda: is_running(process.pid))


def test_a_process_of_another_user_runs_even_where_it_is_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr("store.processes.os", os_with(kill=refused))
    assert is_running(4711)
