"""The service as a process: two workers, one limit, one sum of metrics, a graceful end."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from schemas.config import Cassandra
from tests.cassandra_node import free_ports

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture
def conf(keyspace: Cassandra, tmp_path: Path) -> Path:
    """A conf.yaml for a service with two workers."""
    path = tmp_path / "conf.yaml"
    port = free_ports(1)[0]
    sections = {
        "cassandra": {"port": keyspace.port, "keyspace": keyspace.keyspace},
        "paths": {"run": "run", "secrets": "secrets"},
        "api": {"port": port, "workers": 2},
        "limits": {"logins_per_minute": 30},
    }
    path.write_text(json.dumps(sections))  # JSON is YAML
    return path


def start(conf: Path) -> "subprocess.Popen[str]":
    environment = {k: v for k, v in os.environ.items() if k != "PROMETHEUS_MULTIPROC_DIR"}
    return subprocess.Popen(
        [sys.executable, "-m", "api.serve", "--config", str(conf)],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def served(conf: Path) -> Iterator[tuple[str, "subprocess.Popen[str]", list[str]]]:
    """Its address, its process, and what it has written so far."""
    process = start(conf)
    written: list[str] = []
    assert process.stdout is not None
    reader = threading.Thread(target=lambda: written.extend(process.stdout or ()), daemon=True)
    reader.start()
    url = f"http://127.0.0.1:{json.loads(conf.read_text())['api']['port']}"
    try:
        deadline = time.monotonic() + 60
        while not ready(url):
            assert process.poll() is None, "".join(written)
            assert time.monotonic() < deadline, "".join(written)
            time.sleep(0.1)
        yield url, process, written
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        reader.join(10)
        process.stdout.close()


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def test_two_workers_share_limits_and_metrics_and_end_well(
    conf: Path, served: tuple[str, "subprocess.Popen[str]", list[str]]
):
    url, process, written = served
    pid_file = conf.parent / "run" / "service.pid"
    assert int(pid_file.read_text()) == process.pid

    statuses = [  # a new connection each: the kernel deals them to either worker
        httpx.post(f"{url}/v1/auth/refresh", json={"refresh_token": "x"}).status_code
        for _ in range(40)
    ]
    assert 30 <= statuses.count(401) <= 32  # one more comes back every two seconds
    assert statuses.count(429) == 40 - statuses.count(401)

    text = httpx.get(f"{url}/metrics").text
    counted = re.findall(
        r'muvr_requests_total\{method="POST",route="/v1/auth/refresh",status="\d+"\} (\S+)', text
    )
    assert sum(map(float, counted)) == 40

    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not pid_file.exists()
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{url}/livez", timeout=2)
    lines = [json.loads(line) for line in list(written) if line.startswith("{")]
    assert sum(line.get("route") == "/v1/auth/refresh" for line in lines) == 40


@pytest.mark.parametrize(
    ("change", "says", "code"),
    [
        ({"api": {"prot": 1}}, "did you mean `api.port`", 2),
        ({"api": {"host": "0.0.0.0"}}, "development key", 2),
    ],
)
def test_it_refuses_to_start_with_a_sentence(
    conf: Path, change: dict[str, dict[str, object]], says: str, code: int
):
    sections = json.loads(conf.read_text())
    for section, keys in change.items():
        sections[section].update(keys)
    conf.write_text(json.dumps(sections))
    process = start(conf)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert says in output
    assert "Traceback" not in output
