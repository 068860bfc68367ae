"""When a sample was really taken: drift, jitter, lost packets, overlaps and gaps.

A device that claims 50 Hz may run at 48.9. The start times of its pieces tell: when they lie on a
line over the number of samples sent so far, that line is the device's clock. One that says 50 and
runs at 56 is told from one that sends samples twice by the samples (`overlaps.py`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from models.arrays import Floats32, Floats64, Ints64
from models.signal.late_samples import are_punctual
from models.signal.overlaps import (
    MAX_DRIFT,
    MAX_JITTER_S,
    faster_period,
    has_overlaps,
    period_ratio,
)
from models.signal.pieces import Piece, is_near_rate
from models.signal.units import Kind, factor_of
from schemas.errors import BadSamples
from schemas.times import NS_PER_S

MAX_BRIDGED_S = 6.0
"""A longer gap splits a recording: it may hide a pause between sets (decision 24)."""

LOST_STEPS = 3.0  # times the usual step: from there on samples were lost
JITTER_S, LOST_S = 0.1, 0.5  # shorter steps never lost samples, longer ones always
MIN_DRIFT = 1e-4  # smaller drift is not corrected: timestamps are not that accurate
FASTER = "rate-was-higher"
OVERLAPPING = "samples-overlapped"
FAST_HZ = 1e6  # up to here samples lie whole nanoseconds apart
MAX_CACHED_TIMES = 8192  # of regular samples, 64 kB: longer ones are seldom asked for again
Gaps = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class GaplessRun:
    """Samples without a gap over 6 s.

    Attributes:
        t0_ns: origin of `t_s`, nanoseconds since the epoch.
        t_s: float64 (n,), strictly ascending, seconds after t0_ns.
        values: float32 (n, 3), in g or rad/s.
        gaps_s: times of the samples before and after each loss; in `t_s`.
    """

    t0_ns: int
    t_s: Floats64
    values: Floats32
    gaps_s: Gaps = ()


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


def clock_notes(pieces: Sequence[Piece]) -> tuple[str, ...]:
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
    conditions = ((FASTER, faster), (OVERLAPPING, has_overlaps(true_clock(ordered))))
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


def runs(kind: Kind, pieces: Sequence[Piece]) -> Iterator[GaplessRun]:
    """The stream as runs without a gap over 6 s; what was sent twice counts once.

    Raises:
        BadSamples: an unknown unit, or a rate or scale that is no usable number.
    """
    timed = true_clock(pieces)
    if not timed:
        return
    if len(timed) == 1 and timed[0].t_ms is None and 1 / LOST_S < timed[0].rate_hz < FAST_HZ:
        only = timed[0]  # nothing in it can be late, missing or sent twice
        n = len(only.counts)
        make = _regular_times_s if n <= MAX_CACHED_TIMES else _regular_times_s.__wrapped__
        yield GaplessRun(only.t0_ns, make(n, only.rate_hz), in_unit(kind, only))
        return
    t_ns = np.concatenate([sample_times_ns(p) for p in timed])
    values = np.concatenate([in_unit(kind, p) for p in timed])
    steps = np.diff(t_ns)
    if (steps <= 0).any():
        punctual = are_punctual(timed, t_ns)
        t_ns, values = t_ns[punctual], values[punctual]
        latest = np.maximum.accumulate(t_ns)
        fresh = np.concatenate([[True], t_ns[1:] > latest[:-1]])
        t_ns, values = t_ns[fresh], values[fresh]
        steps = np.diff(t_ns)
    borders = (np.flatnonzero(steps > MAX_BRIDGED_S * NS_PER_S) + 1).tolist()
    for first, end in pairwise([0, *borders, len(t_ns)]):
        t_s = (t_ns[first:end] - t_ns[first]) / NS_PER_S
        yield GaplessRun(int(t_ns[first]), t_s, values[first:end], _gaps_s(t_s))


def _gaps_s(t_s: Floats64) -> Gaps:
    """Times of the samples before and after each loss.

    >>> _gaps_s(np.array([0.0, 0.02, 0.04, 0.24, 0.26]))
    ((0.04, 0.24),)
    """
    steps = np.diff(t_s)
    if steps.max(initial=0.0) <= JITTER_S:
        return ()
    usual = LOST_STEPS * float(np.median(steps))
    at = np.flatnonzero(steps > min(LOST_S, max(JITTER_S, usual)))
    return tuple(zip(t_s[at].tolist(), t_s[at + 1].tolist(), strict=True))


@lru_cache(maxsize=64)
def _regular_times_s(n: int, rate_hz: float) -> Floats64:
    """Times of n samples after the first, in whole nanoseconds; shared, so not to be written to.

    >>> _regular_times_s(3, 50.0).tolist()
    [0.0, 0.02, 0.04]
    """
    t_s = np.rint(np.arange(n, dtype=np.float64) * (NS_PER_S / rate_hz)) / NS_PER_S
    t_s.flags.writeable = False
    return t_s


def in_unit(kind: Kind, piece: Piece) -> Floats32:
    """Counts as g or rad/s, by what the piece claims; float32 (n, 3)."""
    return piece.counts.astype(np.float32) * np.float32(piece.scale * factor_of(kind, piece.unit))


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
