"""Rotation that gets stuck: the sensor repeats its last value while the wrist moves."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from models.signal.pieces import Piece
from models.signal.runs import GaplessRun
from schemas.times import NS_PER_S

MIN_STUCK_SAMPLES = 50  # about a second
STUCK_S = 10.0  # a sensor that wakes up late, or misses a few packets, is not broken
MOVES_G = 0.05
"""Deviation of acceleration above which a wrist does not rest: a coarse gyroscope at rest is still.
Of 239 recordings no rotation is the same for more than .02 s while acceleration varies at all."""


def is_stuck(gyro: Sequence[Piece]) -> bool:
    """Whether rotation is constant: a sensor that is switched off, or broken.

    >>> off = Piece(0, 50.0, "rad/s", 1.0, np.zeros((100, 3), dtype=np.int16))
    >>> is_stuck([off]), is_stuck([])
    (True, False)
    """
    if sum([len(piece.counts) for piece in gyro]) < MIN_STUCK_SAMPLES:
        return False
    first, last = gyro[0].counts, gyro[-1].counts
    if first.item(0) != last.item(-1 - 2):  # the x axis nearly always decides, at no cost
        return False
    return all((piece.counts == first[0]).all() for piece in gyro)


def without_stuck(gyro: list[GaplessRun], acc: Sequence[GaplessRun]) -> list[GaplessRun]:
    """The runs of rotation without what is constant for 10 s or more while the wrist moves.

    The same object where nothing is.

    >>> t_s = np.arange(700) / 50
    >>> swing = np.stack([np.sin(t_s)] * 3, axis=1).astype(np.float32)
    >>> hangs = np.where(t_s[:, None] < 3, swing, swing[150])
    >>> moving, stuck = GaplessRun(0, t_s, swing), GaplessRun(0, t_s, hangs)
    >>> [len(run.t_s) for run in without_stuck([stuck], [moving])]
    [151]
    >>> [len(run.t_s) for run in without_stuck([stuck], [stuck])]  # both hang at 3 s
    [700]
    """
    stuck = [[span for span in _constant(run) if _moves(acc, run, span)] for run in gyro]
    if not any(stuck):
        return gyro
    both = zip(gyro, stuck, strict=True)
    return [part for run, spans in both for part in _without(run, spans)]


def _without(run: GaplessRun, stuck: Sequence[tuple[int, int]]) -> Iterator[GaplessRun]:
    """What is left of a run beside some spans of it, of each of which the first sample is new."""
    borders = [0, *(border for first, end in stuck for border in (first + 1, end)), len(run.t_s)]
    for first, end in list(pairwise(borders))[::2]:
        if end - first > 1:
            yield _part(run, first, end)


def _constant(run: GaplessRun) -> list[tuple[int, int]]:
    """First sample and the one after the last of each stretch of equal samples of 10 s or more."""
    if run.t_s[-1] < STUCK_S:
        return []
    changes = np.flatnonzero((run.values[1:] != run.values[:-1]).any(axis=1)) + 1
    borders = np.concatenate([[0], changes, [len(run.t_s)]])
    long = np.flatnonzero(run.t_s[borders[1:] - 1] - run.t_s[borders[:-1]] >= STUCK_S)
    return [(int(borders[k]), int(borders[k + 1])) for k in long]


def _moves(acc: Sequence[GaplessRun], run: GaplessRun, span: tuple[int, int]) -> bool:
    """Whether acceleration varies while rotation does not."""
    start_s, end_s = run.t_s[span[0]], run.t_s[span[1] - 1]
    for acc_run in acc:
        late_s = (run.t0_ns - acc_run.t0_ns) / NS_PER_S
        first, end = acc_run.t_s.searchsorted([start_s + late_s, end_s + late_s])
        beside = acc_run.values[first:end]
        if len(beside) and np.sqrt(beside.var(axis=0, dtype=np.float64).sum()) > MOVES_G:
            return True
    return False


def _part(run: GaplessRun, first: int, end: int) -> GaplessRun:
    """Some samples of a run as a run of its own."""
    start_s, last_s = float(run.t_s[first]), float(run.t_s[end - 1])
    inside = [(a, b) for a, b in run.gaps_s if a >= start_s and b <= last_s]
    return replace(
        run,
        t0_ns=run.t0_ns + round(start_s * NS_PER_S),
        t_s=run.t_s[first:end] - start_s,
        values=run.values[first:end],
        gaps_s=tuple((a - start_s, b - start_s) for a, b in inside),
    )
