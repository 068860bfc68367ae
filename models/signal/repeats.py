"""Samples of a sensor that is polled faster than it measures: each comes several times.

The repeats have times of their own, so that a sensor of 12.5 Hz looks like one of 50 Hz whose
signal is a staircase: full of fast movement that nobody made.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from models.arrays import Flags, Floats32, Ints16
from models.signal.pieces import Piece
from models.signal.timing import sample_times_ns, true_clock
from schemas.times import NS_PER_S

MAX_CHANGED = 0.6  # share of the rows that are new where a sensor is polled too fast
MIN_STEPS = 4  # a coarse sensor repeats a value too, but where it changes, it changes by 1 step
MAX_STILL_S = 0.25  # longer, and the wrist rests
MIN_MOVING_S = 4  # seconds of movement by which it is judged
MIN_AGREEING = 0.9  # of them
MIN_RATE_HZ = 10.0  # of rows: with fewer, seconds tell nothing


class _SlowSensor(NamedTuple):
    """A sensor that is polled faster than it measures.

    Attributes:
        polled_hz: rows a second.
        share: of the rows that are new while the wrist moves.
    """

    polled_hz: float
    share: float

    @property
    def rate_hz(self) -> float:
        """How often it measures."""
        return self.polled_hz * self.share


def without_repeats(pieces: Sequence[Piece]) -> Sequence[Piece]:
    """The pieces of a stream without the rows that a slow sensor repeats.

    Judged by the seconds in which the wrist moves by several counts: steadily less than .6 of their
    rows differ from the row before. A value that lasts is kept once a sample of the slow sensor.

    Args:
        pieces: of one stream.

    Returns:
        in time order and with a time for each sample; the same object where nothing is repeated.

    Raises:
        BadSamples: a rate that is not positive, a scale that is 0 or not finite, or times of which
            there are not as many as samples.

    >>> t_s = np.arange(80) / 12.5
    >>> swing = np.rint(1000 * np.sin(t_s[:, None] * [2, 3, 5])).astype(np.int16)
    >>> (part,) = without_repeats([Piece(0, 50.0, "g", 1e-3, swing.repeat(4, axis=0))])
    >>> part.rate_hz, (part.counts == swing).all(), part.t_ms[:3].tolist()
    (12.5, np.True_, [0, 80, 160])
    """
    rows = sum(len(piece.counts) for piece in pieces)
    if rows < MIN_RATE_HZ * MIN_MOVING_S or _changes_of_x(pieces) >= MAX_CHANGED * rows:
        return pieces  # one axis nearly always decides, at little cost
    timed = true_clock(pieces)
    slow = _slow_sensor(timed)
    return pieces if slow is None else _once_a_sample(timed, slow)


def _slow_sensor(timed: Sequence[Piece]) -> _SlowSensor | None:
    """The sensor behind the rows; None where it measures about as fast as it is polled."""
    t_ns = np.concatenate([sample_times_ns(piece) for piece in timed])
    step_ns = float(np.median(np.diff(t_ns)))
    if not 0 < step_ns <= NS_PER_S / MIN_RATE_HZ:
        return None
    polled_hz = NS_PER_S / step_ns
    counts = np.concatenate([piece.counts for piece in timed])
    share = _changed_share(counts, _steps_of_change(timed), round(polled_hz))
    return None if share >= MAX_CHANGED else _SlowSensor(polled_hz, share)


def _once_a_sample(timed: Sequence[Piece], slow: _SlowSensor) -> list[Piece]:
    """The rows in which the sensor measured, each with its time."""
    counts = np.concatenate([piece.counts for piece in timed])
    kept = _position_in_run(counts) % int(np.ceil(1.5 / slow.share)) == 0
    borders = np.cumsum([len(piece.counts) for piece in timed])[:-1]
    parts = zip(timed, np.split(kept, borders), strict=True)
    return [thinned(piece, keep, slow.rate_hz) for piece, keep in parts if keep.any()]


def thinned(piece: Piece, keep: Flags, rate_hz: float) -> Piece:
    """Some rows of a piece, with times of their own in whole milliseconds.

    Args:
        piece: with the true `t0_ns` and `rate_hz`.
        keep: (n,) which of its rows, one at least.
        rate_hz: that the rest claims.
    """
    t_ns = sample_times_ns(piece)[keep]
    return replace(
        piece,
        t0_ns=int(t_ns[0]),
        rate_hz=rate_hz,
        counts=piece.counts[keep],
        t_ms=np.rint((t_ns - t_ns[0]) / 1e6).astype(np.int32),
    )


def _changes_of_x(pieces: Sequence[Piece]) -> int:
    return sum(
        int(np.count_nonzero(piece.counts[1:, 0] != piece.counts[:-1, 0])) for piece in pieces
    )


def _changed_rows(counts: Ints16) -> Flags:
    """(n,) which rows of (n, 3) differ from the row before; the first one does."""
    return np.concatenate([[True], (counts[1:] != counts[:-1]).any(axis=1)])


def _position_in_run(counts: Ints16) -> np.ndarray:
    """How many rows before each one are the same."""
    at = np.arange(len(counts))
    return at - np.maximum.accumulate(np.where(_changed_rows(counts), at, 0))


def _steps_of_change(pieces: Sequence[Piece]) -> Floats32:
    """By how many of the sensor's steps each row differs from the one before it, (n,).

    A step is the least change inside a piece: where JSON was quantised, or a sensor of 8 bits fills
    the upper half of 16, that is many counts. It is one count where no piece holds a change.
    """
    values = np.concatenate([piece.counts * np.float32(piece.scale) for piece in pieces])
    changes = np.abs(np.diff(values, axis=0, prepend=values[:1])).max(axis=1)
    least = min(piece.scale * _least_change(piece.counts) for piece in pieces)
    return changes / (least if np.isfinite(least) else max(piece.scale for piece in pieces))


def _least_change(counts: Ints16) -> float:
    steps = np.abs(np.diff(counts.astype(np.int32), axis=0))
    return float(np.min(np.where(steps > 0, steps, np.inf), initial=np.inf))


def _changed_share(counts: Ints16, steps: Floats32, second: int) -> float:
    """Share of new rows while the wrist moves; 1.0 unless that is steadily low.

    Args:
        counts: (n, 3).
        steps: (n,) of the sensor, from each row to the next.
        second: rows of a second.
    """
    whole = len(counts) // second * second
    changed = _changed_rows(counts)[:whole].reshape(-1, second)
    large = (steps[:whole] > MIN_STEPS - 0.5).reshape(-1, second)  # JSON rounds by a count
    longest = _position_in_run(counts)[:whole].reshape(-1, second).max(axis=1) + 1
    moving = (longest <= MAX_STILL_S * second) & (2 * large.sum(axis=1) >= changed.sum(axis=1))
    shares = changed[moving].mean(axis=1)
    if len(shares) < MIN_MOVING_S or (shares < MAX_CHANGED).mean() < MIN_AGREEING:
        return 1.0
    return float(shares.mean())
