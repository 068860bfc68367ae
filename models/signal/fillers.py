"""Losses that a device fills with rows of zeros.

Read as movement, they are a wrist that falls and is thrown on. Such rows are left out, so that they
are repaired like any other loss. Other fillers are not told from rest: a wrist that holds still
repeats its value, and a gyroscope at rest reads zero.
"""

from collections.abc import Sequence

import numpy as np

from models.arrays import Flags
from models.signal.pieces import Piece
from models.signal.repeats import thinned
from models.signal.timing import true_clock

MIN_ROWS = 3  # of zeros in a row: fewer may be a throw, which is weightless for as long


def without_fillers(acc: Sequence[Piece]) -> Sequence[Piece]:
    """The pieces of acceleration without the rows of zeros that stand for lost samples.

    No worn sensor measures three of them in a row, as gravity is always there. So acceleration that
    lacks gravity throughout must not be passed.

    Args:
        acc: with correct times.

    Returns:
        in time order, those that held fillers with a time for each sample; the same object where
        nothing was filled.

    Raises:
        BadSamples: a rate or scale that is no usable number.

    >>> counts = np.full((30, 3), 500, dtype=np.int16)
    >>> counts[10:20] = 0
    >>> (part,) = without_fillers([Piece(0, 50.0, "g", 1e-3, counts)])
    >>> part.t_ms[8:12].tolist()
    [160, 180, 400, 420]
    """
    if not _zero_rows(acc).any():
        return acc  # the usual case
    timed = true_clock(acc)
    filled = _lasting(_zero_rows(timed))
    if not filled.any():
        return acc
    borders = np.cumsum([len(piece.counts) for piece in timed])[:-1]
    parts = zip(timed, np.split(~filled, borders), strict=True)
    return [
        piece if keep.all() else thinned(piece, keep, piece.rate_hz)
        for piece, keep in parts
        if keep.any()
    ]


def _zero_rows(acc: Sequence[Piece]) -> Flags:
    """(n,) which rows are zero on all axes."""
    if not acc:
        return np.zeros(0, dtype=np.bool_)
    counts = acc[0].counts if len(acc) == 1 else np.concatenate([piece.counts for piece in acc])
    x, y, z = counts.T
    return (x == 0) & (y == 0) & (z == 0)


def _lasting(flags: Flags) -> Flags:
    """(n,) which flags are part of `MIN_ROWS` or more in a row.

    >>> _lasting(np.array([1, 1, 0, 1, 1, 1, 1, 0, 1], dtype=np.bool_)).nonzero()[0].tolist()
    [3, 4, 5, 6]
    """
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False)).reshape(-1, 2)
    lasting = np.zeros(len(flags), dtype=np.bool_)
    for first, end in edges[edges[:, 1] - edges[:, 0] >= MIN_ROWS].tolist():
        lasting[first:end] = True
    return lasting
