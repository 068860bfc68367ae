"""What a readable chunk is refused for: the field, and what stands there."""

import json
from typing import Any

import pytest

from ingest.chunks import JSON, decode_chunk
from schemas.config import Limits
from schemas.errors import BadChunk

GOOD: dict[str, Any] = {
    "t0": "2026-11-21T10:00:00Z",
    "rate_hz": 50,
    "unit": "g",
    "x": [0, 0.5],
    "y": [0, 0],
    "z": [1, 1],
}


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
        ({"x": [0, float("nan")]}, "body", "NaN], "),
        ({"z": [float("-inf"), 0]}, "body", "Infinity, 0]}"),
    ],
)
def test_the_value_is_named_beside_its_field(
    changes: dict[str, Any], field: str, value: object
) -> None:
    with pytest.raises(BadChunk) as refused:
        decode_chunk(json.dumps({**GOOD, **changes}).encode(), JSON, Limits())
    assert refused.value.field == field
    said = refused.value.value
    assert said == value or (field == "body" and str(said).startswith(str(value)))


@pytest.mark.parametrize("body", [b"", b"[", b"[]", b"5", b"{", b"\xff", b'{"x": 1e999}'])
def test_what_is_no_chunk_at_all_is_refused_all_the_same(body: bytes) -> None:
    with pytest.raises(BadChunk):
        decode_chunk(body, JSON, Limits())
