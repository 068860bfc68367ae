"""Chunk bodies: what is understood, what is refused and why, and that every byte comes back."""

import gzip
import hashlib
import io
import json
import random
import resource

import cbor2
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.bodies import decode_body
from ingest.chunks import CBOR, JSON, canonical_body, decode_chunk, rebuild_body
from ingest.rows import body_of, row_of
from models.signal.pieces import Piece
from schemas.config import Limits
from schemas.errors import BadChunk, BadInput, TooLarge, UnsupportedMedia
from schemas.wire import LARGEST

LIMITS = Limits()
COUNTS = np.arange(30, dtype=np.int16).reshape(-1, 3)
PIECE = Piece(1_700_000_000_000_000_000, 50.0, "g", 1 / 4096, COUNTS)
FIELDS = cbor2.loads(canonical_body(PIECE))
READABLE = {
    "t0": "2026-11-21T10:00:00.123456789Z",
    "rate_hz": 50,
    "unit": "m/s2",
    "x": [0.5, -19.6, 0.25],
    "y": [0, 0.001, -3],
    "z": [9.81, 9.8, 9.79],
}


def cbor(**changes: object) -> bytes:
    fields = {**FIELDS, **changes}
    return cbor2.dumps({key: value for key, value in fields.items() if value is not ...})


def readable(**changes: object) -> bytes:
    return json.dumps({**READABLE, **changes}).encode()


def kept(body: bytes, media: str = CBOR) -> bytes:
    """The body through its row."""
    return body_of(row_of(decode_chunk(body, media, LIMITS), 3, 0))


pieces = st.builds(
    lambda t0, rate, unit, size, seed, n, irregular: Piece(
        t0,
        rate,
        unit,
        size,
        np.random.default_rng(seed).integers(-32768, 32768, (n, 3)).astype(np.int16),
        np.sort(np.random.default_rng(seed).integers(0, 2**31, n)).astype(np.int32)
        if irregular
        else None,
    ),
    st.integers(0, 2**62 - 1),
    st.floats(1, 1000),
    st.sampled_from(sorted(LARGEST)),
    st.floats(1e-300, 1000 / 32767),
    st.integers(0, 2**32),
    st.integers(1, 200),
    st.booleans(),
)


@given(pieces)
def test_canonical_bodies_are_understood_and_come_back_from_their_row(piece: Piece) -> None:
    body = canonical_body(piece)
    chunk = decode_chunk(body, CBOR, LIMITS)
    assert chunk.sha256 == hashlib.sha256(body).digest()
    assert chunk.envelope == b""
    assert (chunk.piece.counts == piece.counts).all()
    assert (chunk.piece.t0_ns, chunk.piece.rate_hz) == (piece.t0_ns, piece.rate_hz)
    assert kept(body) == body


@pytest.mark.parametrize(
    "body",
    [
        cbor2.dumps(dict(reversed(FIELDS.items()))),
        cbor(rate_hz=50),
        cbor2.dumps(FIELDS, canonical=True),
        b"\xbf" + canonical_body(PIECE)[1:] + b"\xff",  # a map of unsaid length
        canonical_body(PIECE)[:-62] + b"\x5f\x41\x00\x58\x3b" + bytes(59) + b"\xff",
    ],
    ids=["other order", "whole rate", "short floats", "open map", "bytes in pieces"],
)
def test_unusual_bodies_come_back_too(body: bytes) -> None:
    chunk = decode_chunk(body, CBOR, LIMITS)
    assert chunk.envelope
    assert rebuild_body(chunk.piece, chunk.envelope) == body
    assert kept(body) == body


def test_json_is_rounded_to_a_step_that_the_chunk_names() -> None:
    chunk = decode_chunk(readable(), JSON + "; charset=utf-8", LIMITS)
    assert chunk.piece.t0_ns % 10**9 == 123_456_789
    assert chunk.quantum == chunk.piece.scale == 19.6 / 32767
    sent = np.array([READABLE["x"], READABLE["y"], READABLE["z"]]).T
    assert np.abs(chunk.piece.counts * chunk.quantum - sent).max() <= chunk.quantum / 2
    assert kept(readable(), JSON) == readable()


def test_zeros_have_a_step_too() -> None:
    chunk = decode_chunk(readable(x=[0], y=[0], z=[0]), JSON, LIMITS)
    assert chunk.piece.counts.tolist() == [[0, 0, 0]]


ONE = {"x": [0.1], "y": [0.1], "z": [0.1]}


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (JSON, readable(**ONE).replace(b"[0.1]", b"[0." + b"1" * 9000 + b"]", 1)),
        (JSON, readable(**ONE) + b" " * 9000),
        (JSON, readable(**ONE).replace(b"{", b"{" + b'"v": 1,' * 1300)),
        (
            CBOR,
            canonical_body(PIECE)[:-62]
            + b"\x5f"
            + b"\x40" * 9000
            + b"\x58\x3c"
            + bytes(60)
            + b"\xff",
        ),
    ],
    ids=["digits", "blanks", "a field again and again", "empty pieces"],
)
def test_a_body_that_is_kept_whole_is_no_longer_than_its_samples_need(
    media: str, body: bytes
) -> None:
    with pytest.raises(TooLarge) as caught:
        decode_chunk(body, media, LIMITS)
    assert (caught.value.field, caught.value.value) == ("body", len(body))


def test_numbers_with_all_their_digits_on_lines_of_their_own_are_short_enough() -> None:
    n = LIMITS.chunk_samples
    axes = dict.fromkeys("xyz", [-1.2345678901234567e-100] * n)
    times = [2**31 - n + t for t in range(n)]
    body = json.dumps({**READABLE, **axes, "t_ms": times}, indent=8).encode()
    assert kept(body, JSON) == body


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("v", {"v": 2}),
        ("v", {"v": True}),
        ("t0", {"t0": -1}),
        ("t0", {"t0": 2**62}),
        ("t0", {"t0": 1.5}),
        ("t0", {"t0": 10**5000}),
        ("t0", {"t0": cbor2.CBORTag(30, [1, 2])}),
        ("rate_hz", {"rate_hz": 10**5000}),
        ("t_ms", {"t_ms": [0] * 9 + [10**5000]}),
        ("rate_hz", {"rate_hz": 0.99}),
        ("rate_hz", {"rate_hz": 1000.1}),
        ("rate_hz", {"rate_hz": float("nan")}),
        ("rate_hz", {"rate_hz": float("inf")}),
        ("rate_hz", {"rate_hz": "50"}),
        ("unit", {"unit": "furlong"}),
        ("unit", {"unit": 1}),
        ("scale", {"scale": 0.0}),
        ("scale", {"scale": -1e-3}),
        ("scale", {"scale": float("nan")}),
        ("scale", {"scale": 1.01}),
        ("scale", {"scale": 1.0, "xyz": b"\x00\x80" * 30}),
        ("n", {"n": 0}),
        ("n", {"n": 2**32}),
        ("n", {"n": 8193, "xyz": bytes(8193 * 6)}),
        ("n", {"n": True}),
        ("xyz", {"xyz": bytes(59)}),
        ("xyz", {"xyz": bytes(66)}),
        ("xyz", {"xyz": [1, 2, 3]}),
        ("t_ms", {"t_ms": [0] * 9}),
        ("t_ms", {"t_ms": [0] * 9 + [2**31]}),
        ("t_ms", {"t_ms": [0] * 9 + [0.5]}),
        ("t_ms", {"t_ms": None}),
        ("t_ms[9]", {"t_ms": [0, 1, 2, 3, 4, 5, 6, 7, 8, 7]}),
        ("colour", {"colour": "red"}),
        ("scale", {"scale": ...}),
    ],
)
def test_what_a_sensor_cannot_have_is_refused_by_name(field: str, changes: dict) -> None:
    with pytest.raises(BadChunk) as caught:
        decode_chunk(cbor(**changes), CBOR, LIMITS)
    assert caught.value.field == field


@pytest.mark.parametrize("most_g", [2, 4, 8, 16])
def test_a_sensor_of_eight_bits_is_understood(most_g: int) -> None:
    extremes = np.tile(np.array([-128, 127], dtype="<i2"), 15)
    chunk = decode_chunk(cbor(scale=most_g / 128, xyz=extremes.tobytes()), CBOR, LIMITS)
    assert chunk.piece.counts.min() * chunk.piece.scale == -most_g


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("x", readable(x=[])),
        ("y", readable(y=[1, 2])),
        ("x[1]", readable(x=[1, 1e6, 1])),
        ("unit", readable(unit="lb")),
        ("q", readable(q=1)),
        ("z", json.dumps({k: v for k, v in READABLE.items() if k != "z"}).encode()),
        ("body", readable().replace(b"0.5", b"NaN")),
        ("x[0]", readable().replace(b"0.5", b"1e999")),
        ("t0", readable(t0="2026-11-21T10:00:00")),
        ("t0", readable(t0="yesterday")),
        ("t0", readable(t0="2026-11-21T10:00:00.1234567890Z")),
        ("rate_hz", readable(rate_hz=1e9)),
        ("body", b"[1]"),
        ("body", b"\xff\xfe"),
        ("body", b"[" * 10_000),
    ],
)
def test_json_that_cannot_be_is_refused_by_name(field: str, body: bytes) -> None:
    with pytest.raises(BadChunk) as caught:
        decode_chunk(body, JSON, LIMITS)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xa0",
        b"\x01",
        canonical_body(PIECE) + b"\x00",
        canonical_body(PIECE)[:-1],
        b"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\x5b\x00\x00\x00\xff\xff\xff\xff\xff",
        b"\x81" * 100_000,
        b"\xc2\x5b\x00\x00\x00\x01\x00\x00\x00\x00",
        b"\xd8\x23\x63(a+",
        b"\xc4\x82\x1b\x7f\xff\xff\xff\xff\xff\xff\xff\x01",
        cbor(t0=2**70),
    ],
)
def test_bytes_that_are_no_chunk_are_refused(body: bytes) -> None:
    with pytest.raises(BadChunk):
        decode_chunk(body, CBOR, LIMITS)


def test_other_media_are_refused() -> None:
    with pytest.raises(UnsupportedMedia):
        decode_chunk(b"", "text/plain", LIMITS)
    with pytest.raises(UnsupportedMedia):
        decode_body(b"", "br", LIMITS)


@pytest.mark.parametrize("size", [0, 1, 1000, 300_000])
def test_encodings_are_removed(size: int) -> None:
    raw = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert decode_body(zstandard.compress(raw), "zstd", LIMITS) == raw
    assert decode_body(gzip.compress(raw), "GZIP", LIMITS) == raw
    assert decode_body(raw, None, LIMITS) == raw
    unsized = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(unsized, closefd=False) as writer:
        writer.write(raw)
    assert decode_body(unsized.getvalue(), "zstd", LIMITS) == raw


def _bomb(encoding: str, *, sized: bool = True) -> bytes:
    raw = bytes(64 << 20)
    if encoding == "gzip":
        return gzip.compress(raw)
    return zstandard.ZstdCompressor(write_content_size=sized).compress(raw)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("zstd", _bomb("zstd")),
        ("zstd", _bomb("zstd", sized=False)),
        ("gzip", _bomb("gzip")),
        (None, bytes((1 << 20) + 1)),
    ],
)
def test_bombs_are_refused_in_little_memory(encoding: str | None, body: bytes) -> None:
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(TooLarge):
        decode_body(body, encoding, LIMITS)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 32_000


@pytest.mark.parametrize("cut", [slice(0, -1), slice(0, 10), slice(0, 0)])
@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_cut_and_followed_bodies_are_refused(encoding: str, cut: slice) -> None:
    pack = zstandard.compress if encoding == "zstd" else gzip.compress
    whole = pack(bytes(1000))
    for wrong in (whole[cut], whole + b"x"):
        with pytest.raises(BadChunk):
            decode_body(wrong, encoding, LIMITS)


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


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_mutated_bodies_are_understood_or_refused_never_more(seed: int) -> None:
    rng = random.Random(seed)
    seeds = [(canonical_body(PIECE), CBOR), (cbor(t_ms=list(range(10))), CBOR), (readable(), JSON)]
    for _ in range(100):
        original, media = rng.choice(seeds)
        body = mutated(original, rng)
        try:
            assert kept(body, media) == body
        except BadInput:
            continue


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_mutated_encodings_are_understood_or_refused(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(30):
        encoding = rng.choice(("zstd", "gzip"))
        pack = zstandard.compress if encoding == "zstd" else gzip.compress
        try:
            decode_body(mutated(pack(canonical_body(PIECE)), rng), encoding, LIMITS)
        except BadInput:
            continue
