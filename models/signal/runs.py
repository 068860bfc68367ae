"""A stream as runs without a long gap: which samples were lost, and which were sent twice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from models.arrays import Floats32, Floats64
from models.signal.late_samples import are_punctual
from models.signal.pieces import Piece
from models.signal.timing import sample_times_ns, true_clock
from models.signal.units import Kind, in_unit
from schemas.times import NS_PER_S

MAX_BRIDGED_S = 6.0
"""A longer gap splits a recording: it may hide a pause between sets (decision 24)."""

LOST_STEPS = 3.0  # times the usual step: from there on samples were lost
JITTER_S, LOST_S = 0.1, 0.5  # shorter steps never lost samples, longer ones always
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


def longest_run(kind: Kind, pieces: Sequence[Piece]) -> GaplessRun | None:
    """The run of a stream with most samples; None where there is none.

    Raises:
        BadSamples: as `runs`.
    """
    return max(runs(kind, pieces), key=lambda run: len(run.t_s), default=None)


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
