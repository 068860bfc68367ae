"""Samples that their own times put far into the pieces that follow."""

from collections.abc import Sequence

import numpy as np

from models.arrays import Flags, Ints64
from models.signal.pieces import Piece
from schemas.times import NS_PER_S

MAX_LATE_NS = NS_PER_S
"""How far a piece may reach beyond the start of the next one: clocks are set back, and times have
jitter."""


def are_punctual(timed: Sequence[Piece], t_ns: Ints64) -> Flags:
    """(n,) false for samples at the end of a piece whose own times are too late to be true.

    Of samples in time order each must be later than those before it. A single time that is far too
    late would delete all that follows until then; so where what lies more than a second after the
    start of the next piece is less than what it would delete, it is left out instead.

    Args:
        timed: pieces in time order.
        t_ns: (n,) the times of all their samples.

    >>> block = np.zeros((50, 3), dtype=np.int16)
    >>> t_ms = np.arange(50, dtype=np.int32) * 20
    >>> sent = [Piece(k * NS_PER_S, 50.0, "g", 1.0, block, t_ms) for k in range(9)]
    >>> t_ns = np.arange(450) * 20_000_000
    >>> t_ns[49] = 6 * NS_PER_S
    >>> np.flatnonzero(~are_punctual(sent, t_ns)).tolist()
    [49]
    """
    punctual = np.ones(len(t_ns), dtype=np.bool_)
    late = _late_ends(timed, t_ns)
    if not late:
        return punctual
    step_ns = max(1, round(NS_PER_S / float(np.median([piece.rate_hz for piece in timed]))))
    slots = np.unique(t_ns // step_ns)  # once for all, as there may be thousands of pieces
    for first, end in late:
        own = np.unique(t_ns[first:end] // step_ns)
        since, until = slots.searchsorted([(t_ns[end] + MAX_LATE_NS) // step_ns, own[-1] + 1])
        deleted = int(until - since) - len(own)  # what was sent twice is not lost
        punctual[first:end] = end - first >= deleted
    return punctual


def _late_ends(timed: Sequence[Piece], t_ns: Ints64) -> list[tuple[int, int]]:
    """First late sample and the end of each piece with times that has such samples."""
    ends = np.cumsum([len(piece.counts) for piece in timed]).tolist()
    late: list[tuple[int, int]] = []
    for piece, end in zip(timed[:-1], ends, strict=False):
        if piece.t_ms is None:
            continue
        begun = end - len(piece.counts)
        own_ns = t_ns[begun:end]
        first = begun + int(own_ns.searchsorted(t_ns[end] + MAX_LATE_NS, side="right"))
        if first < end:
            late.append((first, end))
    return late
