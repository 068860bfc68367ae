"""Workers of a service whose first process was killed."""

import json
import signal
import time
from pathlib import Path

import psutil

from schemas.config import Cassandra
from tests.api.served_workers import ready, start
from tests.ports import free_ports


def test_workers_end_with_the_process_that_started_them(
    keyspace: Cassandra, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    conf = tmp_path / "conf.yaml"
    sections = {
        "cassandra": {"port": keyspace.port, "keyspace": keyspace.keyspace},
        "paths": {"run": "run", "secrets": "secrets"},
        "api": {"port": port, "workers": 2},
    }
    conf.write_text(json.dumps(sections))
    process = start(conf)
    workers = []
    try:
        deadline = time.monotonic() + 60
        while not ready(f"http://127.0.0.1:{port}"):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        workers = psutil.Process(process.pid).children(recursive=True)
        assert len(workers) >= 2
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        _, alive = psutil.wait_procs(workers, timeout=20)
        assert alive == []
    finally:
        process.kill()
        for worker in workers:
            if worker.is_running():
                worker.kill()
        assert process.stdout is not None
        process.stdout.close()
