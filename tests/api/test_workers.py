"""A worker that ended unexpectedly is replaced, and the log says how it ended."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from tests.api.served_workers import CHECKOUT

SERVICE = """
import uvicorn
from api.workers import Workers

async def app(scope, receive, send): ...

if __name__ == "__main__":
    settings = uvicorn.Config(app, workers=2, port=0, lifespan="off", log_level="warning")
    Workers(settings, [settings.bind_socket()]).run()
"""


def test_the_log_says_by_which_signal_a_worker_ended(tmp_path: Path) -> None:
    script = tmp_path / "service.py"
    script.write_text(SERVICE)
    log = tmp_path / "log"
    with log.open("w") as file:
        process = subprocess.Popen([sys.executable, script], stdout=file, stderr=file, cwd=CHECKOUT)
    try:
        worker = await_workers(process.pid)[0]
        worker.send_signal(signal.SIGBUS)
        deadline = time.monotonic() + 60
        while "\n" not in log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        [said] = log.read_text().splitlines()
        assert said.startswith(f"Worker {worker.pid} ended: signal SIGBUS, as where a disk is full")
        assert worker.pid not in {one.pid for one in await_workers(process.pid)}
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def await_workers(pid: int) -> list[psutil.Process]:
    """The two workers of a service; the third process of multiprocessing only tracks resources."""
    deadline = time.monotonic() + 60
    while True:
        children = psutil.Process(pid).children()
        workers = [one for one in children if "spawn_main" in " ".join(one.cmdline())]
        if len(workers) == 2:
            return workers
        assert time.monotonic() < deadline
        time.sleep(0.1)
