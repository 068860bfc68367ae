"""Streams whose chunks repeat samples, and coarse ones."""

from dataclasses import replace

import numpy as np

from models.signal.pieces import Piece


def chunks(whole: Piece, size: int) -> tuple[Piece, ...]:
    t_ns = np.rint(np.arange(len(whole.counts)) / whole.rate_hz * 1e9).astype(np.int64)
    parts: list[Piece] = []
    for at in range(0, len(whole.counts), size):
        t_ms = None if whole.t_ms is None else whole.t_ms[at : at + size] - whole.t_ms[at]
        counts = whole.counts[at : at + size]
        parts.append(replace(whole, t0_ns=int(t_ns[at]), counts=counts, t_ms=t_ms))
    return tuple(parts)


def coarse(t_s: np.ndarray, step_g: float, swing_hz: float, size_g: float) -> Piece:
    values = size_g * np.sin(2 * np.pi * swing_hz * t_s)[:, None] * [1.0, 0.6, 0.3] + [
        0.0,
        0.0,
        1.0,
    ]
    return Piece(0, 50.0, "g", step_g, np.rint(values / step_g).astype(np.int16))
