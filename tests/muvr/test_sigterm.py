"""A command that is interrupted stops what it has started before it exits, and says so."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
WAITING = """
import contextlib, time

@contextlib.contextmanager
def deployed():
    try:
        yield
    finally:
        print("stopped", flush=True)

def register(app):
    @app.command()
    def wait():
        with deployed():
            print("ready", flush=True)
            time.sleep(60)
"""
COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from muvr import cli
cli.COMMANDS["wait"] = "waiting"
cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_command_cleans_up_and_says_so(tmp_path: Path, number: signal.Signals):
    (tmp_path / "waiting.py").write_text(WAITING)
    command = [sys.executable, "-c", COMMAND, "wait"]
    paths = {"PYTHONPATH": f"{CHECKOUT}:{tmp_path}"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=paths
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(number)
        said, complained = running.communicate(timeout=30)
    assert said == "stopped\n"
    assert complained == "error: interrupted\n"
    assert running.returncode == 130
