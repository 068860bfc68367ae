"""Examples for the OpenAPI document: each of them is a request that the service accepts."""

from typing import Any

import numpy as np

T0 = "2026-11-21T10:00:00Z"


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
