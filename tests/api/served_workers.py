"""A service of two workers as a separate process: starting it, and clients of both workers."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil

CHECKOUT = Path(__file__).parents[2]


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


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def resident_mb(process: "subprocess.Popen[str]") -> float:
    """Resident memory of the service and its workers."""
    service = psutil.Process(process.pid)
    return (
        sum(one.memory_info().rss for one in (service, *service.children(recursive=True))) / 2**20
    )


def watched(seconds: float) -> Iterator[None]:
    """Yield every 0.1 s for the given time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(0.1)


def workers_reached(process: "subprocess.Popen[str]", port: int) -> int:
    """How many of the service's processes hold connections of clients."""
    return sum(
        any(c.laddr.port == port and c.raddr for c in child.net_connections("tcp"))
        for child in psutil.Process(process.pid).children(recursive=True)
    )


def clients_of_both(
    url: str, process: "subprocess.Popen[str]", headers: dict[str, str], stack: ExitStack
) -> list[httpx.Client]:
    """Clients with one connection each, until both workers have some: the kernel assigns them."""
    clients: list[httpx.Client] = []
    while workers_reached(process, int(url.rpartition(":")[2])) < 2:
        assert len(clients) < 400
        clients += [stack.enter_context(httpx.Client(headers=headers)) for _ in range(8)]
        for client in clients:
            assert client.get(f"{url}/v1/me/models", timeout=30).status_code == 200
    return clients


def registered(url: str) -> tuple[str, dict[str, str]]:
    """A new user's name and the headers of their requests."""
    who = {"username": f"u{uuid.uuid4().hex[:12]}", "password": "only for this test"}
    token = httpx.post(f"{url}/v1/auth/register", json=who).raise_for_status().json()
    return who["username"], {"Authorization": f"Bearer {token['access_token']}"}
