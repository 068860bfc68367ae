"""A client of the live connection: sends items and reads messages."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import cbor2
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from models.signal.pieces import Piece, Recording
from muvr.importing import chunk_bodies
from tests.api.conftest import Person, RunningService
from tests.api.phone import fresh_id


def open_session(person: Person, recording: Recording) -> uuid.UUID:
    session = fresh_id()
    about = {"device": "watch", "placement": "wrist", "side": recording.side}
    body = {
        "started_at": datetime.fromtimestamp(recording.acc[0].t0_ns / 1e9, UTC).isoformat(),
        "timezone": "Europe/London",
        "streams": {
            "acc": {"kind": "acc", "unit": recording.acc[0].unit, **about},
            "gyro": {"kind": "gyro", "unit": recording.gyro[0].unit, **about},
        },
    }
    with person.client() as client:
        answer = client.put(f"/v1/sessions/{session}", json=body)
    assert answer.status_code == 200, answer.text
    return session


def bodies(piece: Piece, count: int | None = None, samples: int = 50) -> list[bytes]:
    """The first chunks of a stream, by default all, of a second each."""
    return [body for body, _ in islice(chunk_bodies([piece], samples=samples), count)]


@contextmanager
def talk(
    service: RunningService, session: uuid.UUID, token: str | None
) -> Iterator[ClientConnection]:
    url = service.url.replace("http://", "ws://") + f"/v1/sessions/{session}/live"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with connect(url, additional_headers=headers, open_timeout=20) as connection:
        yield connection


def hear(connection: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of one type; others are skipped."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        message = json.loads(connection.recv(timeout=20))
        if message["type"] == kind:
            return message
    raise AssertionError(f"no {kind} came")


def receipts_and_problems(
    connection: ClientConnection, count: int
) -> tuple[list[int], list[dict[str, Any]]]:
    """The sequence numbers of receipts and the problems among the next `count` messages."""
    heard = [json.loads(connection.recv(timeout=20)) for _ in range(count)]
    receipts = [one["seq"] for one in heard if one["type"] == "receipt"]
    return receipts, [one["problem"] for one in heard if one["type"] == "problem"]


def item(stream: str, seq: int, chunk: bytes) -> bytes:
    return cbor2.dumps({"stream": stream, "seq": seq, "chunk": chunk})


def drain(connection: ClientConnection) -> None:
    """Receive until the server closes the connection."""
    while True:
        connection.recv(timeout=20)


def close_code(connection: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        drain(connection)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code
