"""Examples for the OpenAPI document: each of them is a request that the service accepts.

The document is JSON: where a body is CBOR, its byte strings (`xyz`) stand there in base64.
"""

import base64
from datetime import datetime
from typing import Any

import numpy as np

T0 = "2026-11-21T10:00:00Z"


def in_cbor(chunk: dict[str, Any], scale: float) -> dict[str, Any]:
    """A chunk of the JSON form as the CBOR form has it: whole numbers of `scale`, interleaved."""
    values = np.stack([chunk[axis] for axis in "xyz"], axis=1)
    counts = np.round(values / scale).astype("<i2")
    return {
        "v": 1,
        "t0": int(datetime.fromisoformat(chunk["t0"]).timestamp()) * 10**9,
        "rate_hz": chunk["rate_hz"],
        "unit": chunk["unit"],
        "scale": scale,
        "n": len(counts),
        "xyz": base64.b64encode(counts.tobytes()).decode(),
    }


def _wave(unit: str, amplitude: float, rest: tuple[float, float, float]) -> dict[str, Any]:
    """Five seconds at 10 Hz of something that repeats."""
    t = np.arange(50) / 10.0
    swing = amplitude * np.sin(2 * np.pi * 0.5 * t)
    x, y, z = (
        np.round(level + factor * swing, 3).tolist()
        for level, factor in zip(rest, (1.0, 0.5, -0.25), strict=True)
    )
    return {"t0": T0, "rate_hz": 10.0, "unit": unit, "x": x, "y": y, "z": z}


CHUNK: dict[str, Any] = _wave("g", 0.3, (0.0, 0.0, 1.0))
GYRO_CHUNK: dict[str, Any] = _wave("rad/s", 1.5, (0.0, 0.0, 0.0))
CLASSIFY_BODY: dict[str, Any] = {"streams": {"acc": CHUNK, "gyro": GYRO_CHUNK}, "side": "left"}
CBOR_CHUNK: dict[str, Any] = in_cbor(CHUNK, 1 / 4096)
CBOR_GYRO_CHUNK: dict[str, Any] = in_cbor(GYRO_CHUNK, 1 / 1024)
CBOR_CLASSIFY_BODY: dict[str, Any] = {
    "streams": {"acc": CBOR_CHUNK, "gyro": CBOR_GYRO_CHUNK},
    "side": "left",
}
CBOR_ITEMS: list[dict[str, Any]] = [
    {"stream": "acc", "seq": 0, "chunk": CBOR_CHUNK},
    {"stream": "acc", "seq": 1, "chunk": {**CBOR_CHUNK, "t0": CBOR_CHUNK["t0"] + 5 * 10**9}},
]
