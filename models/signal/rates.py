"""The rate of a sensor by the times of its samples: pauses, losses and batches left out."""

import numpy as np

from models.arrays import Floats64, Indices
from models.signal.batches import MAX_SHORT_STEP, MIN_SHORT_SHARE
from models.signal.pieces import Piece
from schemas.times import NS_PER_S

WINDOW_STEPS = 64  # several batches, yet most windows lie between two pauses
MAX_HANDLING_S = 0.004
"""Within a batch stamps are as far apart as it takes to handle a sample. Longer steps are a
sensor's own, however long it sleeps between them."""
MAX_DEVIATION = 0.5  # of the usual step: a step with one sample lost takes twice as long


def sampling_rate_hz(piece: Piece) -> float:
    """Samples per second while the sensor runs; as claimed where no sample has its own time.

    >>> t_ms = np.concatenate([np.arange(50) * 20, 120_000 + np.arange(50) * 20]).astype(np.int32)
    >>> sampling_rate_hz(Piece(0, 100.0, "g", 1.0, np.zeros((100, 3), dtype=np.int16), t_ms))
    50.0
    """
    if piece.t_ms is None or len(piece.t_ms) < 2 or piece.t_ms[-1] <= piece.t_ms[0]:
        return piece.rate_hz
    # of two samples of one time the first counts
    fresh = np.concatenate([[True], piece.t_ms[1:] > piece.t_ms[:-1]])
    t_ns = piece.t_ms[fresh].astype(np.float64) * 1e6
    return usual_rate_hz(t_ns, batch_ends(t_ns))


def batch_ends(t_ns: Floats64) -> Indices:
    """The last sample of each batch, (b,); every sample where times did not come in batches.

    Args:
        t_ns: (n,) nanoseconds, n ≥ 2, ascending and not all the same.

    >>> batch_ends(np.array([0, 0, 40, 40, 80, 80]) * 1e6).tolist()
    [1, 3, 5]
    >>> batch_ends(np.array([0, 20, 40]) * 1e6).tolist()
    [0, 1, 2]
    """
    n = len(t_ns)
    k = min(WINDOW_STEPS, n - 1)
    usual_ns = float(np.median(t_ns[k:] - t_ns[:-k])) / k
    short = np.diff(t_ns) <= min(MAX_SHORT_STEP * usual_ns, MAX_HANDLING_S * NS_PER_S)
    if short.mean() < MIN_SHORT_SHARE:
        return np.arange(n)
    return np.append(np.flatnonzero(~short), n - 1)


def usual_rate_hz(t_ns: Floats64, ends: Indices) -> float:
    """Samples per second in most steps from batch to batch; those about as long are averaged.

    Args:
        t_ns: (n,) nanoseconds, ascending.
        ends: (b,) the last sample of each batch, b ≥ 2.

    >>> usual_rate_hz(np.array([0, 20, 36, 60, 80, 9000]) * 1e6, np.arange(6))
    50.0
    """
    sent, took_ns = np.diff(ends), np.diff(t_ns[ends])
    each_ns = took_ns / sent
    median_ns = np.median(each_ns)
    near = np.abs(each_ns - median_ns) <= MAX_DEVIATION * median_ns
    if not near.any():  # the median lies between a step and a pause
        return float(NS_PER_S / median_ns)
    return float(NS_PER_S * sent[near].sum() / took_ns[near].sum())
