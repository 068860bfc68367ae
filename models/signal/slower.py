"""A device that delivers fewer samples a second than it claims, told from one that loses samples.

Both leave time between the end of a piece, by its claimed rate, and the start of the next one. A
slow device does so evenly, and its movement goes on from piece to piece as within them.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from models.arrays import Floats64
from models.signal.overlaps import MAX_JITTER_S, MIN_AGREEING, period_ratio
from models.signal.pieces import Piece, is_near_rate

MIN_NEIGHBOURS = 16  # fewer seams may look continuous by chance
PERIOD_RATIOS = (1.2, 4.5)
"""Real over claimed period of a slow device: it claims 60 and delivers 50, to 100 and 25 and some
drift. Beyond that it rather sleeps between pieces."""
MAX_SEAM = 1.3
MIN_LEAP = 2.0
"""The mean step from a piece to the next one, in mean steps within pieces, is up to `MAX_SEAM`; and
over as many samples as would be lost it is `MIN_LEAP` or more. At rest it is not, as noise is as
large in any time: such a recording does not tell (decision 74)."""


class _Steady(NamedTuple):
    """A stream whose pieces start as evenly as those of a slow device.

    Attributes:
        period: real over claimed sample period.
        neighbours: pieces that follow each other, those that agree about it.
    """

    period: float
    neighbours: Sequence[tuple[Piece, Piece]]


def with_true_rates(*streams: Sequence[Piece]) -> tuple[Sequence[Piece], ...]:
    """The streams of a wrist at the rates that their starts tell, where the device is a slow one.

    What one of its sensors shows is believed of another one with the same period.

    Args:
        streams: of pieces, one a sensor.

    Returns:
        for each, the same object where that is not certain.

    >>> t_s = np.arange(2000) / 50
    >>> counts = np.stack([1000 * np.sin(3 * t_s + k) for k in range(3)], 1).astype(np.int16)
    >>> chunks = np.split(counts, 20)
    >>> sent = [Piece(2 * k * 10**9, 100.0, "g", 1.0, chunk) for k, chunk in enumerate(chunks)]
    >>> with_true_rates(sent)[0][0].rate_hz
    50.0
    """
    found = [_steady(pieces) for pieces in streams]
    slow = [steady.period for steady in found if steady is not None and _is_continuous(steady)]
    return tuple(
        pieces
        if steady is None or not any(is_near_rate(steady.period, period) for period in slow)
        else [replace(piece, rate_hz=piece.rate_hz / steady.period) for piece in pieces]
        for pieces, steady in zip(streams, found, strict=True)
    )


def _steady(pieces: Sequence[Piece]) -> _Steady | None:
    """The stream's period and agreeing neighbours; None if it is no candidate."""
    if len(pieces) <= MIN_NEIGHBOURS or any(piece.t_ms is not None for piece in pieces):
        return None
    if not all(len(piece.counts) and piece.rate_hz > 0 for piece in pieces):
        return None
    ordered = sorted(pieces, key=lambda piece: piece.t0_ns)
    if not all(is_near_rate(ordered[0].rate_hz, piece.rate_hz) for piece in ordered):
        return None
    neighbours = list(pairwise(ordered))
    ratios = np.array([period_ratio(a, b) for a, b in neighbours])
    typical = float(np.median(ratios))
    if not PERIOD_RATIOS[0] <= typical <= PERIOD_RATIOS[1]:
        return None
    took_s = np.array([len(a.counts) / a.rate_hz for a, _ in neighbours])
    agree = np.abs(ratios - typical) * took_s <= MAX_JITTER_S
    if agree.sum() < max(MIN_NEIGHBOURS, MIN_AGREEING * len(ratios)):
        return None
    agreed = [both for both, is_so in zip(neighbours, agree, strict=True) if is_so]
    return _Steady(float(np.median(ratios[agree])), agreed)


def _is_continuous(steady: _Steady) -> bool:
    """Whether movement goes on across pieces as it does within them, and would not after a loss."""
    values = [(_values(a), _values(b)) for a, b in steady.neighbours]
    before = [a for a, _ in values]
    seams = np.concatenate([b[:1] - a[-1:] for a, b in values])
    usual_n = int(np.median([len(a) for a in before]))
    lost = min(round(usual_n * (steady.period - 1)), usual_n // 2)
    within, leap = _mean_step(before, 1), _mean_step(before, 1 + lost)
    seam = float(_length(seams).mean())
    return seam <= MAX_SEAM * within and leap >= MIN_LEAP * within > 0


def _mean_step(values: Sequence[Floats64], samples: int) -> float:
    """Mean distance of samples so many apart, of all pieces that are long enough; 0 of none."""
    steps = [_length(of[samples:] - of[:-samples]) for of in values if len(of) > samples]
    return float(np.concatenate(steps).mean()) if steps else 0.0


def _values(piece: Piece) -> Floats64:
    """Samples in the piece's unit, (n, 3): JSON chunks have a scale each."""
    return piece.counts * np.float64(piece.scale)


def _length(steps: Floats64) -> Floats64:
    """(m,) lengths of (m, 3) steps."""
    return np.sqrt((steps**2).sum(axis=1))
