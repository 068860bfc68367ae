"""A command that gets SIGTERM stops what it has started before it exits."""

import signal
import subprocess
import sys
from pathlib import Path

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
COMMAND = "from muvr import cli; cli.COMMANDS['wait'] = 'waiting'; cli.main()"


def test_a_command_cleans_up_on_sigterm(tmp_path):
    (tmp_path / "waiting.py").write_text(WAITING)
    command = [sys.executable, "-c", COMMAND, "wait"]
    paths = {"PYTHONPATH": f"{CHECKOUT}:{tmp_path}"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=paths) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        said, _ = running.communicate(timeout=30)
    assert said == "stopped\n"
    assert running.returncode == 130
