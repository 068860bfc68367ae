"""Samples that were stamped on arrival: several with one time, then a pause.

Bluetooth delivers samples in batches, and an app that stamps them then records arrival times. These
give the rate, and an upper bound of each sample's time; they do not separate the samples of a
batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from models.arrays import Flags, Floats64, Indices, Ints64
from models.signal.overlaps import MAX_JITTER_S
from models.signal.pieces import Piece, is_near_rate, mean_rate_hz
from models.signal.timing import sample_times_ns
from schemas.times import NS_PER_S

MAX_SHORT_STEP = 0.25  # of the claimed period: shorter steps are no sensor jitter
MIN_SHORT_SHARE = 0.45  # of steps: half in batches of two
RATE_TOLERANCE = 0.1  # of the claimed period
LOOKAHEAD_BATCHES = 8  # batches within which a late one is made up for


def undo_batching(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """The pieces of a stream, with regular times instead of batched ones.

    Where batches arrive as fast as their samples, within 10 % of the claimed rate, the device has a
    steady clock: sample times are counted back from the earliest arrivals. Batches with silence
    between them keep their times, and so do samples that were resent under one time.

    Args:
        pieces: of one stream.

    Returns:
        in time order, parted where batches were lost or the clock drifts; the same object where
        nothing is batched.

    >>> counts = np.arange(30, dtype=np.int16).reshape(10, 3)
    >>> t_ms = np.repeat(np.array([0, 100], dtype=np.int32), 5)
    >>> (part,) = undo_batching([Piece(10**9, 50.0, "g", 1.0, counts, t_ms)])
    >>> part.t_ms, part.t0_ns  # the fifth was taken when it was heard
    (None, 920000000)
    """
    for piece in pieces:  # a fifth of the time of `all`: most have none
        if piece.t_ms is not None:
            break
    else:
        return pieces
    regular = [
        part
        for run in _ascending(sorted(pieces, key=lambda piece: piece.t0_ns))
        for part in _regular(run)
    ]
    return pieces if _timed_count(regular) == _timed_count(pieces) else regular


def _timed_count(pieces: Sequence[Piece]) -> int:
    return sum(piece.t_ms is not None for piece in pieces)


def _has_times(piece: Piece) -> bool:
    """Whether every sample has a time of its own; impossible times are refused elsewhere."""
    n = len(piece.counts)
    return piece.t_ms is not None and len(piece.t_ms) == n > 0 and piece.rate_hz > 0


def _ascending(ordered: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Runs of neighbouring pieces with times, of about one claimed rate and without overlap."""
    run = [ordered[0]]
    for piece in ordered[1:]:
        before = run[-1]
        alike = _has_times(before) and _has_times(piece)
        alike = alike and is_near_rate(piece.rate_hz, before.rate_hz)
        if not alike or piece.t0_ns < sample_times_ns(before)[-1]:
            yield run
            run = []
        run.append(piece)
    yield run


def _regular(run: list[Piece]) -> list[Piece]:
    """A run of pieces with regular times, if it was stamped in batches."""
    if not _has_times(run[0]):
        return run
    stamps_ns = np.concatenate([sample_times_ns(piece) for piece in run])
    rate_hz = mean_rate_hz(run)
    period_ns = NS_PER_S / rate_hz
    short = np.diff(stamps_ns) <= MAX_SHORT_STEP * period_ns
    if len(short) == 0 or short.mean() < MIN_SHORT_SHARE or _mostly_resent(run, short):
        return run
    last = np.append(np.flatnonzero(~short), len(short))  # sample of each batch
    if not _as_fast_as_claimed(stamps_ns, last, period_ns):
        return run
    late_ns = stamps_ns[last] - stamps_ns[0] - last * period_ns
    floor_ns = forward_minimum(late_ns, LOOKAHEAD_BATCHES)
    borders = np.cumsum([0, *(len(piece.counts) for piece in run)])
    new_clock = last[np.array(_clock_changes(floor_ns.tolist()), dtype=np.intp) - 1] + 1
    firsts = np.union1d(borders, new_clock)[:-1]
    at_ns = floor_ns[last.searchsorted(firsts)] + firsts * period_ns
    piece_of = borders.searchsorted(firsts, side="right") - 1
    ends = np.append(firsts[1:], borders[-1])
    return [
        replace(
            run[k],
            t0_ns=int(stamps_ns[0]) + round(at),
            rate_hz=rate_hz,
            counts=run[k].counts[first - borders[k] : end - borders[k]],
            t_ms=None,
        )
        for k, first, end, at in zip(piece_of, firsts, ends, at_ns.tolist(), strict=True)
    ]


def _mostly_resent(run: Sequence[Piece], short: Flags) -> bool:
    """Whether samples with the same time are mostly the same sample."""
    counts = np.concatenate([piece.counts for piece in run])
    return bool((counts[1:] == counts[:-1]).all(axis=1)[short].mean() > MIN_SHORT_SHARE)


def _as_fast_as_claimed(stamps_ns: Ints64, last: Indices, period_ns: float) -> bool:
    """Whether the median batch took as long as its samples should.

    A single batch tells only that its samples cannot all have one time.
    """
    if len(last) == 1:
        return bool(stamps_ns[0] == stamps_ns[-1])
    each_ns = np.diff(stamps_ns[last]) / np.diff(last)
    return bool(abs(np.median(each_ns) / period_ns - 1) <= RATE_TOLERANCE)


def forward_minimum(delays: Floats64, width: int) -> Floats64:
    """The minimum over each of (n,) delays and those just after it, `width` in all; (n,).

    >>> forward_minimum(np.array([0.0, 5.0, 1.0, 2.0]), 8).tolist()
    [0.0, 1.0, 1.0, 2.0]
    """
    padded = np.append(delays, np.full(width - 1, np.inf))
    return np.lib.stride_tricks.sliding_window_view(padded, width).min(axis=1)


def _clock_changes(floor_ns: Sequence[float]) -> list[int]:
    """The batches at which a new clock starts, because of a loss or of drift.

    >>> _clock_changes([0.0, 0.0, 6e7, 9e7, 13e7])
    [2, 4]
    """
    steps: list[int] = []
    since_ns = floor_ns[0]
    for n, value_ns in enumerate(floor_ns):
        if abs(value_ns - since_ns) > MAX_JITTER_S * NS_PER_S:
            steps.append(n)
            since_ns = value_ns
    return steps
