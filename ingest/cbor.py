"""Decodes untrusted CBOR: plain values only, tags are not interpreted.

A tag makes a decoder build dates, fractions, regular expressions, or numbers of a million digits,
none of which belongs into a body; the one that says that CBOR follows, mappings that are no `dict`.
A tagged value stays a `CBORTag`, which no field may be.
"""

import io
from functools import partial

import cbor2

from schemas.errors import BadChunk

# The tags that the decoder would interpret; it leaves all others as they are.
_TAGS = (
    *(*range(6), 25, *range(28, 31), *range(35, 38), 52, 54, 100, 256, 258, 260, 261, 1004),
    *(43000, 55799),
)


def _uninterpreted(tag: int, value: object, immutable: bool) -> cbor2.CBORTag:  # as cbor2 calls it
    return cbor2.CBORTag(tag, value)


_UNINTERPRETED = {tag: partial(_uninterpreted, tag) for tag in _TAGS}


def plain_decoder(stream: io.BytesIO, *, max_depth: int) -> cbor2.CBORDecoder:
    """A decoder of plain values that refuses duplicate keys and deeper nesting."""
    return cbor2.CBORDecoder(
        stream, max_depth=max_depth, allow_duplicate_keys=False, semantic_decoders=_UNINTERPRETED
    )


def read_cbor(body: bytes, *, max_depth: int = 4) -> object:
    """The single value in a body.

    Raises:
        BadChunk: it is not CBOR, has duplicate keys, is nested deeper, or has trailing bytes.
    """
    stream = io.BytesIO(body)
    try:
        value = plain_decoder(stream, max_depth=max_depth).decode()
    except Exception as problem:  # the decoder passes on what its own parts raise
        raise BadChunk(f"the body is not CBOR: {problem}", field="body") from problem
    if stream.tell() != len(body):
        raise BadChunk("the body goes on after its CBOR map", field="body")
    return value
