"""kill -9 of the node during an upload over real HTTP: no acknowledged chunk is lost, duplicated
or altered."""

import asyncio
import contextlib
import hashlib
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import httpx
import numpy as np
import pytest

from examples.client import Client, TryLater, chunk, new_id
from ingest.sample_rows import body_of
from schemas.config import Limits
from store.connection import connect
from store.migrate import migrate
from store.node.process import EmbeddedNode
from store.records import records_in
from tests.api.conftest import PASSWORD, running, settings

T = TypeVar("T")
CHUNKS, SENDERS, N = 240, 4, 200
STARTED = datetime.now(UTC) - timedelta(minutes=30)
SESSION = new_id()
STREAMS = {
    "acc": {"kind": "acc", "unit": "g", "device": "watch", "placement": "wrist", "side": "left"}
}


def body(seq: int, variant: int = 0) -> bytes:
    counts = np.random.default_rng([seq, variant]).integers(-4000, 4000, (N, 3))
    t0_ns = int(STARTED.timestamp()) * 10**9 + seq * N * 20_000_000
    return chunk(t0_ns, 50.0, "g", 1 / 4096, counts.astype("<i2").tobytes())


def retried(call: Callable[[], T]) -> T:
    """What a call gives once it goes through, repeated as a phone does."""
    while True:
        with contextlib.suppress(TryLater):
            return call()


class Upload:
    """Several senders, each with its own connection; every chunk is sent twice, in any order."""

    def __init__(self, url: str, username: str) -> None:
        self.url, self.username = url, username
        self.receipts: dict[int, set[str]] = {}
        self.acknowledged = 0
        self._lock = threading.Lock()

    def send(self, numbers: list[int]) -> None:
        with Client(self.url) as client:
            retried(lambda: client.login(self.username, PASSWORD))
            for seq in numbers:
                receipt = retried(lambda seq=seq: client.put_chunk(SESSION, "acc", seq, body(seq)))
                with self._lock:
                    self.receipts.setdefault(seq, set()).add(receipt["sha256"])
                    self.acknowledged += 1

    def start(self, pool: ThreadPoolExecutor) -> list[Future[None]]:
        rng = random.Random(1)
        numbers = [*range(CHUNKS), *range(CHUNKS)]
        rng.shuffle(numbers)
        return [pool.submit(self.send, numbers[n::SENDERS]) for n in range(SENDERS)]

    def wait_for(self, acknowledged: int) -> None:
        deadline = time.monotonic() + 120
        while self.acknowledged < acknowledged:
            assert time.monotonic() < deadline, f"only {self.acknowledged} acknowledged"
            time.sleep(0.01)


@pytest.mark.timeout(900)  # starts a node twice
def test_acknowledged_chunks_survive_a_killed_node(
    fresh_node: EmbeddedNode, tmp_path: Path
) -> None:
    fresh_node.start()
    migrate(fresh_node.config)
    with running(settings(fresh_node.config, tmp_path)) as service:
        with Client(service.url) as client:
            client.register("ada", PASSWORD)
            client.open_session(SESSION, STARTED, STREAMS)
        upload = Upload(service.url, "ada")
        with ThreadPoolExecutor(SENDERS) as pool:
            sending = upload.start(pool)
            upload.wait_for(CHUNKS // 2)
            fresh_node.kill()
            early = set(upload.receipts)
            _refuses_without_the_database(service.url, client.token)
            fresh_node.start()
            for one in sending:
                one.result(200)
        assert early < set(upload.receipts) == set(range(CHUNKS))
        with Client(service.url) as client:
            client.login("ada", PASSWORD)
            held = client.stored_chunks(SESSION)["streams"]["acc"]
            assert held == {"ranges": [[0, CHUNKS - 1]], "several": {}}
            sha = [hashlib.sha256(body(seq)).hexdigest() for seq in range(CHUNKS)]
            assert client.complete(SESSION, {"acc": sha})["complete"]
    assert upload.receipts == {seq: {one} for seq, one in enumerate(sha)}
    _read_back(fresh_node, sha)


def _refuses_without_the_database(url: str, token: str) -> None:
    """Without the node the service answers 503 with Retry-After, never 500."""
    path = f"/v1/sessions/{SESSION}/streams/acc/chunks/0"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/cbor"}
    with httpx.Client(base_url=url, headers=headers, timeout=30) as http:
        answer = http.put(path, content=body(0))
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) >= 1
        assert http.get("/readyz").status_code == 503
        assert http.get("/livez").status_code == 200


def _read_back(node: EmbeddedNode, sha: list[str]) -> None:
    """The store holds exactly the bodies with these hashes."""
    database = connect(node.config, keyspace=node.config.keyspace)

    async def read() -> list[str]:
        records = records_in(database, Limits())
        (user,) = [row.user_id for row in await database.run("SELECT user_id FROM users")]
        assert isinstance(user, UUID)
        parts = await records.samples.parts(user, SESSION)
        heads = await records.samples.metadata(user, SESSION, "acc", parts["acc"])
        keys = [(head.seq, head.sha256) for head in heads]
        rows = await records.samples.rows(user, SESSION, "acc", keys)
        assert [row.seq for row in rows] == list(range(CHUNKS))
        return [hashlib.sha256(body_of(row)).hexdigest() for row in rows]

    try:
        assert asyncio.run(read()) == sha
    finally:
        database.close()
