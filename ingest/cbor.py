"""CBOR as strangers send it: plain values, whatever tags claim.

A tag makes a decoder build dates, fractions, expressions, or numbers of a million digits, none of
which belongs into a body. What has a tag stays a `CBORTag`, and no field of a body may be one.
"""

import io
from functools import partial

import cbor2

from schemas.errors import BadChunk

# Those that the decoder knows; it leaves all others as they are by itself.
_TAGS = (*range(6), 25, *range(28, 31), *range(35, 38), 100, 256, 258, 260, 261, 1004, 43000)


def _left_alone(tag: int, value: object, immutable: bool) -> cbor2.CBORTag:  # as cbor2 calls it
    return cbor2.CBORTag(tag, value)


_LEFT_ALONE = {tag: partial(_left_alone, tag) for tag in _TAGS}


def plain_decoder(stream: io.BytesIO, *, max_depth: int) -> cbor2.CBORDecoder:
    """A decoder of plain values: no key twice, nothing nested deeper."""
    return cbor2.CBORDecoder(
        stream, max_depth=max_depth, allow_duplicate_keys=False, semantic_decoders=_LEFT_ALONE
    )


def read_cbor(body: bytes, *, max_depth: int = 4) -> object:
    """The one value that a body holds, with nothing after it.

    Raises:
        BadChunk: it is not CBOR, has a key twice, or is nested deeper.
    """
    stream = io.BytesIO(body)
    try:
        value = plain_decoder(stream, max_depth=max_depth).decode()
    except Exception as problem:  # the decoder passes on what its own parts raise
        raise BadChunk(f"the body is not CBOR: {problem}", field="body") from problem
    if stream.tell() != len(body):
        raise BadChunk("the body goes on after its CBOR map", field="body")
    return value
