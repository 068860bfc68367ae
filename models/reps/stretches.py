"""Puts the pieces of a set back on one clock, with short gaps bridged."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.arrays import Flags, Floats64
from models.reps.lost import continued
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal
from schemas.times import NS_PER_S


@dataclass(frozen=True, slots=True)
class SetPart:
    """A part of a set without a long gap, at 50 Hz.

    Attributes:
        start_s: seconds after the first sample of the set.
        acc_g: (n, 3) acceleration, g.
        gyro: (n, 3) rotation, rad/s, or None where a piece of the stretch has none.
    """

    start_s: float
    acc_g: Floats64
    gyro: Floats64 | None


def joined(signals: Sequence[WristSignal], longest_gap_s: float) -> list[SetPart]:
    """Pieces in order of time, those with short gaps between them put together.

    What was lost is filled from where the set is alike, else by straight lines. The counter hardly
    notices half a second, and up to the length of a repetition the rhythm survives, which a cut
    would break.
    """
    ordered = sorted((s for s in signals if len(s.acc_g)), key=lambda s: s.t0_ns)
    if not ordered:
        return []
    ends = [s.t0_ns + len(s.acc_g) / RATE_HZ * NS_PER_S for s in ordered]
    gaps_s = [
        (b.t0_ns - end) / NS_PER_S for (_, b), end in zip(pairwise(ordered), ends, strict=False)
    ]
    cuts = [0, *(k + 1 for k, gap in enumerate(gaps_s) if gap > longest_gap_s), len(ordered)]
    origin = ordered[0].t0_ns
    return [bridged(ordered[a:b], origin) for a, b in pairwise(cuts)]


def bridged(pieces: Sequence[WristSignal], origin_ns: int) -> SetPart:
    """One stretch from pieces in order; overlapping samples of a later piece are left out."""
    start_s = (pieces[0].t0_ns - origin_ns) / NS_PER_S
    rotation = [p.gyro_rad_s for p in pieces if p.gyro_rad_s is not None]
    with_gyro = len(rotation) == len(pieces)
    rows = [np.asarray(p.acc_g, dtype=np.float64) for p in pieces]
    if with_gyro:
        rows = [np.hstack([a, g]) for a, g in zip(rows, rotation, strict=True)]
    first = [round((p.t0_ns - pieces[0].t0_ns) / NS_PER_S * RATE_HZ) for p in pieces]
    at = np.concatenate([np.arange(len(r)) + f for r, f in zip(rows, first, strict=True)])
    at, where = np.unique(at, return_index=True)
    known = np.concatenate(rows)[where]
    filled = np.concatenate([_filled(p) for p in pieces])[where]
    grid = np.arange(at[-1] + 1)
    whole = np.column_stack([np.interp(grid, at, column) for column in known.T])
    lost = np.ones(len(grid), dtype=np.bool_)
    lost[at] = filled
    if lost.any() and not lost.all():
        whole = continued(whole, lost)
    return SetPart(start_s, whole[:, :3], whole[:, 3:] if with_gyro else None)


def _filled(piece: WristSignal) -> Flags:
    """(n,) which of a piece's samples were lost."""
    if piece.filled is None:
        return np.zeros(len(piece.acc_g), dtype=np.bool_)
    return piece.filled
