"""Chunk bodies: decoding, refusals with their field, and byte-exact reconstruction."""

import hashlib
import random

import cbor2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.cbor import read_cbor
from ingest.chunks import (
    BYTES_A_SAMPLE,
    BYTES_AROUND,
    canonical_body,
    decode_chunk,
    rebuild_body,
)
from ingest.media_types import CBOR, JSON
from models.signal.pieces import Piece
from schemas.errors import BadChunk, BadInput, TooLarge
from schemas.wire import MAX_MAGNITUDE
from tests.ingest.chunk_bodies import FIELDS, LIMITS, PIECE, cbor, json_body, kept, mutated

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
    st.sampled_from(sorted(MAX_MAGNITUDE)),
    st.floats(1e-300, 1000 / 32767),
    st.integers(0, 2**32),
    st.integers(1, 200),
    st.booleans(),
)


@given(pieces)
def test_canonical_bodies_round_trip_through_their_row(piece: Piece) -> None:
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
        b"\xbf" + canonical_body(PIECE)[1:] + b"\xff",  # a map of indefinite length
        canonical_body(PIECE)[:-62] + b"\x5f\x41\x00\x58\x3b" + bytes(59) + b"\xff",
    ],
    ids=["other order", "whole rate", "short floats", "open map", "bytes in pieces"],
)
def test_non_canonical_bodies_round_trip_through_their_envelope(body: bytes) -> None:
    chunk = decode_chunk(body, CBOR, LIMITS)
    assert chunk.envelope
    assert rebuild_body(chunk.piece, chunk.envelope) == body
    assert kept(body) == body


ONE_SAMPLE = {"x": [0.1], "y": [0.1], "z": [0.1]}


def test_json_body_may_be_exactly_as_long_as_its_samples_allow() -> None:
    body = json_body(**ONE_SAMPLE).ljust(BYTES_AROUND + BYTES_A_SAMPLE)
    assert kept(body, JSON) == body
    with pytest.raises(TooLarge):
        decode_chunk(body + b" ", JSON, LIMITS)


@pytest.mark.parametrize(
    ("media", "body"),
    [
        (JSON, json_body(**ONE_SAMPLE).replace(b"[0.1]", b"[0." + b"1" * 9000 + b"]", 1)),
        (JSON, json_body(**ONE_SAMPLE) + b" " * 9000),
        (JSON, json_body(**ONE_SAMPLE).replace(b"{", b"{" + b'"v": 1,' * 1300)),
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
def test_non_canonical_bodies_longer_than_their_samples_need_are_refused(
    media: str, body: bytes
) -> None:
    with pytest.raises(TooLarge) as caught:
        decode_chunk(body, media, LIMITS)
    assert (caught.value.field, caught.value.value) == ("body", len(body))


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
        ("t_ms", {"t_ms": 5}),
        ("t_ms", {"t_ms": bytes(10)}),
        ("t_ms[9]", {"t_ms": [0, 1, 2, 3, 4, 5, 6, 7, 8, 7]}),
        ("colour", {"colour": "red"}),
        ("scale", {"scale": ...}),
    ],
)
def test_invalid_chunk_is_refused_with_its_field(field: str, changes: dict) -> None:
    with pytest.raises(BadChunk) as caught:
        decode_chunk(cbor(**changes), CBOR, LIMITS)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "value"),
    [
        ({"xyz": bytes(59)}, 59),
        ({"xyz": [1, 2, 3]}, "list"),
        ({"unit": "furlong"}, "furlong"),
        ({"rate_hz": 0.5}, 0.5),
    ],
)
def test_refused_chunk_carries_the_value_or_its_size(changes: dict, value: object) -> None:
    with pytest.raises(BadChunk) as caught:
        decode_chunk(cbor(**changes), CBOR, LIMITS)
    assert caught.value.value == value


MOST = LIMITS.chunk_samples


@pytest.mark.parametrize(
    "changes",
    [
        {"n": 1, "xyz": bytes(6)},
        {"n": 1, "xyz": bytes(6), "t_ms": [0]},
        {"n": MOST, "xyz": bytes(6 * MOST)},
        {"n": MOST, "xyz": bytes(6 * MOST), "t_ms": [0] * MOST},
        {"t0": 0},
        {"t0": 2**62 - 1},
        {"rate_hz": 1.0},
        {"rate_hz": 1000.0},
        {"scale": 1.0, "xyz": np.tile(np.array([-1000, 1000], dtype="<i2"), 15).tobytes()},
        {"t_ms": [0] * 9 + [2**31 - 1]},
    ],
    ids=lambda changes: ", ".join(changes),
)
def test_numbers_exactly_at_their_limits_are_accepted(changes: dict) -> None:
    assert kept(cbor(**changes)) == cbor(**changes)


@pytest.mark.parametrize("most_g", [2, 4, 8, 16])
def test_eight_bit_sensor_ranges_are_accepted(most_g: int) -> None:
    extremes = np.tile(np.array([-128, 127], dtype="<i2"), 15)
    chunk = decode_chunk(cbor(scale=most_g / 128, xyz=extremes.tobytes()), CBOR, LIMITS)
    assert chunk.piece.counts.min() * chunk.piece.scale == -most_g


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
        bytes([canonical_body(PIECE)[0] + 1])  # a map with one entry more: `t0` again
        + canonical_body(PIECE)[1:]
        + cbor2.dumps("t0")
        + cbor2.dumps(PIECE.t0_ns),
    ],
)
def test_malformed_cbor_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(BadChunk):
        decode_chunk(body, CBOR, LIMITS)


def test_no_tag_of_cbor_is_interpreted() -> None:
    for tag in range(2**16):
        tagged = cbor2.CBORTag(tag, "1")
        assert read_cbor(cbor2.dumps(tagged)) == tagged, tag


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_mutated_bodies_round_trip_or_are_refused(seed: int) -> None:
    rng = random.Random(seed)
    seeds = [(canonical_body(PIECE), CBOR), (cbor(t_ms=list(range(10))), CBOR), (json_body(), JSON)]
    for _ in range(100):
        original, media = rng.choice(seeds)
        body = mutated(original, rng)
        try:
            assert kept(body, media) == body
        except BadInput:
            continue


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"unit": "mdps"}, "for mdps send unit 'deg/s' with scale × 0.001"),
        ({"unit": "deg/s", "scale": 70.0}, "for mdps send unit 'deg/s' with scale × 0.001"),
        ({"unit": "g", "scale": 0.5, "xyz": b"\x00\x10" * 30}, "for mg send unit 'g' with scale"),
    ],
)
def test_refusal_of_a_binary_chunk_in_milli_units_says_what_to_send(
    changes: dict, says: str
) -> None:
    with pytest.raises(BadChunk) as refused:
        decode_chunk(cbor(**changes), CBOR, LIMITS)
    assert says in str(refused.value)
