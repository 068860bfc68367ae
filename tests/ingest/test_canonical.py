"""Canonical CBOR bodies are recognised by the fast path, and only those."""

from dataclasses import replace

import cbor2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.canonical import canonical_piece
from ingest.chunks import canonical_body, decode_chunk
from ingest.media_types import CBOR
from models.signal.pieces import Piece
from schemas.config import Limits
from schemas.wire import MAX_MAGNITUDE

LIMITS = Limits()
PIECE = Piece(1_700_000_000_000_000_000, 50.0, "g", 1 / 4096, np.zeros((256, 3), np.int16))


@pytest.mark.parametrize("n", [255, 256, 512, 4096, 10_922, 10_923])
@pytest.mark.parametrize("unit", sorted(MAX_MAGNITUDE))
def test_fast_path_of_canonical_bodies_agrees_with_the_cbor_decoder(n: int, unit: str) -> None:
    counts = np.random.default_rng(n).integers(-32768, 32768, (n, 3)).astype(np.int16)
    body = canonical_body(replace(PIECE, unit=unit, counts=counts))
    found = canonical_piece(body)
    assert (found is not None) == (256 <= n <= 10_922)  # CBOR uses other widths
    if found is not None:
        said = cbor2.loads(body)
        assert (found.t0_ns, found.rate_hz, found.scale) == (
            said["t0"],
            said["rate_hz"],
            said["scale"],
        )
        assert (found.unit, found.counts.tobytes()) == (unit, said["xyz"])


@given(st.integers(0, 120), st.binary(min_size=1, max_size=9), st.booleans())
def test_fast_path_accepts_only_canonical_bodies(at: int, junk: bytes, cut: bool) -> None:
    body = canonical_body(replace(PIECE, counts=np.zeros((256, 3), np.int16)))
    body = body[:at] + junk + body[at + len(junk) :]
    found = canonical_piece(body[:-1] if cut else body)
    assert found is None or (not cut and canonical_body(found) == body)


def test_non_minimal_integer_encodings_take_the_slow_path() -> None:
    large = canonical_body(replace(PIECE, counts=np.zeros((256, 3), np.int16)))
    t0 = large.index(b"t0\x1b") + 3
    early = large[:t0] + bytes(4) + b"\xff" * 4 + large[t0 + 8 :]
    assert canonical_piece(early) is None
    assert decode_chunk(early, CBOR, LIMITS).envelope
