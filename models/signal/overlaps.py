"""Pieces that overlap by their claimed times: resent, or from a device faster than it claims."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from models.arrays import Floats64, Ints16
from models.signal.pieces import Piece
from schemas.times import NS_PER_S

MAX_DRIFT = 0.05  # a device further off than this has lost samples, or claims another rate
MAX_JITTER_S = 0.05
MIN_PERIOD_RATIO = 0.45  # of the claimed sample period: twice the claimed rate, and some drift
MIN_AGREEING = 0.75  # of neighbours agree


def faster_period(ordered: Sequence[Piece]) -> float | None:
    """Real over claimed sample period of a device clearly faster than it claims, else None.

    Losses only make the time between two starts longer. Where it is too short for the samples in
    between, repeatedly by the same share, and these samples were not resent, the starts are right
    and the claimed rate is wrong.

    Args:
        ordered: pieces without `t_ms` in time order.
    """
    ratios = [
        (period_ratio(a, b), len(a.counts) / a.rate_hz)
        for a, b in pairwise(ordered)
        if not is_resent(a, b)
    ]
    if len(ratios) < 2:
        return None
    typical = float(np.median([ratio for ratio, _ in ratios]))
    if not MIN_PERIOD_RATIO <= typical < 1 - MAX_DRIFT:
        return None
    agreed = [ratio for ratio, took_s in ratios if abs(ratio - typical) * took_s <= MAX_JITTER_S]
    return float(np.median(agreed)) if len(agreed) >= max(2, MIN_AGREEING * len(ratios)) else None


def period_ratio(before: Piece, piece: Piece) -> float:
    """Real over claimed sample period, if nothing was lost between two starts."""
    return (piece.t0_ns - before.t0_ns) / NS_PER_S * before.rate_hz / len(before.counts)


def has_overlaps(timed: Sequence[Piece]) -> bool:
    """Whether a piece begins before the last one ended and is not a resend of it.

    Args:
        timed: pieces in time order, by their true clock.
    """
    return any(_overlap(a, b) and not is_resent(a, b) for a, b in pairwise(timed))


def is_resent(before: Piece, piece: Piece) -> bool:
    """Whether a piece begins with samples of the one before it, at about the right time.

    >>> counts = np.arange(30, dtype=np.int16).reshape(10, 3)
    >>> whole, end = Piece(0, 10.0, "g", 1.0, counts), Piece(6 * 10**8, 10.0, "g", 1.0, counts[6:])
    >>> is_resent(whole, end), is_resent(whole, Piece(6 * 10**8, 10.0, "g", 1.0, counts[1:]))
    (True, False)
    """
    if not _overlap(before, piece):
        return False
    late_s = (piece.t0_ns - before.t0_ns) / NS_PER_S
    near = np.abs(_offsets_s(before) - late_s) <= MAX_DRIFT * late_s + MAX_JITTER_S
    candidates = np.flatnonzero(near & (before.counts == piece.counts[0]).all(axis=1))
    return any(_same(before.counts[first:], piece.counts) for first in candidates.tolist())


def _overlap(before: Piece, piece: Piece) -> bool:
    """Whether a piece begins clearly before the end of the one before it."""
    last_s = (len(before.counts) - 1) / before.rate_hz
    if before.t_ms is not None:
        last_s = float(before.t_ms[-1]) / 1e3
    late_s = (piece.t0_ns - before.t0_ns) / NS_PER_S
    return last_s + 1 / before.rate_hz - late_s > MAX_JITTER_S


def _offsets_s(piece: Piece) -> Floats64:
    """Seconds of every sample after the first."""
    if piece.t_ms is not None:
        return piece.t_ms / 1e3
    return np.arange(len(piece.counts)) / piece.rate_hz


def _same(a: Ints16, b: Ints16) -> bool:
    n = min(len(a), len(b))
    return np.array_equal(a[:n], b[:n])
