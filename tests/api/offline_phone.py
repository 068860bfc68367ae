"""A phone without a network: a week in its outbox, and clients whose server is a function."""

import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import cbor2
import httpx
import numpy as np

from examples.client import (
    Client,
    chunk,
    new_id,
)
from examples.outbox import Outbox
from tests.api.phone import sha

STREAMS = {"acc": {"kind": "acc", "unit": "g", "placement": "wrist", "side": "left"}}
N = 300
CHUNKS = 3
DAYS = 7


def body(day: int, seq: int, started_at: datetime, unit: str = "g") -> bytes:
    counts = np.random.default_rng([day, seq]).integers(-4000, 4000, (N, 3)).astype("<i2")
    t0_ns = int(started_at.timestamp()) * 10**9 + seq * N * 20_000_000
    return chunk(t0_ns, 50.0, unit, 1 / 4096, counts.tobytes())


def a_week(outbox: Outbox, days: int = DAYS) -> dict[UUID, list[bytes]]:
    """A session of three chunks and a set each day, queued while there is no network."""
    kept: dict[UUID, list[bytes]] = {}
    first = datetime.now(UTC).replace(microsecond=0) - timedelta(days=days)
    for day in range(days):
        started_at = first + timedelta(days=day)
        session = new_id(started_at)
        kept[session] = [body(day, seq, started_at) for seq in range(CHUNKS)]
        outbox.add_session(session, started_at, STREAMS)
        for seq, sent in enumerate(kept[session]):
            outbox.add_chunk(session, "acc", seq, sent)
        times = {"started_at": started_at, "ended_at": started_at + timedelta(seconds=10)}
        outbox.add_set(session, new_id(started_at), {"exercise": "row", **times})
        hashes = [hashlib.sha256(sent).hexdigest() for sent in kept[session]]
        outbox.add_completion(session, {"acc": hashes})
    return kept


def answering(status: int, asked: list[str]) -> Client:
    """A client whose server always returns this status; requested paths are recorded."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(status, json={"title": "so it is", "session": "as sent", "set": "1"})

    return served_by(answer)


def served_by(answer: Callable[[httpx.Request], httpx.Response]) -> Client:
    """A client whose server is a function."""
    return Client("http://127.0.0.1:1", transport=httpx.MockTransport(answer))


def items_of(request: httpx.Request) -> list[dict[str, Any]]:
    """The chunks of a request, in order."""
    stream = io.BytesIO(request.content)
    decoder = cbor2.CBORDecoder(stream)
    items: list[dict[str, Any]] = []
    while stream.tell() < len(request.content):
        items.append(decoder.decode())
    return items


def receipts_of(request: httpx.Request) -> httpx.Response:
    """The response of a server that stores every chunk."""
    if not request.url.path.endswith("/chunks"):
        return httpx.Response(200, json={"session": "as sent", "set": "as sent"})
    receipts = [{"sha256": sha(item["chunk"])} for item in items_of(request)]
    return httpx.Response(200, json={"results": receipts})
