"""A phone for tests: one session of one person, as bytes on the wire."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import numpy as np

from examples.client import new_id as fresh_id
from ingest.chunks import canonical_body
from models.signal.pieces import Piece

CBOR = {"Content-Type": "application/cbor"}
N, RATE_HZ = 100, 50.0  # two seconds a chunk
STREAMS: dict[str, dict[str, str]] = {
    "acc": {"kind": "acc", "unit": "g", "device": "watch", "placement": "wrist", "side": "left"},
    "gyro": {
        "kind": "gyro",
        "unit": "rad/s",
        "device": "watch",
        "placement": "wrist",
        "side": "left",
    },
}


@dataclass
class Phone:
    """A client for one session over HTTP."""

    http: httpx.Client
    session: UUID = field(default_factory=fresh_id)
    started: datetime = field(
        default_factory=lambda: datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    )

    @property
    def path(self) -> str:
        return f"/v1/sessions/{self.session}"

    def body(self, stream: str, seq: int, variant: int = 0, at_rest: float = 1.0) -> bytes:
        """A chunk of two seconds; a wrist that moves a little around rest."""
        unit = STREAMS[stream]["unit"]
        rng = np.random.default_rng([seq, variant])
        values = rng.normal(0, 0.05, (N, 3)) + [0, 0, at_rest if stream == "acc" else 0]
        scale = 1 / 2000
        t0_ns = int(self.started.timestamp()) * 10**9 + seq * N * 20_000_000
        counts = np.rint(values / scale).astype(np.int16)
        return canonical_body(Piece(t0_ns, RATE_HZ, unit, scale, counts))

    def open(self, **changes: Any) -> httpx.Response:
        said = {
            "started_at": self.started.isoformat(),
            "timezone": "Europe/London",
            "sent_at": datetime.now(UTC).isoformat(),
            "streams": STREAMS,
        }
        return self.http.put(self.path, json={**said, **changes})

    def put(self, stream: str, seq: int, body: bytes, **headers: str) -> httpx.Response:
        path = f"{self.path}/streams/{stream}/chunks/{seq}"
        return self.http.put(path, content=body, headers={**CBOR, **headers})

    def send(self, chunks: int) -> dict[str, list[str]]:
        """Send `chunks` chunks of both streams; return the hashes for `complete`."""
        hashes: dict[str, list[str]] = {name: [] for name in STREAMS}
        for stream, listed in hashes.items():
            for seq in range(chunks):
                answer = self.put(stream, seq, self.body(stream, seq))
                assert answer.status_code == 200, answer.text
                listed.append(answer.json()["sha256"])
                assert listed[-1] == sha(self.body(stream, seq))
        return hashes

    def complete(self, streams: dict[str, list[str]]) -> httpx.Response:
        said = {"sent_at": datetime.now(UTC).isoformat(), "streams": streams}
        return self.http.post(f"{self.path}/complete", json=said)

    def confirm(self, set_id: UUID, etag: str | None = None, **changes: Any) -> httpx.Response:
        said = {
            "exercise": "bench press",
            "started_at": (self.started + timedelta(seconds=1)).isoformat(),
            "ended_at": (self.started + timedelta(seconds=5)).isoformat(),
            "reps": 3,
        }
        headers = {"If-Match": etag} if etag else {}
        path = f"{self.path}/sets/{set_id}"
        return self.http.put(path, json={**said, **changes}, headers=headers)


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def problem(answer: httpx.Response, status: int, name: str) -> dict[str, Any]:
    """The problem in a response that must have this status and name."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["type"] == f"urn:muvr:problem:{name}"
    return found
