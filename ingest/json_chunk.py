"""Decodes the JSON form of a chunk: lists of numbers, quantised to 16 bits per chunk."""

import re
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from ingest.checks import bad, checked_offsets
from ingest.quantise import quantised
from models.signal.pieces import Piece
from schemas.config import Limits
from schemas.errors import BadChunk
from schemas.wire import MAX_MAGNITUDE, JsonChunk, magnitude_rule, unit_rule

_decoder = msgspec.json.Decoder(JsonChunk)
_time_decoder = msgspec.json.Decoder(datetime)
_FIELD = re.compile(r"`\$\.([^`]+)`|field `([^`]+)`")
_POSITION = re.compile(r"\(byte (\d+)\)$")
_PART = re.compile(r"[^.\[\]]+")


def read_json(body: bytes, limits: Limits) -> Piece:
    """Decode and quantise a JSON chunk.

    Raises:
        BadChunk: which field, and its value.
    """
    try:
        chunk = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        field = _path(problem)
        says = f"the body is no JSON chunk: {problem}"
        raise BadChunk(says, field=field, value=_value_at(body, field, problem)) from problem
    if chunk.v != 1:
        raise bad("v", chunk.v, "must be 1")
    if chunk.unit not in MAX_MAGNITUDE:
        raise bad("unit", chunk.unit, unit_rule(chunk.unit))
    values = _values(chunk, limits)
    scale, counts = quantised(values)
    return Piece(
        t0_ns=nanoseconds(chunk.t0),
        rate_hz=chunk.rate_hz,
        unit=chunk.unit,
        scale=scale,
        counts=counts,
        t_ms=None if chunk.t_ms is None else checked_offsets(chunk.t_ms, len(values)),
    )


def nanoseconds(text: str) -> int:
    """RFC 3339 as nanoseconds since the epoch; digits past the nanosecond are refused.

    >>> nanoseconds("1970-01-01T00:00:01.000000001Z")
    1000000001

    Raises:
        BadChunk: no RFC 3339 time with an offset.
    """
    head, dot, tail = text.partition(".")
    digits = len(tail) - len(tail.lstrip("0123456789"))
    fraction, offset = tail[:digits], tail[digits:]
    if dot and not 1 <= digits <= 9:
        raise bad("t0", text, "must have one to nine digits after the point")
    try:
        whole = _time_decoder.decode(msgspec.json.encode(head + offset))
    except msgspec.DecodeError as problem:
        raise bad("t0", text, "must be RFC 3339, such as 2026-11-21T10:00:00.5Z") from problem
    if whole.tzinfo is None:
        raise bad("t0", text, "must end in Z or an offset such as +01:00")
    return int(whole.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0"))


def _values(chunk: JsonChunk, limits: Limits) -> NDArray[np.float64]:
    """The three lists as float64 (n, 3), checked against the limits of the unit."""
    n = len(chunk.x)
    if not 1 <= n <= limits.chunk_samples:
        raise bad("x", n, f"must hold 1 to {limits.chunk_samples} numbers")
    for name, numbers in (("y", chunk.y), ("z", chunk.z)):
        if len(numbers) != n:
            raise bad(name, len(numbers), f"must hold as many numbers as x: {n}")
    values = np.array((chunk.x, chunk.y, chunk.z), dtype=np.float64).T
    largest = MAX_MAGNITUDE[chunk.unit]
    wrong = ~(np.abs(values) <= largest)  # true for NaN too
    if wrong.any():
        row, axis = np.argwhere(wrong)[0]
        at = f"{'xyz'[axis]}[{row}]"
        raise bad(at, float(values[row, axis]), magnitude_rule(chunk.unit))
    return values


def _path(problem: Exception) -> str:
    """The field in msgspec's message: "... - at `$.x[3]`", "unknown field `q`"."""
    match = _FIELD.search(str(problem))
    return (match[1] or match[2])[:60] if match else "body"


def _value_at(body: bytes, field: str, problem: Exception) -> object:
    """The value of a field that msgspec refuses; of invalid JSON, the text at that position."""
    if position := _POSITION.search(str(problem)):
        start = int(position[1])
        return body[start : start + 20].decode(errors="replace")
    try:
        value = msgspec.json.decode(body)
        for part in _PART.findall(field):
            value = value[int(part) if isinstance(value, list) else part]
    except (ValueError, LookupError, TypeError, RecursionError):
        return None  # a missing field, or a number out of range
    return value
