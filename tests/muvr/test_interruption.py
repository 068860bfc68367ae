"""A command that is interrupted stops what it has started before it exits, and says so."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.waiting import answer_when

CHECKOUT = Path(__file__).resolve().parents[2]
WAITING = """
import contextlib, time
from pathlib import Path
from muvr.terminal import Terminal

@contextlib.contextmanager
def deployed():
    terminal = Terminal()
    try:
        with terminal:
            yield
    finally:
        with terminal:
            terminal.step("stopping", 0, 1)
            time.sleep(0.2)
            Path("stopped").touch()
            terminal.step("stopping", 1, 1)

def register(app):
    @app.command()
    def wait():
        with deployed():
            Path("ready").touch()
            time.sleep(60)
"""
COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from muvr import cli
cli.COMMANDS["wait"] = "waiting"
cli.main()
"""


@pytest.fixture(autouse=True)
def hang_ups_count() -> Iterator[None]:
    """Commands inherit what is ignored, as SIGHUP is where the tests run under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def _start(
    folder: Path, output: int = subprocess.PIPE, before: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """A command that waits for its interruption, in a folder."""
    (folder / "waiting.py").write_text(WAITING)
    running = subprocess.Popen(
        [*before, sys.executable, "-c", COMMAND, "wait"],
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{CHECKOUT}:{folder}"},
    )
    assert answer_when(bool, (folder / "ready").exists)
    return running


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_command_cleans_up_and_says_so(tmp_path: Path, number: signal.Signals):
    with _start(tmp_path) as running:
        running.send_signal(number)
        said, _ = running.communicate(timeout=30)
    assert (tmp_path / "stopped").exists()
    assert said == "stopping ...\nstopping: done\nerror: interrupted\n"
    assert running.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("opened", [os.pipe, pty.openpty], ids=["pipe", "terminal"])
def test_a_command_whose_reader_is_gone_cleans_up(tmp_path: Path, opened, number):
    """As `tee` that gets the same Ctrl-C, or a terminal that was closed."""
    reader, writer = opened()
    with _start(tmp_path, writer) as running:
        os.close(writer)
        os.close(reader)
        running.send_signal(number)
        running.communicate(timeout=30)
    assert (tmp_path / "stopped").exists()
    assert running.returncode == 130


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGHUP, signal.SIGINT])
def test_a_second_signal_does_not_end_the_cleanup(
    tmp_path: Path, first: signal.Signals, second: signal.Signals
):
    """Of a terminal that is closed, the shell and the system tell a command each."""
    with _start(tmp_path) as running:
        running.send_signal(first)
        assert running.stdout is not None
        assert running.stdout.readline() == "stopping ...\n"
        running.send_signal(second)
        running.communicate(timeout=30)
    assert (tmp_path / "stopped").exists()


def test_a_command_that_ignores_hang_ups_goes_on(tmp_path: Path):
    with _start(tmp_path, before=["nohup"]) as running:
        running.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            running.wait(1.0)
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    assert (tmp_path / "stopped").exists()
