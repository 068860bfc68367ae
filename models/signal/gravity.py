"""The mean acceleration of every second: about gravity alone, whatever a wrist does."""

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from models.signal.pieces import Piece
from models.signal.units import factor_of, in_unit


def second_means_g(pieces: Sequence[Piece], rates_hz: Sequence[float]) -> list[float]:
    """Norm of the mean acceleration of every second, g.

    Neighbours that are shorter than a second are joined, so that the size of chunks does not
    matter; what is shorter even so counts as a second.

    Args:
        pieces: of acceleration, in time order.
        rates_hz: of each.

    >>> turn = [np.array([[x, 0, 0]], dtype=np.int16) for x in (3, -3, 3, -3)]
    >>> alone = [Piece(n * 10**9 // 2, 2.0, "g", 1.0, counts) for n, counts in enumerate(turn)]
    >>> second_means_g(alone, [2.0] * 4), second_means_g(alone[:1], [2.0])
    ([0.0, 0.0], [3.0])
    """
    means_g: list[float] = []
    for is_short, group in groupby(zip(pieces, rates_hz, strict=True), key=_is_short):
        parts = list(group)
        if is_short and len(parts) > 1:
            means_g += _joined_means_g([p for p, _ in parts], [hz for _, hz in parts])
            continue
        for piece, rate_hz in parts:
            means_g += _means_g(piece, rate_hz)
    return means_g


def _is_short(part: tuple[Piece, float]) -> bool:
    piece, rate_hz = part
    return len(piece.counts) < round(rate_hz)


def _means_g(piece: Piece, rate_hz: float) -> list[float]:
    n = max(1, min(len(piece.counts), round(rate_hz)))
    seconds = piece.counts[: len(piece.counts) // n * n].reshape(-1, n, 3)
    sums = np.add.reduce(seconds, axis=1, dtype=np.float64).tolist()
    mean_g = abs(piece.scale) * factor_of("acc", piece.unit) / n
    return [math.hypot(*total) * mean_g for total in sums]


def _joined_means_g(pieces: Sequence[Piece], rates_hz: Sequence[float]) -> list[float]:
    """Likewise of short pieces, whose scales may differ."""
    values_g = np.concatenate([in_unit("acc", piece) for piece in pieces])
    lasted_s = sum([len(p.counts) / hz for p, hz in zip(pieces, rates_hz, strict=True)])
    n = max(1, min(len(values_g), round(len(values_g) / lasted_s)))
    seconds = values_g[: len(values_g) // n * n].reshape(-1, n, 3)
    return np.linalg.norm(seconds.mean(axis=1, dtype=np.float64), axis=1).tolist()
