"""Edge Impulse acquisitions: conversion to chunks, and refusals."""

import json
from typing import Any

import cbor2
import numpy as np
import pytest

from ingest.chunks import canonical_body, decode_chunk
from ingest.edge_impulse import MAX_CHUNKS, read_acquisition
from schemas.config import Limits
from schemas.errors import BadChunk, UnsupportedMedia

LIMITS = Limits()
MOST = LIMITS.chunk_samples
ACC = [{"name": f"acc{axis}", "units": "m/s2"} for axis in "XYZ"]
GYR = [{"name": f"gyr{axis}", "units": "dps"} for axis in "XYZ"]
VALUES = [[0.0, 1.0, 9.81, 10.0, 20.0, -30.0], [0.5, 1.5, 9.0, 11.0, 21.0, -31.0]]
IAT = 1_795_255_200


def acquisition(**changes: Any) -> dict[str, Any]:
    payload = {"interval_ms": 10, "sensors": [*ACC, *GYR], "values": VALUES, **changes}
    return {"protected": {"alg": "none", "iat": IAT}, "signature": "0", "payload": payload}


def read(document: Any, t0_ns: int | None = 5) -> Any:
    return read_acquisition(json.dumps(document).encode(), "application/json", t0_ns, LIMITS)


def test_each_sensor_is_converted_to_a_canonical_chunk() -> None:
    chunks = read(acquisition())
    assert set(chunks) == {"acc", "gyro"}
    for kind, columns, unit in (("acc", slice(0, 3), "m/s2"), ("gyro", slice(3, 6), "deg/s")):
        piece = chunks[kind][0].piece
        assert (piece.unit, piece.rate_hz, piece.t0_ns) == (unit, 100.0, 5)
        sent = np.array(VALUES)[:, columns]
        assert np.abs(piece.counts * piece.scale - sent).max() <= piece.scale / 2
        again = decode_chunk(canonical_body(piece), "application/cbor", LIMITS)
        assert again.sha256 == chunks[kind][0].sha256


def axes(name: str, units: str) -> list[dict[str, str]]:
    return [{"name": f"{name}{axis}", "units": units} for axis in "XYZ"]


@pytest.mark.parametrize(
    ("name", "written", "kind", "unit"),
    [
        ("accel", "m/s^2", "acc", "m/s2"),
        ("Accelerometer", "m/s²", "acc", "m/s2"),
        ("acc", "G", "acc", "g"),
        ("gyro", "°/s", "gyro", "deg/s"),
        ("Gyroscope", "rad/s", "gyro", "rad/s"),
    ],
)
def test_usual_names_and_spellings_of_units_are_understood(
    name: str, written: str, kind: str, unit: str
) -> None:
    chunks = read(acquisition(sensors=axes(name, written), values=[[0.5, 1, 2]]))
    assert {kind: chunk.piece.unit for kind, (chunk,) in chunks.items()} == {kind: unit}


@pytest.mark.parametrize(
    "spelling", ["{}X", "{}_x", "{}.x", "{}-X", "{} x"], ids=lambda spelling: spelling
)
@pytest.mark.parametrize(
    ("acc", "gyro"), [("acc", "gyr"), ("accel", "Gyro"), ("Acceleration", "gyroscope"), ("a", "g")]
)
def test_axes_may_be_separated_from_their_sensor(spelling: str, acc: str, gyro: str) -> None:
    def named(sensor: str, units: str) -> list[dict[str, str]]:
        names = [spelling.format(sensor) for _ in "xyz"]
        return [
            {"name": name[:-1] + axis, "units": units}
            for name, axis in zip(names, "xyz" if spelling[-1] == "x" else "XYZ", strict=True)
        ]

    chunks = read(acquisition(sensors=[*named(acc, "m/s2"), *named(gyro, "dps")]))
    assert {kind: chunk.piece.unit for kind, (chunk,) in chunks.items()} == {
        "acc": "m/s2",
        "gyro": "deg/s",
    }


def test_a_letter_alone_is_a_sensor_if_its_unit_is_one() -> None:
    gravity = axes("g", "m/s2")
    assert read(acquisition(sensors=[*ACC, *gravity])).keys() == {"acc"}


def test_a_long_document_becomes_chunks_one_after_another() -> None:
    n = 2 * MOST + 100
    values = [[k / n, 0.5, 9.81] for k in range(n)]
    chunks = read(acquisition(sensors=ACC, values=values, interval_ms=16.5))["acc"]
    assert [len(chunk.piece.counts) for chunk in chunks] == [MOST, MOST, 100]
    assert [chunk.piece.t0_ns for chunk in chunks] == [
        5,
        5 + MOST * 16_500_000,
        5 + MOST * 33_000_000,
    ]
    for at, chunk in enumerate(chunks):
        part = {"sensors": ACC, "values": values[at * MOST :][:MOST], "interval_ms": 16.5}
        (alone,) = read(acquisition(**part), chunk.piece.t0_ns)["acc"]
        assert alone.sha256 == chunk.sha256  # as a recorder would have sent it by itself
    iat_end = read({**acquisition(sensors=ACC, values=values, interval_ms=20)}, None)["acc"][0]
    assert iat_end.piece.t0_ns == (IAT * 1000 - n * 20) * 10**6


def test_other_sensors_are_left_out_and_the_first_triple_of_a_kind_is_used() -> None:
    sensors = [{"name": "light", "units": "lux"}, *axes("accel", "g"), *axes("acc", "m/s2")]
    chunks = read(acquisition(sensors=sensors, values=[[9, 1, 1, 1, 2, 2, 2]]))
    assert chunks.keys() == {"acc"}  # `acc` is the first of the usual names
    assert chunks["acc"][0].piece.unit == "m/s2"
    assert chunks["acc"][0].piece.counts.tolist() == [[32767] * 3]
    assert chunks["acc"][0].piece.scale == 2 / 32767


@pytest.mark.parametrize(
    "changes",
    [
        {"interval_ms": 1},
        {"interval_ms": 1000},
        {"sensors": ACC, "values": [[1, 2, 3]] * MAX_CHUNKS * MOST},
        {"sensors": ACC, "values": [[10_000, 0, 0]]},
        {"sensors": [*ACC, *[{"name": "light"}] * 61], "values": [[1] * 64]},
    ],
    ids=lambda changes: ", ".join(changes),
)
def test_acquisitions_exactly_at_their_limits_are_accepted(changes: dict[str, Any]) -> None:
    read(acquisition(**changes))


def test_cbor_matches_json_and_the_signing_time_is_the_end_time() -> None:
    body = cbor2.dumps(acquisition())
    chunks = read_acquisition(body, "application/cbor", None, LIMITS)
    assert chunks["acc"][0].piece.t0_ns == IAT * 10**9 - 20_000_000
    assert chunks["acc"][0].sha256 == read(acquisition(), IAT * 10**9 - 20_000_000)["acc"][0].sha256


def test_cbor_that_goes_on_after_its_document_is_refused() -> None:
    """Such as an upload that broke off and was sent again in one piece."""
    body = cbor2.dumps(acquisition())
    for trailing in (body, b"\x00"):
        with pytest.raises(BadChunk, match="goes on after"):
            read_acquisition(body + trailing, "application/cbor", 5, LIMITS)


@pytest.mark.parametrize(
    ("field", "document"),
    [
        ("body", [1]),
        ("payload", {"payload": 1}),
        ("payload.interval_ms", acquisition(interval_ms=0)),
        ("payload.interval_ms", acquisition(interval_ms=True)),
        ("payload.interval_ms", acquisition(interval_ms=1000.5)),
        ("payload.sensors", acquisition(sensors=[])),
        ("payload.sensors", acquisition(sensors=ACC[:2], values=[[1, 2]])),
        ("payload.sensors.units", acquisition(sensors=[*ACC[:2], {**ACC[2], "units": "g"}, *GYR])),
        ("payload.sensors[0]", acquisition(sensors=[1])),
        ("payload.sensors", acquisition(sensors=[*ACC, *[{"name": "light"}] * 62])),
        ("payload.sensors.units", acquisition(sensors=[{**axis, "units": "dps"} for axis in ACC])),
        ("payload.values", acquisition(values=[])),
        (
            "payload.values",
            acquisition(sensors=[*ACC], values=[[0, 0, 1]] * (MAX_CHUNKS * MOST + 1)),
        ),
        ("payload.values[0]", acquisition(values=[5])),
        ("payload.values", acquisition(values=[[0, 0, 1e5, 0, 0, 0]])),
        ("payload.values[0]", acquisition(values=[[1, 2, 3]])),
        ("payload.values[1]", acquisition(values=[VALUES[0], ["1"] * 6])),
        ("payload.values[0]", acquisition(values=[[None] * 6])),
        ("payload.values[0]", acquisition(values=[[1e300] * 6])),
    ],
)
def test_an_invalid_acquisition_is_refused_with_its_field(field: str, document: Any) -> None:
    with pytest.raises(BadChunk) as caught:
        read(document)
    assert caught.value.field == field


HUGE = 10**5000  # more digits than Python converts to text


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("payload.interval_ms", {"interval_ms": HUGE}),
        ("payload.sensors", {"sensors": HUGE}),
        ("payload.sensors", {"sensors": [{"name": HUGE, "units": HUGE}]}),
        ("payload.values[0]", {"values": [[HUGE] * 6]}),
        ("payload.values[0]", {"values": [[float("nan")] * 6]}),
        ("payload.values[0]", {"values": [[float("-inf")] * 6]}),
        ("payload.values[0]", {"values": [[cbor2.CBORTag(30, [1, 2])] * 6]}),
        ("payload.values", {"values": cbor2.CBORTag(28, VALUES)}),
    ],
)
def test_huge_integers_and_cbor_tags_are_refused_with_their_field(
    field: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(BadChunk) as caught:
        read_acquisition(cbor2.dumps(acquisition(**changes)), "application/cbor", 5, LIMITS)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "issued", [0, -1, 2**32, 1.5, True, None, HUGE], ids=lambda issued: type(issued).__name__
)
def test_impossible_signing_time_is_refused_with_its_field(issued: object) -> None:
    document = {**acquisition(), "protected": {"iat": issued}}
    with pytest.raises(BadChunk) as caught:
        read_acquisition(cbor2.dumps(document), "application/cbor", None, LIMITS)
    assert caught.value.field == "protected.iat"


def test_deeply_nested_arrays_are_refused() -> None:
    for depth in range(700, 1000):  # some can be parsed but not serialised
        body = b'{"payload": %s%s}' % (b"[" * depth, b"]" * depth)
        with pytest.raises(BadChunk):
            read_acquisition(body, "application/json", 5, LIMITS)


def test_acquisition_without_any_time_is_refused() -> None:
    document = acquisition()
    del document["protected"]
    with pytest.raises(BadChunk, match="t0"):
        read(document, None)


def test_malformed_documents_and_unsupported_media_types_are_refused() -> None:
    for body, media in ((b"{", "application/json"), (b"\xff", "application/cbor")):
        with pytest.raises(BadChunk):
            read_acquisition(body, media, 0, LIMITS)
    with pytest.raises(UnsupportedMedia):
        read_acquisition(b"", "text/plain", 0, LIMITS)
