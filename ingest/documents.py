"""Decodes a body that is one document, JSON or CBOR."""

import msgspec

from ingest.cbor import read_cbor
from ingest.media_types import JSON
from schemas.errors import BadChunk

MAX_DEPTH = 6
"""Levels of CBOR: a map of streams, each a list of chunks, which are maps of lists."""


def read_document(body: bytes, media_type: str) -> object:
    """The value in a body.

    Args:
        body: without its Content-Encoding.
        media_type: JSON or CBOR, as of `media_type_of`.

    Raises:
        BadChunk: it does not decode.
    """
    if media_type != JSON:
        return read_cbor(body, max_depth=MAX_DEPTH)
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise BadChunk(f"The body does not decode: {problem}", field="body") from problem
