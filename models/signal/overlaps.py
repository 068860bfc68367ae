"""Pieces that overlap by their claimed times: sent twice, or from a device that is too fast."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from models.arrays import Floats64, Ints16
from models.signal.pieces import Piece
from schemas.times import NS_PER_S

MAX_DRIFT = 0.05  # a device further off than this has lost samples, or claims another rate
MAX_JITTER_S = 0.05
FASTEST = 0.45  # of the claimed sample period: twice the claimed rate, and some drift
MOST = 0.75  # of neighbours agree


def faster_period(ordered: Sequence[Piece]) -> float | None:
    """Real over claimed sample period of a device clearly faster than it says; None of any other.

    Losses only make the time between two starts longer. Where it is too short for the samples in
    between, again and again by the same share, and these samples were not sent twice, the starts
    are right and the claimed rate is not.

    Args:
        ordered: pieces without `t_ms` in time order.
    """
    told = [
        (period_ratio(a, b), len(a.counts) / a.rate_hz)
        for a, b in pairwise(ordered)
        if not sent_again(a, b)
    ]
    if len(told) < 2:
        return None
    typical = float(np.median([ratio for ratio, _ in told]))
    if not FASTEST <= typical < 1 - MAX_DRIFT:
        return None
    agreed = [ratio for ratio, took_s in told if abs(ratio - typical) * took_s <= MAX_JITTER_S]
    return float(np.median(agreed)) if len(agreed) >= max(2, MOST * len(told)) else None


def period_ratio(before: Piece, piece: Piece) -> float:
    """Real over claimed sample period, if nothing was lost between two starts."""
    return (piece.t0_ns - before.t0_ns) / NS_PER_S * before.rate_hz / len(before.counts)


def overlapping(timed: Sequence[Piece]) -> bool:
    """Whether a piece begins before the last one ended, and other samples stand in both.

    Args:
        timed: pieces in time order, by their true clock.
    """
    return any(_overlap(a, b) and not sent_again(a, b) for a, b in pairwise(timed))


def sent_again(before: Piece, piece: Piece) -> bool:
    """Whether samples of one piece stand at the beginning of the next, about where they should.

    >>> counts = np.arange(30, dtype=np.int16).reshape(10, 3)
    >>> whole, end = Piece(0, 10.0, "g", 1.0, counts), Piece(6 * 10**8, 10.0, "g", 1.0, counts[6:])
    >>> sent_again(whole, end), sent_again(whole, Piece(6 * 10**8, 10.0, "g", 1.0, counts[1:]))
    (True, False)
    """
    if not _overlap(before, piece):
        return False
    late_s = (piece.t0_ns - before.t0_ns) / NS_PER_S
    near = np.abs(_after_s(before) - late_s) <= MAX_DRIFT * late_s + MAX_JITTER_S
    at = np.flatnonzero(near & (before.counts == piece.counts[0]).all(axis=1))
    return any(_same(before.counts[first:], piece.counts) for first in at.tolist())


def _overlap(before: Piece, piece: Piece) -> bool:
    """Whether a piece begins clearly before the end of the one before it."""
    last_s = (len(before.counts) - 1) / before.rate_hz
    if before.t_ms is not None:
        last_s = float(before.t_ms[-1]) / 1e3
    late_s = (piece.t0_ns - before.t0_ns) / NS_PER_S
    return last_s + 1 / before.rate_hz - late_s > MAX_JITTER_S


def _after_s(piece: Piece) -> Floats64:
    """Seconds of every sample after the first's time."""
    if piece.t_ms is not None:
        return piece.t_ms / 1e3
    return np.arange(len(piece.counts)) / piece.rate_hz


def _same(a: Ints16, b: Ints16) -> bool:
    n = min(len(a), len(b))
    return np.array_equal(a[:n], b[:n])
