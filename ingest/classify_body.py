"""Decodes the body of `classify` into a recording: one chunk, or several streams of chunks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ingest.chunks import read_samples
from ingest.documents import read_document
from ingest.media_types import CBOR, JSON, media_type_of
from ingest.named_streams import read_together
from models.signal.pieces import Piece, Recording, Side
from schemas.config import Limits
from schemas.errors import BadChunk
from schemas.events import MAX_STREAMS
from schemas.times import SpanNs
from schemas.wire import UNITS

MAX_DURATION_S = 3600.0  # kilobytes of 1 Hz samples can span weeks, which are resampled to 50 Hz
MAX_NAME = 64  # characters of a stream's name, as in sessions
MAX_CHUNKS = 8192  # an hour of one-second chunks of both sensors has 7,200


@dataclass(frozen=True, slots=True)
class ClassifyBody:
    """The samples of a body.

    Attributes:
        recording: of one wrist.
        unused: names of the streams that are not part of it, in order.
    """

    recording: Recording
    unused: tuple[str, ...] = ()


def read_recording(
    body: bytes, media_type: str, limits: Limits, side: Side | None = None
) -> ClassifyBody:
    """The samples of a body: one chunk, or several streams of them.

    Raises:
        BadChunk: a part that is no chunk (its name is in `field`), or no acceleration.
        UnsupportedMedia: neither CBOR nor JSON.
    """
    media_type = media_type_of(media_type, (CBOR, JSON))
    streams = _streams(body, media_type)
    if streams is None:
        pieces = {"": [read_samples(body, media_type, limits)]}
    else:
        side = side_of(streams.pop("side", None)) or side
        pieces = _pieces(streams, media_type, limits)
    acc, gyro = (_of_kind(pieces, kind) for kind in ("acc", "gyro"))
    if not acc:
        raise BadChunk("There is no acceleration in the body (unit g or m/s2).", field="unit")
    acc_names, gyro_names = read_together(_spans(acc), _spans(gyro), side)
    unused = sorted(pieces.keys() - {*acc_names, *gyro_names})
    recording = Recording(_in_order(acc, acc_names), _in_order(gyro, gyro_names), side)
    return ClassifyBody(recording, tuple(unused))


def _streams(body: bytes, media_type: str) -> dict[str, object] | None:
    """The map of a body that holds `streams`; None for one that is to be read as a chunk."""
    if b"streams" not in body[:64] and b"streams" not in body[-64:]:
        return None
    whole = read_document(body, media_type)
    if not isinstance(whole, dict) or "streams" not in whole:
        return None
    unknown = [key for key in whole if key not in ("streams", "side")]
    if unknown or not isinstance(whole["streams"], dict) or not whole["streams"]:
        field = str(unknown[0])[:60] if unknown else "streams"
        raise BadChunk("The body must be {streams: {name: chunk}, side?}.", field=field)
    return cast("dict[str, object]", whole)


def _pieces(whole: Mapping[str, object], media_type: str, limits: Limits) -> dict[str, list[Piece]]:
    """The chunks of each stream."""
    streams = cast("dict[object, object]", whole["streams"])
    if len(streams) > MAX_STREAMS or any(len(str(name)) > MAX_NAME for name in streams):
        raise BadChunk(
            f"A body has at most {MAX_STREAMS} streams, of names of up to {MAX_NAME} characters.",
            field="streams",
            value=len(streams),
        )
    lists = {name: value if isinstance(value, list) else [value] for name, value in streams.items()}
    count = sum(map(len, lists.values()))
    if count > MAX_CHUNKS:
        raise BadChunk(
            f"The body holds {count} chunks; the cap is {MAX_CHUNKS}.",
            field="streams",
            value=count,
        )
    pieces: dict[str, list[Piece]] = {}
    for name, chunks in lists.items():
        for chunk in chunks:
            try:
                piece = read_samples(chunk, media_type, limits)
            except BadChunk as problem:
                field = f"streams.{str(name)[:60]}.{problem.field}"
                raise BadChunk(str(problem), field=field, value=problem.value) from problem
            pieces.setdefault(str(name), []).append(piece)
    return pieces


def _of_kind(pieces: Mapping[str, list[Piece]], kind: str) -> dict[str, list[Piece]]:
    """The chunks of one sensor, by the streams that have any."""
    mine = {
        name: [piece for piece in of_stream if piece.unit in UNITS[kind]]
        for name, of_stream in pieces.items()
    }
    return {name: of_stream for name, of_stream in mine.items() if of_stream}


def _spans(pieces: Mapping[str, list[Piece]]) -> dict[str, list[SpanNs]]:
    return {name: [(p.t0_ns, p.end_ns) for p in of_stream] for name, of_stream in pieces.items()}


def _in_order(pieces: Mapping[str, list[Piece]], names: Sequence[str]) -> tuple[Piece, ...]:
    """The chunks of some streams, in order of time."""
    chosen = (piece for name in names for piece in pieces[name])
    return tuple(sorted(chosen, key=lambda piece: piece.t0_ns))


def side_of(value: object) -> Side | None:
    """The side that a client names; None where it names none.

    Raises:
        BadChunk: it is neither left nor right.
    """
    if value is None:
        return None
    if value not in ("left", "right"):
        raise BadChunk("side must be left or right.", field="side", value=value)
    return value


def duration_s(recording: Recording) -> float:
    """Seconds from the first sample to the last, gaps included.

    Raises:
        BadChunk: over `MAX_DURATION_S`.
    """
    first_ns, gyro = recording.acc[0].t0_ns, recording.gyro  # in order of time
    if gyro and gyro[0].t0_ns < first_ns:
        first_ns = gyro[0].t0_ns
    seconds = (max([piece.end_ns for piece in recording.acc + gyro]) - first_ns) / 1e9
    if seconds > MAX_DURATION_S:
        raise BadChunk(
            f"The samples reach over {seconds:.0f} s; at most {MAX_DURATION_S:.0f} s are "
            "looked at.",
            field="body",
            value=round(seconds),
        )
    return seconds
