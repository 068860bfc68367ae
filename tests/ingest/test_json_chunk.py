"""JSON chunks: rounding, and refusals with field and value."""

import json
from typing import Any

import numpy as np
import pytest

from ingest.chunks import decode_chunk
from ingest.json_chunk import nanoseconds
from ingest.media_types import JSON
from schemas.config import Limits
from schemas.errors import BadChunk
from tests.ingest.chunk_bodies import JSON_CHUNK, LIMITS, json_body, kept


def test_json_samples_are_rounded_to_the_quantum_of_the_chunk() -> None:
    chunk = decode_chunk(json_body(), JSON + "; charset=utf-8", LIMITS)
    assert chunk.piece.t0_ns % 10**9 == 123_456_789
    assert chunk.quantum == chunk.piece.scale == 2 / 32767
    sent = np.array([JSON_CHUNK["x"], JSON_CHUNK["y"], JSON_CHUNK["z"]]).T
    assert np.abs(chunk.piece.counts * chunk.quantum - sent).max() <= chunk.quantum / 2
    assert kept(json_body(), JSON) == json_body()


def test_all_zero_samples_are_decoded() -> None:
    chunk = decode_chunk(json_body(x=[0], y=[0], z=[0]), JSON, LIMITS)
    assert chunk.piece.counts.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1970-01-01T00:00:01Z", 10**9),
        ("1970-01-01T00:00:00.5Z", 500_000_000),
        ("1970-01-01T01:00:00.25+01:00", 250_000_000),
        ("1969-12-31T23:30:00.000000001-00:30", 1),
        ("1969-12-31T23:59:59.75Z", -250_000_000),
    ],
)
def test_times_are_read_to_the_nanosecond(text: str, ns: int) -> None:
    assert nanoseconds(text) == ns


@pytest.mark.parametrize("most", [1000.0, -1000.0])
def test_the_largest_magnitude_is_accepted_and_all_counts_are_used(most: float) -> None:
    chunk = decode_chunk(json_body(x=[most], y=[0], z=[0]), JSON, LIMITS)
    assert chunk.piece.counts.tolist() == [[np.sign(most) * 32767, 0, 0]]


def test_full_precision_indented_json_is_within_the_body_limit() -> None:
    n = LIMITS.chunk_samples
    axes = dict.fromkeys("xyz", [-1.2345678901234567e-100] * n)
    times = [2**31 - n + t for t in range(n)]
    body = json.dumps({**JSON_CHUNK, **axes, "t_ms": times}, indent=8).encode()
    assert kept(body, JSON) == body


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("x", json_body(x=[])),
        ("x", json_body(**dict.fromkeys("xyz", [0] * (LIMITS.chunk_samples + 1)))),
        ("x[0]", json_body(x=[1000.1, 0, 0])),
        ("y", json_body(y=[1, 2])),
        ("x[1]", json_body(x=[1, 1e6, 1])),
        ("unit", json_body(unit="lb")),
        ("q", json_body(q=1)),
        ("z", json.dumps({k: v for k, v in JSON_CHUNK.items() if k != "z"}).encode()),
        ("body", json_body().replace(b"0.5", b"NaN")),
        ("x[0]", json_body().replace(b"0.5", b"1e999")),
        ("t0", json_body(t0="2026-11-21T10:00:00")),
        ("t0", json_body(t0="yesterday")),
        ("t0", json_body(t0="2026-11-21T10:00:00.Z")),
        ("t0", json_body(t0="2026-11-21T10:00:00.1234567890Z")),
        ("rate_hz", json_body(rate_hz=1e9)),
        ("body", b"[1]"),
        ("body", b"\xff\xfe"),
        ("body", b"[" * 10_000),
    ],
)
def test_invalid_json_chunk_is_refused_with_its_field(field: str, body: bytes) -> None:
    with pytest.raises(BadChunk) as caught:
        decode_chunk(body, JSON, LIMITS)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"rate_hz": "50"}, "rate_hz", "50"),
        ({"x": [0, "a"]}, "x[1]", "a"),
        ({"y": [None, 0]}, "y[0]", None),
        ({"t_ms": [0, 0.5]}, "t_ms[1]", 0.5),
        ({"t0": 5}, "t0", 5),
        ({"x": {"a": 1}}, "x", {"a": 1}),
        ({"heart": 60}, "heart", 60),
        ({"unit": "furlong"}, "unit", "furlong"),
        ({"v": 2}, "v", 2),
        ({"x": [0, float("nan")]}, "body", "NaN], "),
        ({"z": [float("-inf"), 0]}, "body", "Infinity, 0]}"),
    ],
)
def test_json_errors_carry_field_and_value(
    changes: dict[str, Any], field: str, value: object
) -> None:
    with pytest.raises(BadChunk) as refused:
        decode_chunk(json_body(**changes), JSON, Limits())
    assert refused.value.field == field
    refused_value = refused.value.value
    assert refused_value == value or (field == "body" and str(refused_value).startswith(str(value)))


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"5", b"{", b"\xff", b'{"x": 1e999}'])
def test_malformed_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadChunk):
        decode_chunk(body, JSON, Limits())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"unit": "mg"}, "for mg send unit 'g' with scale × 0.001 (in JSON, values × 0.001)"),
        ({"unit": "mrad/s"}, "for mrad/s send unit 'rad/s' with scale × 0.001"),
        ({"unit": "m/s²"}, "for m/s² send unit 'm/s2'"),
        ({"x": [1024.0], "y": [0], "z": [0]}, "±1000 g; for mg send unit 'g' with scale × 0.001"),
    ],
)
def test_refusal_of_milli_units_says_what_to_send(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(BadChunk) as refused:
        decode_chunk(json_body(**changes), JSON, LIMITS)
    assert says in str(refused.value)
