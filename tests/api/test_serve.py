"""The service as a process: two workers, one rollback, one limit, one sum of metrics, an end."""

import asyncio
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil
import pytest

from examples.client import chunk, new_id, rfc3339
from ingest.importers.imported import ImportedRecording
from schemas.config import Cassandra, load_config
from schemas.layout import owner_of
from store.champions import Challenger, Champions
from store.database import Database
from store.models import Models, StoredModel
from store.users import Users
from tests.api.learned import learn, person_recordings, stored
from tests.cassandra_node import free_ports

CHECKOUT = Path(__file__).parents[2]
HALF_A_HEAD = "GET /livez HTTP/1.1\r\nHost: a\r\n"
HEAD = "POST /v1/classify HTTP/1.1\r\nHost: a\r\n{}Content-Length: 1000000\r\n\r\n"


@pytest.fixture(scope="module")
def conf(keyspace: Cassandra, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A conf.yaml for a service with two workers."""
    path = tmp_path_factory.mktemp("served") / "conf.yaml"
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


@pytest.fixture(scope="module")
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


def resident_mb(process: "subprocess.Popen[str]") -> float:
    """Of the service and its workers."""
    service = psutil.Process(process.pid)
    return (
        sum(one.memory_info().rss for one in (service, *service.children(recursive=True))) / 2**20
    )


def watched(seconds: float) -> Iterator[None]:
    """Again and again, for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(0.1)


def settled(database: Database, former: StoredModel, later: StoredModel) -> None:
    """Let one model serve, then the other."""

    async def promote(kept: StoredModel) -> None:
        await Models(database).put(kept)
        champions, key = Champions(database), (kept.owner, kept.model_id, kept.family)
        challenger = Challenger(*key, kept.version, kept.sha256, kept.run_id)
        await champions.promote(challenger, await champions.read(*key), kept.created_at)

    asyncio.run(promote(former))
    asyncio.run(promote(later))


def workers_reached(process: "subprocess.Popen[str]", port: int) -> int:
    """How many of the service's processes hold connections of clients."""
    return sum(
        any(c.laddr.port == port and c.raddr for c in child.net_connections("tcp"))
        for child in psutil.Process(process.pid).children(recursive=True)
    )


def clients_of_both(
    url: str, process: "subprocess.Popen[str]", headers: dict[str, str], stack: ExitStack
) -> list[httpx.Client]:
    """Clients whose connections, one each, lie with both workers: the kernel deals them."""
    clients: list[httpx.Client] = []
    while workers_reached(process, int(url.rpartition(":")[2])) < 2:
        assert len(clients) < 400
        clients += [stack.enter_context(httpx.Client(headers=headers)) for _ in range(8)]
        for client in clients:
            assert client.get(f"{url}/v1/me/models", timeout=30).status_code == 200
    return clients


def registered(url: str) -> tuple[str, dict[str, str]]:
    """Somebody's name and the headers of his requests."""
    who = {"username": f"u{uuid.uuid4().hex[:12]}", "password": "only for this test"}
    token = httpx.post(f"{url}/v1/auth/register", json=who).raise_for_status().json()
    return who["username"], {"Authorization": f"Bearer {token['access_token']}"}


def test_bodies_under_one_number_at_the_same_instant_are_all_kept_by_two_workers(
    served: tuple[str, "subprocess.Popen[str]", list[str]],
):
    url, process, _ = served
    _, headers = registered(url)
    session, numbers = new_id(), range(20)
    path = f"{url}/v1/sessions/{session}"
    at = time.time_ns() - 60 * 10**9
    with ExitStack() as stack:
        clients = clients_of_both(url, process, headers, stack)
        pool = stack.enter_context(ThreadPoolExecutor(len(clients)))
        opening = {
            "started_at": rfc3339(datetime.fromtimestamp(at / 1e9, UTC)),
            "streams": {"acc": {"kind": "acc", "unit": "g"}},
        }
        clients[0].put(path, json=opening).raise_for_status()
        bodies = {
            (n, seq): chunk(at + seq * 10**9, 50, "g", 0.001, bytes([n]) * 300)
            for n in range(len(clients))
            for seq in numbers
        }
        together = threading.Barrier(len(clients))

        def put_all(n: int) -> list[dict[str, str]]:
            receipts: list[dict[str, str]] = []
            for seq in numbers:
                together.wait(30)
                there = f"{path}/streams/acc/chunks/{seq}"
                said = {"Content-Type": "application/cbor"}
                answer = clients[n].put(there, content=bodies[n, seq], headers=said, timeout=30)
                receipts.append(answer.raise_for_status().json())
            return receipts

        receipts = list(pool.map(put_all, range(len(clients))))
        hashes = {key: hashlib.sha256(body).hexdigest() for key, body in bodies.items()}
        for (n, seq), sha256 in hashes.items():
            assert receipts[n][seq]["sha256"] == sha256
        for client in clients:  # whichever worker is asked
            held = client.get(f"{path}/chunks").json()["streams"]["acc"]
            assert held["ranges"] == [[0, len(numbers) - 1]]
            for seq in numbers:
                assert set(held["several"][str(seq)]) == {
                    hashes[n, seq] for n in range(len(clients))
                }
        chosen = [hashes[seq % len(clients), seq] for seq in numbers]
        said = clients[0].post(f"{path}/complete", json={"streams": {"acc": chosen}}, timeout=30)
        assert said.raise_for_status().json()["complete"] is True
        export = clients[-1].get(f"{url}/v1/me/export", timeout=60).text
        left = [
            line
            for line in map(json.loads, export.splitlines())
            if line.get("table") == "dead_letters"
        ]
        assert len(left) == (len(clients) - 1) * len(numbers)


def test_a_rollback_is_seen_by_every_worker_within_the_pointers_time(
    conf: Path,
    served: tuple[str, "subprocess.Popen[str]", list[str]],
    database: Database,
    spar: list[ImportedRecording],
):
    url, process, _ = served
    name, headers = registered(url)
    user = asyncio.run(Users(database).by_name(name))
    assert user is not None
    recordings = person_recordings(spar, spar[0].person)
    parts = recordings[:3], recordings[3:6]
    former, later = (stored(learn(part), owner_of(user.user_id)) for part in parts)
    settled(database, former, later)
    with ExitStack() as stack:
        clients = clients_of_both(url, process, headers, stack)
        pool = stack.enter_context(ThreadPoolExecutor(8))

        def version(client: httpx.Client) -> str:
            [one] = client.get(f"{url}/v1/me/models", timeout=30).json()["models"]
            return one["version"]

        def versions() -> set[str]:
            return set(pool.map(version, clients))

        assert versions() == {later.version}
        asyncio.run(Champions(database).withdraw(later.run_id, "a bad night", datetime.now(UTC)))
        since = time.monotonic()
        while time.monotonic() < since + load_config(conf).api.pointer_ttl_s:
            assert versions() <= {former.version, later.version}
        assert versions() == {former.version}


@pytest.mark.parametrize(
    ("connections", "head", "body", "each_mb"),
    [(400, HALF_A_HEAD, b"", 0.02), (100, HEAD, bytes(900_000), 1.3)],
    ids=["half a head", "most of a body"],
)
def test_a_connection_that_goes_no_further_holds_little_memory(
    served: tuple[str, "subprocess.Popen[str]", list[str]],
    connections: int,
    head: str,
    body: bytes,
    each_mb: float,
):
    """At most a body as long as the cap, and its parts; meanwhile the others are answered."""
    url, process, _ = served
    signed = "".join(f"{name}: {said}\r\n" for name, said in registered(url)[1].items())
    port = int(url.rpartition(":")[2])
    before_mb = resident_mb(process)
    with ExitStack() as stack:
        for _ in range(connections):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            client.sendall(head.format(signed).encode() + body)
        grown_mb = max(resident_mb(process) - before_mb for _ in watched(seconds=2))
        assert ready(url)
    assert grown_mb <= connections * each_mb + 10


def test_two_workers_share_limits_and_metrics_and_end_well(
    conf: Path, served: tuple[str, "subprocess.Popen[str]", list[str]]
):
    url, process, written = served
    pid_file = conf.parent / "run" / "service.pid"
    assert int(pid_file.read_text()) == process.pid

    began = time.monotonic()
    statuses = [  # a new connection each: the kernel deals them to either worker
        httpx.post(f"{url}/v1/auth/refresh", json={"refresh_token": "x"}).status_code
        for _ in range(40)
    ]
    back = (time.monotonic() - began) // 2  # one more comes back every two seconds
    assert 30 <= statuses.count(401) <= 31 + back
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
    conf: Path, tmp_path: Path, change: dict[str, dict[str, object]], says: str, code: int
):
    sections = json.loads(conf.read_text())
    for section, keys in change.items():
        sections[section].update(keys)
    wrong = tmp_path / "conf.yaml"
    wrong.write_text(json.dumps(sections))
    process = start(wrong)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert says in output
    assert "Traceback" not in output
