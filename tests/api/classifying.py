"""Requests to classify the movement of a wrist."""

import cbor2
import httpx

from ingest.chunks import canonical_body
from models.signal.pieces import Piece, Recording
from tests.api.conftest import Person

CBOR = {"Content-Type": "application/cbor"}


def first_seconds(recording: Recording, seconds: float) -> Recording:
    def cut(piece: Piece) -> Piece:
        n = int(seconds * piece.rate_hz)
        return Piece(piece.t0_ns, piece.rate_hz, piece.unit, piece.scale, piece.counts[:n])

    return Recording((cut(recording.acc[0]),), (cut(recording.gyro[0]),), recording.side)


def body_of(recording: Recording) -> bytes:
    """Both sensors of a wrist, as CBOR."""
    streams = {
        "acc": cbor2.loads(canonical_body(recording.acc[0])),
        "gyro": cbor2.loads(canonical_body(recording.gyro[0])),
    }
    return cbor2.dumps({"streams": streams, "side": recording.side})


def classify(person: Person, body: bytes, **headers: str) -> httpx.Response:
    with person.client() as client:
        return client.post("/v1/classify", content=body, headers={**CBOR, **headers})
