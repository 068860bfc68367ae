"""When a sample was really taken: drift, jitter and overlaps.

A device that claims 50 Hz may run at 48.9. The start times of its pieces tell: when they lie on a
line over the number of samples sent so far, that line is the device's clock. One that says 50 and
runs at 56 is told from one that sends samples twice by the samples (`overlaps.py`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from models.arrays import Ints64
from models.signal.overlaps import (
    MAX_DRIFT,
    MAX_JITTER_S,
    faster_period,
    has_overlaps,
    period_ratio,
)
from models.signal.pieces import Piece, is_near_rate
from schemas.errors import BadSamples
from schemas.notes import HIGHER_RATE, OVERLAPPING_SAMPLES, QualityNote
from schemas.times import NS_PER_S

MIN_DRIFT = 1e-4  # smaller drift is not corrected: timestamps are not that accurate


def true_clock(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces in time order, with corrected `t0_ns` and `rate_hz`.

    Pieces with their own `t_ms` are not changed, nor is a clock without measurable drift.

    >>> block = np.zeros((100, 3), dtype=np.int16)
    >>> sent = [Piece(int(k * 100 / 49 * 1e9), 50.0, "g", 1.0, block) for k in range(9)]
    >>> round(true_clock(sent)[0].rate_hz, 3)
    49.0

    Raises:
        BadSamples: a rate that is not positive, a scale that is 0 or not finite, or times of which
            there are not as many as samples.
    """
    ordered = _in_order(pieces)
    if len(ordered) < 2 or not _has_no_times(ordered):
        return tuple(ordered)
    period = typical_ratio(ordered)
    if period != 1.0:
        ordered = [replace(p, rate_hz=p.rate_hz / period) for p in ordered]
    return tuple(p for run in _contiguous(ordered) for p in _fit_clock(run))


def clock_notes(pieces: Sequence[Piece]) -> tuple[QualityNote, ...]:
    """Notes on the times of a stream: a rate higher than claimed, or overlapping samples.

    >>> block = np.arange(300, dtype=np.int16).reshape(100, 3)
    >>> clock_notes([Piece(int(k * 100 / 56 * 1e9), 50.0, "g", 1.0, block + k) for k in range(9)])
    ('rate-was-higher',)

    Raises:
        BadSamples: a rate that is not positive, a scale that is 0 or not finite, or times of which
            there are not as many as samples.
    """
    ordered = _in_order(pieces)
    if len(ordered) < 2:
        return ()
    faster = _has_no_times(ordered) and faster_period(ordered) is not None
    conditions = ((HIGHER_RATE, faster), (OVERLAPPING_SAMPLES, has_overlaps(true_clock(ordered))))
    return tuple(note for note, is_so in conditions if is_so)


def sample_times_ns(piece: Piece) -> Ints64:
    """Time of every sample, int64 (n,), nanoseconds since the epoch."""
    if piece.t_ms is not None:
        return piece.t0_ns + piece.t_ms.astype(np.int64) * 1_000_000
    offsets = np.arange(len(piece.counts), dtype=np.float64) * (NS_PER_S / piece.rate_hz)
    return piece.t0_ns + np.rint(offsets).astype(np.int64)


def cut_pieces(pieces: Sequence[Piece], start_ns: int, end_ns: int) -> tuple[Piece, ...]:
    """The raw samples of [start_ns, end_ns): sliced by their true times, never resampled."""
    return cut_timed(true_clock(pieces), start_ns, end_ns)


def cut_timed(timed: Sequence[Piece], start_ns: int, end_ns: int) -> tuple[Piece, ...]:
    """Cut pieces whose clock is already the true one; see `cut_pieces`."""
    kept: list[Piece] = []
    for piece in timed:
        t_ns = sample_times_ns(piece)
        inside = np.flatnonzero((t_ns >= start_ns) & (t_ns < end_ns))
        if len(inside) == 0:
            continue
        part = slice(int(inside[0]), int(inside[-1]) + 1)
        t_ms = None if piece.t_ms is None else piece.t_ms[part] - piece.t_ms[part.start]
        counts = piece.counts[part]
        kept.append(replace(piece, t0_ns=int(t_ns[part.start]), counts=counts, t_ms=t_ms))
    return tuple(kept)


def _in_order(pieces: Sequence[Piece]) -> list[Piece]:
    for piece in pieces:
        _check(piece)
    return sorted(pieces, key=lambda p: (p.t0_ns, len(p.counts)))


def _has_no_times(pieces: Sequence[Piece]) -> bool:
    return all(piece.t_ms is None for piece in pieces)


def _check(piece: Piece) -> None:
    if not (math.isfinite(piece.rate_hz) and piece.rate_hz > 0):
        raise BadSamples(f"rate_hz must be positive, not {piece.rate_hz}", field="rate_hz")
    if not math.isfinite(piece.scale) or piece.scale == 0:
        raise BadSamples(f"scale must be a number other than 0, not {piece.scale}", field="scale")
    if piece.t_ms is not None and len(piece.t_ms) != len(piece.counts):
        raise BadSamples(f"{len(piece.counts)} samples have {len(piece.t_ms)} times", field="t_ms")


def typical_ratio(ordered: Sequence[Piece]) -> float:
    """Real over claimed sample period, from the starts of neighbours; 1.0 where not measurable."""
    faster = faster_period(ordered)
    if faster is not None:
        return faster
    ratios = [period_ratio(a, b) for a, b in pairwise(ordered)]
    near = [r for r in ratios if abs(r - 1) <= MAX_DRIFT]
    period = float(np.median(near)) if near else 1.0
    return period if abs(period - 1) > MIN_DRIFT else 1.0


def _contiguous(ordered: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Neighbouring pieces of about one claimed rate that follow one another within the jitter."""
    usual_hz = float(np.median([piece.rate_hz for piece in ordered]))
    run = [ordered[0]]
    for before, piece in pairwise(ordered):
        if not _follows(before, piece, usual_hz):
            yield run
            run = []
        run.append(piece)
    yield run


def _follows(before: Piece, piece: Piece, usual_hz: float) -> bool:
    """Whether a piece begins where the one before it ends, by its own or by the usual rate."""
    if not is_near_rate(before.rate_hz, piece.rate_hz):
        return False
    rates_hz = [before.rate_hz]
    if is_near_rate(before.rate_hz, usual_hz):
        rates_hz.append(usual_hz)
    ends_ns = [before.t0_ns + len(before.counts) / hz * NS_PER_S for hz in rates_hz]
    return min(abs(piece.t0_ns - end_ns) for end_ns in ends_ns) <= MAX_JITTER_S * NS_PER_S


def _fit_clock(run: list[Piece]) -> list[Piece]:
    """A run with its starts on a fitted line; one that does not follow a line keeps them."""
    if len(run) < 3:
        return run
    sent = np.cumsum([0] + [len(p.counts) for p in run[:-1]]).astype(np.float64)
    start_s = np.array([p.t0_ns - run[0].t0_ns for p in run], dtype=np.float64) / NS_PER_S
    period_s, first_s = np.polyfit(sent, start_s, 1)
    off_s = np.abs(start_s - (first_s + period_s * sent)).max()
    if period_s <= 0 or off_s > MAX_JITTER_S:
        return run
    if off_s < MIN_DRIFT / run[0].rate_hz and all(p.rate_hz == run[0].rate_hz for p in run):
        return run
    on_line_ns = [run[0].t0_ns + round((first_s + period_s * n) * NS_PER_S) for n in sent]
    return [replace(p, t0_ns=t, rate_hz=1 / period_s) for p, t in zip(run, on_line_ns, strict=True)]
