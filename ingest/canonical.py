"""Fast path for chunks in canonical form, which are recognised by their first bytes.

Nearly all chunks have the form that clients should send (`ingest.chunks.canonical_body`). Such a
body is recognised without decoding it, and without encoding it again to check that its row
reproduces the same bytes.
"""

import math
import re
import struct

import numpy as np

from models.signal.pieces import Piece

# The byte before a number is its type: \x1b eight bytes, \xfb a double, \x19 and \x59 two bytes.
_HEAD = re.compile(
    rb"\xa7\x61v\x01\x62t0\x1b(.{8})\x67rate_hz\xfb(.{8})"
    rb"\x64unit(?:\x61(?=g)|\x64(?=m)|\x65(?=[rd]))(g|m/s2|rad/s|deg/s)"
    rb"\x65scale\xfb(.{8})\x61n\x19(..)\x63xyz\x59(..)",
    re.DOTALL,
)
_NUMBERS = struct.Struct(">QddHH")
_MIN_T0, _MIN_N = 1 << 32, 1 << 8  # smaller numbers have a shorter canonical form


def canonical_piece(body: bytes) -> Piece | None:
    """The piece of a canonical body; None for a body that must be decoded in full.

    For a returned piece, `canonical_body(piece) == body`. `ingest.checks` checks its numbers.

    Args:
        body: of one chunk, without its Content-Encoding.
    """
    head = _HEAD.match(body)
    if head is None:
        return None
    t0, rate, unit, scale, n, size = head.groups()
    t0_ns, rate_hz, step, n, size = _NUMBERS.unpack(b"".join((t0, rate, scale, n, size)))
    complete = size == 6 * n and len(body) == head.end() + size
    if not complete or t0_ns < _MIN_T0 or n < _MIN_N or not math.isfinite(rate_hz + step):
        return None
    counts = np.frombuffer(body[head.end() :], dtype="<i2").reshape(-1, 3)
    return Piece(t0_ns, rate_hz, unit.decode(), step, counts)
