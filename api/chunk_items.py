"""The items of a batch and of a live frame: a CBOR sequence of `{stream, seq, chunk}`."""

import io
import itertools
from collections.abc import Iterator
from typing import Any

import cbor2
import msgspec

from ingest.cbor import plain_decoder
from ingest.checks import bad
from ingest.chunks import NumberedChunk, decode_chunk
from ingest.media_types import CBOR
from schemas.config import Limits
from schemas.errors import BadChunk

MAX_ITEMS = 4096
"""Items in one body: 1 MiB of one-second chunks holds 2,600; 4 MiB of zero bytes would be 4
million."""
_ITEM: dict[str, tuple[type, ...]] = {"stream": (str,), "seq": (int,), "chunk": (bytes, dict)}


class Item(msgspec.Struct, frozen=True):
    """One item; its chunk has not been decoded yet."""

    stream: str
    seq: int
    chunk: bytes


class BadItem(msgspec.Struct, frozen=True):
    """An item that is not valid, with what it says of stream and number."""

    stream: str | None
    seq: int | None
    problem: BadChunk


def items_in(body: bytes) -> Iterator[Item | BadItem]:
    """The items of a CBOR sequence.

    An item with wrong fields is yielded as a bad one. After invalid CBOR nothing can be read:
    that is the last item.

    Raises:
        BadChunk: there are more than `MAX_ITEMS`, which are yielded first.
    """
    stream = io.BytesIO(body)
    decoder = plain_decoder(stream, max_depth=4)
    for number in itertools.count(1):
        start = stream.tell()
        if start >= len(body):
            return
        if number > MAX_ITEMS:
            raise BadChunk(
                f"the body holds {number} items or more; the cap is {MAX_ITEMS}",
                field="items",
                value=number,
            )
        try:
            value = decoder.decode()
        except Exception as problem:  # noqa: BLE001 the decoder passes on what its own parts raise
            why = BadChunk(f"the sequence is not CBOR from byte {start} on: {problem}")
            yield BadItem(None, None, why)
            return
        yield _item(value)


def _item(value: object) -> Item | BadItem:
    fields: dict[Any, Any] = value if type(value) is dict else {}
    stream, seq, chunk = fields.get("stream"), fields.get("seq"), fields.get("chunk")
    stream = stream if type(stream) is str else None
    seq = seq if type(seq) is int else None
    if type(chunk) is dict:  # written out instead of as bytes: its bytes are its plain encoding
        chunk = cbor2.dumps(chunk)
    if stream is None or seq is None or type(chunk) is not bytes or len(fields) != 3:
        wrong = [k for k in _ITEM if k in fields and type(fields[k]) not in _ITEM[k]]
        name, given = (wrong[0], fields[wrong[0]]) if wrong else ("item", value)
        why = "an item is a map of stream (text), seq (integer) and chunk (bytes of a chunk)"
        return BadItem(stream, seq, bad(name, given, why))
    return Item(stream, seq, chunk)


def decoded(item: Item | BadItem, limits: Limits) -> NumberedChunk:
    """Stream, number and samples of an item.

    Raises:
        BadChunk: the item or its chunk is not valid.
        TooLarge: its chunk has far more bytes than its samples need.
    """
    if isinstance(item, BadItem):
        raise item.problem
    return NumberedChunk(item.stream, item.seq, decode_chunk(item.chunk, CBOR, limits))
