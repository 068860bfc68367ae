"""Decodes the acquisition format of Edge Impulse, JSON or CBOR.

One document holds all axes of a device: `{"protected", "signature", "payload": {"device_name",
"device_type", "interval_ms", "sensors": [{"name", "units"}], "values": [[…]]}}`. Each sensor that
is a triple of axes becomes a chunk of its own, or several where the document is longer than one, in
canonical form. The signature is not checked: Muvr does not have its key, and the token
authenticates the sender.

Source: Edge Impulse, data acquisition format.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.checks import bad, checked
from ingest.chunks import Chunk, canonical_body
from ingest.documents import read_document
from ingest.media_types import CBOR, JSON, media_type_of
from ingest.quantise import quantised
from models.signal.pieces import Piece
from schemas.config import Limits
from schemas.wire import MAX_MAGNITUDE, UNITS, conversion_of, magnitude_rule

AXES = ("x", "y", "z")
NAMES = {
    "acc": ("acc", "accel", "accelerometer", "acceleration", "a"),
    "gyro": ("gyr", "gyro", "gyroscope", "g"),
}
"""What stands before the axis, in any case: accX, acc_x, accel.x, gyro-Z, "gyr x", ax and gx. The
letter alone must have a unit of its sensor, or it is another one: gx is also gravity's."""
SEPARATORS = str.maketrans("", "", "_.- ")
SPELLINGS = {"m/s^2": "m/s2", "m/s²": "m/s2", "dps": "deg/s", "°/s": "deg/s", "G": "g"}
MAX_SENSORS = 64
MAX_CHUNKS = 16
"""Of one sensor in a document: 43 minutes at 50 Hz, more than a body holds of six axes in JSON."""


def read_acquisition(
    body: bytes, media_type: str, t0_ns: int | None, limits: Limits
) -> dict[str, list[Chunk]]:
    """The chunks of an acquisition by kind ("acc", "gyro"), in canonical form and in time order.

    Args:
        body: without its Content-Encoding.
        media_type: JSON or CBOR.
        t0_ns: time of the first sample; the format has none of its own, so without it the time
            of signing (`protected.iat`, whole seconds) is taken as the end.
        limits: `chunk_samples` is the length of all chunks but the last.

    Raises:
        BadChunk: which field, and its value.
        UnsupportedMedia: neither JSON nor CBOR.
    """
    named = media_type_of(media_type, (JSON, CBOR))
    document = _mapping(read_document(body, named), "body")
    payload = _mapping(document.get("payload"), "payload")
    interval_ms: Any = payload.get("interval_ms")
    if not _is_number(interval_ms) or not 1 <= interval_ms <= 1000:
        raise bad("payload.interval_ms", interval_ms, "must lie between 1 and 1000")
    columns = _columns(payload.get("sensors"))
    values = _values(payload.get("values"), payload.get("sensors"), limits)
    start_ns = _start_ns(t0_ns, document, len(values), float(interval_ms))
    return {
        kind: [
            _chunk(part[:, where], unit, at_ns, interval_ms, limits)
            for at_ns, part in _parts(values, start_ns, interval_ms, limits.chunk_samples)
        ]
        for kind, (unit, where) in columns.items()
    }


def _parts(
    values: NDArray[np.float64], start_ns: int, interval_ms: float, most: int
) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """At most so many samples at a time, each time with the time of the first."""
    for first in range(0, len(values), most):
        yield start_ns + round(first * interval_ms * 1e6), values[first : first + most]


def _columns(sensors: Any) -> dict[str, tuple[str, list[int]]]:
    """Unit and column numbers of every triple of axes that a wrist needs."""
    if not isinstance(sensors, list) or not 1 <= len(sensors) <= MAX_SENSORS:
        raise bad("payload.sensors", sensors, f"must list 1 to {MAX_SENSORS} sensors")
    named: dict[str, tuple[int, str]] = {}
    for at, sensor in enumerate(sensors):
        fields = _mapping(sensor, f"payload.sensors[{at}]")
        unit = str(fields.get("units"))
        name = str(fields.get("name")).translate(SEPARATORS).lower()
        named[name] = (at, SPELLINGS.get(unit, unit))
    triples: dict[str, tuple[str, list[int]]] = {}
    for kind, names in NAMES.items():
        for name in names:
            axes = [named[name + axis] for axis in AXES if name + axis in named]
            ours = len(name) > 1 or all(unit in UNITS[kind] for _, unit in axes)
            if len(axes) == 3 and ours:
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


def _values(values: Any, sensors: Any, limits: Limits) -> NDArray[np.float64]:
    """All samples, float64 (n, sensors)."""
    most = MAX_CHUNKS * limits.chunk_samples
    if not isinstance(values, list) or not 1 <= len(values) <= most:
        size = len(values) if isinstance(values, list) else None
        raise bad("payload.values", size, f"must hold 1 to {most} samples; send more documents")
    width = len(sensors)
    for at, row in enumerate(values):
        row = row if isinstance(row, list) else [row]  # too short: there are three axes or more
        if len(row) != width or not all(_is_number(value) for value in row):
            raise bad(f"payload.values[{at}]", row, f"must be {width} finite numbers")
    return np.array(values, dtype=np.float64)


def _chunk(
    values: NDArray[np.float64],
    unit: str,
    at_ns: int,
    interval_ms: float,
    limits: Limits,
) -> Chunk:
    """The chunk of some samples of a sensor, (n, 3), the first of which is of `at_ns`."""
    largest = float(np.abs(values).max())
    if largest > MAX_MAGNITUDE[unit]:
        raise bad("payload.values", largest, magnitude_rule(unit))
    scale, counts = quantised(values)
    piece = checked(Piece(at_ns, 1000.0 / interval_ms, unit, scale, counts), limits)
    return Chunk(hashlib.sha256(canonical_body(piece)).digest(), piece, b"", scale)


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
