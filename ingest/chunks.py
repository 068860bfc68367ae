"""Decodes chunks into checked samples, and rebuilds the exact bytes from stored samples.

A receipt promises that the bytes with a hash are stored, so the body must be reproducible in
whatever form a client sent it. Most bodies are canonical and can be rebuilt from the columns of
their row. Others store an envelope: the body around its sample bytes, or all of it.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import cbor2
import msgspec
import numpy as np
import zstandard

from ingest.canonical import canonical_piece
from ingest.cbor import read_cbor
from ingest.checks import bad, checked, checked_offsets
from ingest.json_chunk import read_json
from ingest.media_types import CBOR, JSON, media_type_of
from models.signal.codec import pack_bytes, unpack_bytes
from models.signal.pieces import Piece
from schemas.config import Limits
from schemas.errors import BadChunk, BadSamples, TooLarge
from schemas.wire import CHUNK_FIELDS

_KNOWN = frozenset((*CHUNK_FIELDS, "t_ms"))
_NEEDED = frozenset(CHUNK_FIELDS)
_AROUND, _WHOLE = b"A", b"W"
BYTES_A_SAMPLE, BYTES_AROUND = 256, 4096
"""The most bytes of a body that is stored with an envelope: per sample, and in addition. A sample
of three numbers with all their digits, each on a line of its own, takes 120 bytes."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A decoded and checked body.

    Attributes:
        sha256: hash of the body without its Content-Encoding.
        piece: the samples.
        envelope: what `rebuild_body` needs besides the samples; empty for a canonical body.
        quantum: the step in `piece.unit` that JSON values were rounded to, None for CBOR.
    """

    sha256: bytes
    piece: Piece
    envelope: bytes
    quantum: float | None = None


class NumberedChunk(NamedTuple):
    """A chunk with the name of its stream and its number in it."""

    stream: str
    seq: int
    chunk: Chunk


def decode_chunk(body: bytes, media_type: str, limits: Limits) -> Chunk:
    """Decode and check one chunk.

    Args:
        body: without its Content-Encoding.
        media_type: the Content-Type header; parameters such as charset are ignored.
        limits: `chunk_samples` caps n.

    Raises:
        BadChunk: which field, and its value.
        TooLarge: far more bytes than its samples need.
        UnsupportedMedia: neither CBOR nor JSON.
    """
    if media_type_of(media_type, (CBOR, JSON)) == CBOR:
        piece, envelope = _from_cbor(body, limits)
        return Chunk(hashlib.sha256(body).digest(), piece, envelope)
    piece = checked(read_json(body, limits), limits)
    _refuse_long(body, len(piece.counts))
    return Chunk(hashlib.sha256(body).digest(), piece, _WHOLE + pack_bytes(body), piece.scale)


def read_samples(chunk: object, media_type: str, limits: Limits) -> Piece:
    """Decode a chunk that is only classified, not stored: without hash and envelope.

    Args:
        chunk: its bytes, or its fields if it was part of a larger body.
        media_type: of that body, `CBOR` or `JSON`.
        limits: `chunk_samples` caps n.

    Raises:
        BadChunk: which field, and its value.
    """
    written = isinstance(chunk, bytes)
    if media_type == JSON:
        return checked(read_json(chunk if written else msgspec.json.encode(chunk), limits), limits)
    return checked(_piece(_fields(read_cbor(chunk) if written else chunk), limits), limits)


def canonical_body(piece: Piece) -> bytes:
    """The CBOR form in which clients should send a piece: fields in order, doubles, no tags.

    >>> piece = Piece(0, 50.0, "g", 0.001, np.zeros((1, 3), dtype=np.int16))
    >>> cbor2.loads(canonical_body(piece))["n"]
    1
    """
    fields: dict[str, object] = {
        "v": 1,
        "t0": piece.t0_ns,
        "rate_hz": piece.rate_hz,
        "unit": piece.unit,
        "scale": piece.scale,
        "n": len(piece.counts),
        "xyz": piece.counts.astype("<i2", copy=False).tobytes(),
    }
    if piece.t_ms is not None:
        fields["t_ms"] = piece.t_ms.tolist()
    return cbor2.dumps(fields)


def _from_cbor(body: bytes, limits: Limits) -> tuple[Piece, bytes]:
    usual = canonical_piece(body)
    if usual is not None:
        return checked(usual, limits), b""
    fields = _fields(read_cbor(body))
    piece = checked(_piece(fields, limits), limits)
    if canonical_body(piece) == body:
        return piece, b""
    _refuse_long(body, len(piece.counts))
    return piece, _envelope(body, fields["xyz"])


def _refuse_long(body: bytes, n: int) -> None:
    """Refuse a body with far more bytes than its samples need.

    The daily quota counts samples, but such a body is kept byte for byte.

    Raises:
        TooLarge: more than `BYTES_A_SAMPLE` for each sample and `BYTES_AROUND` them.
    """
    most = BYTES_AROUND + n * BYTES_A_SAMPLE
    if len(body) > most:
        raise TooLarge(
            f"the body has {len(body)} bytes; with n = {n} it may have {most}",
            field="body",
            value=len(body),
        )


def _fields(value: object) -> dict[str, Any]:
    """The value as a map with the keys of a chunk."""
    if type(value) is not dict:
        raise BadChunk("the body must be a CBOR map", field="body", value=type(value).__name__)
    fields = cast("dict[str, Any]", value)
    if fields.keys() != _NEEDED:
        _refuse_keys(fields)
    return fields


def _refuse_keys(fields: Mapping[Any, Any]) -> None:
    unknown = [key for key in fields if key not in _KNOWN]
    if unknown:
        raise bad(str(unknown[0])[:60], fields[unknown[0]], "is no field of a chunk")
    for key in CHUNK_FIELDS:
        if key not in fields:
            raise BadChunk(f"{key} is missing", field=key)


def _piece(fields: Mapping[str, Any], limits: Limits) -> Piece:
    """The samples in a map's fields.

    Types are checked first: a bool is no number, and NaN compares false with every bound.
    """
    n, t0, xyz, t_ms = fields["n"], fields["t0"], fields["xyz"], fields.get("t_ms")
    if fields["v"] != 1 or type(fields["v"]) is not int:
        raise bad("v", fields["v"], "must be 1")
    for key, value in (("n", n), ("t0", t0)):
        if type(value) is not int:
            raise bad(key, value, "must be an integer")
    if not 1 <= n <= limits.chunk_samples:
        raise bad("n", n, f"must lie between 1 and {limits.chunk_samples}")
    if type(xyz) is not bytes or len(xyz) != 6 * n:
        size = len(xyz) if type(xyz) is bytes else type(xyz).__name__
        raise bad("xyz", size, f"must be 6·n = {6 * n} bytes")
    if "t_ms" in fields and type(t_ms) is not list:
        raise bad("t_ms", t_ms, "must be a list of integers, or left out")
    return Piece(
        t0_ns=t0,
        rate_hz=_number("rate_hz", fields["rate_hz"]),
        unit=_text("unit", fields["unit"]),
        scale=_number("scale", fields["scale"]),
        counts=np.frombuffer(xyz, dtype="<i2").reshape(-1, 3),
        t_ms=None if t_ms is None else checked_offsets(t_ms, n),
    )


def _number(key: str, value: Any) -> float:
    if type(value) not in (float, int) or not math.isfinite(value):
        raise bad(key, value, "must be a finite number")
    return float(value)


def _text(key: str, value: object) -> str:
    if type(value) is not str:
        raise bad(key, value, "must be text")
    return value


def _envelope(body: bytes, xyz: bytes) -> bytes:
    """The body without its sample bytes; the whole body if these are not contiguous."""
    at = body.find(xyz)
    if at < 0:
        return _WHOLE + pack_bytes(body)
    return _AROUND + msgspec.msgpack.encode((body[:at], body[at + len(xyz) :]))


def rebuild_body(piece: Piece, envelope: bytes) -> bytes:
    """The exact body that `decode_chunk` was given.

    Raises:
        BadSamples: the envelope is of an unknown kind.
    """
    if not envelope:
        return canonical_body(piece)
    if envelope[:1] == _AROUND:
        before, after = msgspec.msgpack.decode(envelope[1:], type=tuple[bytes, bytes])
        return before + piece.counts.astype("<i2", copy=False).tobytes() + after
    if envelope[:1] == _WHOLE:
        return unpack_bytes(envelope[1:], zstandard.frame_content_size(envelope[1:]))
    raise BadSamples(f"an envelope of kind {envelope[:1]!r} is not known here")
