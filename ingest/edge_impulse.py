"""Decodes the acquisition format of Edge Impulse, JSON or CBOR.

One document holds all axes of a device: `{"protected", "signature", "payload": {"device_name",
"device_type", "interval_ms", "sensors": [{"name", "units"}], "values": [[…]]}}`. Each sensor that
is a triple of axes becomes a chunk of its own, in canonical form. The signature is not checked:
Muvr does not have its key, and the token authenticates the sender.

Source: Edge Impulse, data acquisition format.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from ingest.cbor import read_cbor
from ingest.checks import bad, checked
from ingest.chunks import Chunk, canonical_body
from ingest.media_types import CBOR, JSON, media_type_of
from ingest.quantise import quantised
from models.signal.pieces import Piece
from schemas.config import Limits
from schemas.errors import BadChunk
from schemas.wire import MAX_MAGNITUDE, UNITS, conversion_of, magnitude_rule

AXES = ("x", "y", "z")
NAMES = {"acc": ("acc", "accel", "accelerometer"), "gyro": ("gyr", "gyro", "gyroscope")}
SPELLINGS = {"m/s^2": "m/s2", "m/s²": "m/s2", "dps": "deg/s", "°/s": "deg/s", "G": "g"}
MAX_SENSORS = 64


def read_acquisition(
    body: bytes, media_type: str, t0_ns: int | None, limits: Limits
) -> dict[str, Chunk]:
    """The chunks of an acquisition by kind ("acc", "gyro"), in canonical form.

    Args:
        body: without its Content-Encoding.
        media_type: JSON or CBOR.
        t0_ns: time of the first sample; the format has none of its own, so without it the time
            of signing (`protected.iat`, whole seconds) is taken as the end.
        limits: `chunk_samples` caps the number of samples.

    Raises:
        BadChunk: which field, and its value.
        UnsupportedMedia: neither JSON nor CBOR.
    """
    document = _document(body, media_type)
    payload = _mapping(document.get("payload"), "payload")
    interval_ms: Any = payload.get("interval_ms")
    if not _is_number(interval_ms) or not 1 <= interval_ms <= 1000:
        raise bad("payload.interval_ms", interval_ms, "must lie between 1 and 1000")
    columns = _columns(payload.get("sensors"))
    values = _values(payload.get("values"), payload.get("sensors"), limits)
    start_ns = _start_ns(t0_ns, document, len(values), float(interval_ms))
    chunks: dict[str, Chunk] = {}
    for kind, (unit, where) in columns.items():
        piece = _piece(values[:, where], unit, start_ns, 1000.0 / interval_ms)
        sha256 = hashlib.sha256(canonical_body(checked(piece, limits))).digest()
        chunks[kind] = Chunk(sha256, piece, b"", piece.scale)
    return chunks


def _document(body: bytes, media_type: str) -> Mapping[str, Any]:
    named = media_type_of(media_type, (JSON, CBOR))
    try:
        if named == JSON:
            return _mapping(msgspec.json.decode(body), "body")
        return _mapping(read_cbor(body, max_depth=6), "body")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise BadChunk(f"the body is no acquisition: {problem}", field="body") from problem


def _columns(sensors: Any) -> dict[str, tuple[str, list[int]]]:
    """Unit and column numbers of every triple of axes that a wrist needs."""
    if not isinstance(sensors, list) or not 1 <= len(sensors) <= MAX_SENSORS:
        raise bad("payload.sensors", sensors, f"must list 1 to {MAX_SENSORS} sensors")
    named: dict[str, tuple[int, str]] = {}
    for at, sensor in enumerate(sensors):
        fields = _mapping(sensor, f"payload.sensors[{at}]")
        unit = str(fields.get("units"))
        named[str(fields.get("name")).lower()] = (at, SPELLINGS.get(unit, unit))
    triples: dict[str, tuple[str, list[int]]] = {}
    for kind, names in NAMES.items():
        for name in names:
            axes = [named[name + axis] for axis in AXES if name + axis in named]
            if len(axes) == 3:
                triples.setdefault(kind, (_unit(kind, axes), [at for at, _ in axes]))
    if not triples:
        raise bad(
            "payload.sensors", sorted(named), "must hold accX, accY, accZ or gyrX, gyrY, gyrZ"
        )
    return triples


def _unit(kind: str, axes: Sequence[tuple[int, str]]) -> str:
    units = {unit for _, unit in axes}
    if len(units) != 1 or not units <= set(UNITS[kind]):
        instead = [known for unit in sorted(units) if (known := conversion_of(unit))]
        why = "; ".join([f"must be one of {UNITS[kind]}", *instead])
        raise bad("payload.sensors.units", sorted(units), why)
    return units.pop()


def _values(values: Any, sensors: Any, limits: Limits) -> np.ndarray[Any, np.dtype[np.float64]]:
    """All samples, float64 (n, sensors)."""
    if not isinstance(values, list) or not 1 <= len(values) <= limits.chunk_samples:
        size = len(values) if isinstance(values, list) else None
        raise bad("payload.values", size, f"must hold 1 to {limits.chunk_samples} samples")
    width = len(sensors)
    for at, row in enumerate(values):
        row = row if isinstance(row, list) else [row]  # too short: there are three axes or more
        if len(row) != width or not all(_is_number(value) for value in row):
            raise bad(f"payload.values[{at}]", row, f"must be {width} finite numbers")
    return np.array(values, dtype=np.float64)


def _piece(
    values: np.ndarray[Any, np.dtype[np.float64]], unit: str, start_ns: int, rate_hz: float
) -> Piece:
    largest = float(np.abs(values).max())
    if largest > MAX_MAGNITUDE[unit]:
        raise bad("payload.values", largest, magnitude_rule(unit))
    scale, counts = quantised(values)
    return Piece(start_ns, rate_hz, unit, scale, counts)


def _start_ns(t0_ns: int | None, document: Mapping[str, Any], n: int, interval_ms: float) -> int:
    if t0_ns is not None:
        return t0_ns
    protected = document.get("protected")
    issued = protected.get("iat") if isinstance(protected, Mapping) else None
    if type(issued) is not int or not 0 < issued < 1 << 32:
        raise bad("protected.iat", issued, "must be the time of signing, or send ?t0=")
    return issued * 1_000_000_000 - round(n * interval_ms * 1e6)


def _mapping(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise bad(field, value, "must be a map")
    return value


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300  # false for NaN too
