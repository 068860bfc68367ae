"""The service as a process with two workers: uploads, rollback, limits, metrics, shutdown."""

import asyncio
import hashlib
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from examples.client import chunk, new_id, rfc3339
from ingest.importers.imported import ImportedRecording
from schemas.config import Cassandra
from schemas.config_file import load_config
from schemas.layout import owner_of
from store.champions import Champions
from store.database import Database
from store.models import Models, StoredModel
from store.node.folders import Folders
from store.pointers import Challenger
from store.users import Users
from tests.api.conftest import unswept
from tests.api.learned import learn, person_recordings, stored
from tests.api.served_workers import (
    clients_of_both,
    ready,
    registered,
    resident_mb,
    start,
    watched,
)
from tests.ports import free_ports

HALF_A_HEAD = "GET /livez HTTP/1.1\r\nHost: a\r\n"

HEAD = "POST /v1/classify HTTP/1.1\r\nHost: a\r\n{}Content-Length: 1000000\r\n\r\n"


@pytest.fixture(scope="module")
def conf(keyspace: Cassandra, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A conf.yaml for a service with two workers, which do not sweep: that takes memory."""
    path = tmp_path_factory.mktemp("served") / "conf.yaml"
    port = free_ports(1)[0]
    sections = {
        "cassandra": {"port": keyspace.port, "keyspace": keyspace.keyspace},
        "paths": {"run": "run", "secrets": "secrets"},
        "api": {"port": port, "workers": 2},
        "limits": {"logins_per_minute": 30},
    }
    path.write_text(json.dumps(sections))  # JSON is YAML
    with unswept(path.parent / "run"):
        yield path


@pytest.fixture(scope="module")
def served(conf: Path) -> Iterator[tuple[str, "subprocess.Popen[str]", list[str]]]:
    """The URL and process of the service, and its output so far."""
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


def settled(database: Database, former: StoredModel, later: StoredModel) -> None:
    """Promote one model, then the other."""

    async def promote(kept: StoredModel) -> None:
        await Models(database).put(kept)
        champions = Champions(database)
        incumbent = await champions.read(kept.key)
        await champions.promote(Challenger.of(kept), incumbent, kept.created_at)

    asyncio.run(promote(former))
    asyncio.run(promote(later))


def put_at_once(
    clients: list[httpx.Client], path: str, bodies: dict[tuple[int, int], bytes]
) -> dict[tuple[int, int], str]:
    """Every client uploads its bodies, all clients the same sequence number at the same time.

    Args:
        clients: one for each first number of `bodies`.
        path: of the session.
        bodies: of each client and chunk number.

    Returns:
        The hash in each receipt.
    """
    numbers = sorted({seq for _, seq in bodies})
    together = threading.Barrier(len(clients))
    said = {"Content-Type": "application/cbor"}

    def put_all(n: int) -> dict[tuple[int, int], str]:
        hashes: dict[tuple[int, int], str] = {}
        for seq in numbers:
            together.wait(30)
            there = f"{path}/streams/acc/chunks/{seq}"
            answer = clients[n].put(there, content=bodies[n, seq], headers=said, timeout=30)
            hashes[n, seq] = answer.raise_for_status().json()["sha256"]
        return hashes

    with ThreadPoolExecutor(len(clients)) as pool:
        each = pool.map(put_all, range(len(clients)))
        return {key: sha256 for hashes in each for key, sha256 in hashes.items()}


def test_two_workers_store_all_concurrent_bodies_of_one_sequence_number(
    served: tuple[str, "subprocess.Popen[str]", list[str]],
):
    url, process, _ = served
    _, headers = registered(url)
    path, numbers = f"{url}/v1/sessions/{new_id()}", range(20)
    at = time.time_ns() - 60 * 10**9
    with ExitStack() as stack:
        clients = clients_of_both(url, process, headers, stack)
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
        hashes = put_at_once(clients, path, bodies)
        assert hashes == {key: hashlib.sha256(body).hexdigest() for key, body in bodies.items()}
        for client in clients:  # whichever worker answers
            held = client.get(f"{path}/chunks").json()["streams"]["acc"]
            assert held["ranges"] == [[0, len(numbers) - 1]]
            several = {int(seq): set(found) for seq, found in held["several"].items()}
            assert several == {
                seq: {hashes[n, seq] for n in range(len(clients))} for seq in numbers
            }
        chosen = [hashes[seq % len(clients), seq] for seq in numbers]
        said = clients[0].post(f"{path}/complete", json={"streams": {"acc": chosen}}, timeout=30)
        assert said.raise_for_status().json()["complete"] is True
        export = clients[-1].get(f"{url}/v1/me/export", timeout=60).text
        tables = [json.loads(line).get("table") for line in export.splitlines()]
        assert tables.count("dead_letters") == (len(clients) - 1) * len(numbers)


def test_a_rollback_reaches_every_worker_within_the_pointer_ttl(
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
def test_stalled_connections_hold_bounded_memory(
    served: tuple[str, "subprocess.Popen[str]", list[str]],
    connections: int,
    head: str,
    body: bytes,
    each_mb: float,
):
    """At most a body of the maximum size and its parts; other requests are served meanwhile."""
    url, process, _ = served
    signed = "".join(f"{name}: {said}\r\n" for name, said in registered(url)[1].items())
    port = int(url.rpartition(":")[2])
    before_mb = resident_mb(process)
    with ExitStack() as stack:
        for _ in range(connections):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
            client.sendall(head.format(signed).encode() + body)
        grown_mb = max(resident_mb(process) - before_mb for _ in watched(seconds=2))
        assert any(ready(url) for _ in watched(seconds=5))
    assert grown_mb <= connections * each_mb + 10


def test_two_workers_share_limits_and_metrics_and_stop_on_sigterm(
    conf: Path, served: tuple[str, "subprocess.Popen[str]", list[str]]
):
    url, process, written = served
    pid_file = conf.parent / "run" / "service.pid"
    assert int(pid_file.read_text()) == process.pid

    began = time.monotonic()
    statuses = [  # a new connection each: the kernel assigns it to a worker
        httpx.post(f"{url}/v1/auth/refresh", json={"refresh_token": "x"}).status_code
        for _ in range(40)
    ]
    back = (time.monotonic() - began) // 2  # one more is allowed every two seconds
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
def test_the_service_explains_why_it_does_not_start(
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


def test_the_node_of_an_interrupted_restore_is_not_served(conf: Path, tmp_path: Path):
    """A restore that is killed may leave it running, and a supervisor starts the service."""
    sections = json.loads(conf.read_text())
    sections["paths"]["data"] = "node"
    half = tmp_path / "conf.yaml"
    half.write_text(json.dumps(sections))
    marker = Folders(tmp_path / "node").unfinished_restore
    marker.parent.mkdir()
    marker.touch()
    process = start(half)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "restore again into a new folder" in output
    assert "Traceback" not in output
