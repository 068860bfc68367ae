"""Samples stamped on arrival, batch by batch."""

import numpy as np

from models.signal.pieces import Piece
from tests.models.streams import piece

N = 3000  # a minute


def stamped(size: int, apart_ms: int, rate_hz: float = 50.0) -> Piece:
    """A minute in batches, stamped from the last sample of each batch on, `apart_ms` apart."""
    t_s = np.arange(N) / rate_hz
    in_batch = np.arange(N) % size
    recorded_s = t_s[np.minimum(np.arange(N) - in_batch + size - 1, N - 1)]
    t_ms = np.rint(recorded_s * 1000).astype(np.int32) + apart_ms * in_batch.astype(np.int32)
    return piece(t_s, t_ms=t_ms)
