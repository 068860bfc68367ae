"""A small chunk as CBOR and as JSON, its stored form, and mutations of its bytes."""

import json
import random

import cbor2
import numpy as np

from ingest.chunks import canonical_body, decode_chunk
from ingest.media_types import CBOR
from ingest.sample_rows import body_of, row_of
from models.signal.pieces import Piece
from schemas.config import Limits

LIMITS = Limits()
COUNTS = np.arange(30, dtype=np.int16).reshape(-1, 3)
PIECE = Piece(1_700_000_000_000_000_000, 50.0, "g", 1 / 4096, COUNTS)
FIELDS = cbor2.loads(canonical_body(PIECE))
JSON_CHUNK: dict[str, object] = {
    "t0": "2026-11-21T10:00:00.123456789Z",
    "rate_hz": 50,
    "unit": "g",
    "x": [0.5, -2, 0.25],
    "y": [0, 0.001, -0.3],
    "z": [1, 0.99, 1.01],
}


def cbor(**changes: object) -> bytes:
    fields = {**FIELDS, **changes}
    return cbor2.dumps({key: value for key, value in fields.items() if value is not ...})


def json_body(**changes: object) -> bytes:
    return json.dumps({**JSON_CHUNK, **changes}).encode()


def kept(body: bytes, media: str = CBOR) -> bytes:
    """The body rebuilt from its stored row."""
    return body_of(row_of(decode_chunk(body, media, LIMITS), 3, 0))


def mutated(body: bytes, rng: random.Random) -> bytes:
    """A body with a few bytes changed, removed, repeated or added."""
    out = bytearray(body)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(4):
            case 0:
                out[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del out[at : at + rng.randint(1, 8)]
            case 2:
                out[at:at] = rng.randbytes(rng.randint(1, 8))
            case _:
                out[at:at] = out[max(at - 16, 0) : at]
    return bytes(out)
