"""Candidates for the refined borders of a set, and their features relative to the set's core.

Every tenth of a second around a first guess is a candidate. The movement just outside and just
inside of it is compared with the core of the set: amplitude, posture, and distance to the most
similar seconds of the core. Ends are read backwards in time, so that they resemble starts. A set
ends in the posture in which it began, because whole repetitions lie between.
"""

from dataclasses import dataclass

import numpy as np

from models.activity.periodicity import DOWNSAMPLED_HZ
from models.activity.settings import SETTINGS
from models.activity.states import Span
from models.activity.traces import Postures
from models.arrays import Floats64
from models.signal.wrist import WristSignal

PARTS_S = ((-3, -1.5), (-1.5, -0.7), (-0.7, -0.2), (-0.2, 0.2), (0.2, 0.7), (0.7, 1.5), (1.5, 3))
PART_REACH_S = 3.0
SCORES_AT_S = (-1.5, 0.0, 1.5)
SCORE_CLIP = 15.0
MAX_DISTANCE_SPREADS = 2.0  # caps posture distances, in spreads of the set's own postures
MIN_SPREAD_G = 0.05
POSTURE_FEATURES = 2 * len(PARTS_S)


@dataclass(frozen=True, slots=True)
class ScoredSignal:
    """A signal with the log odds of each of its windows.

    Attributes:
        signal: at 50 Hz.
        centre_s: (m,) middle of each window.
        log_odds: (m,) of exercise against idle.
    """

    signal: WristSignal
    centre_s: Floats64
    log_odds: Floats64


@dataclass(frozen=True, slots=True)
class BorderDistribution:
    """Where a border may be: times (c,) in s and their probabilities (c,), which sum to 1."""

    at_s: Floats64
    probability: Floats64


def candidate_times(scored: ScoredSignal, guess_s: float) -> Floats64:
    """(c,) candidate borders around a first guess, all within the signal."""
    reach, step = SETTINGS.reach_s, SETTINGS.border_step_s
    offs = np.arange(-round(reach / step), round(reach / step) + 1, dtype=np.float64) * step
    at_s: Floats64 = guess_s + offs
    return np.unique(np.clip(at_s, 0.0, scored.signal.duration_s))


def candidates(
    scored: ScoredSignal, trace: Floats64, guess_s: float, *, end: bool
) -> tuple[Floats64, Floats64]:
    """Candidate borders and their features.

    Args:
        scored: the recording.
        trace: its `traces` from the middle of the set.
        guess_s: the first guess.
        end: whether the border is an end; then the features run backwards in time.

    Returns:
        Times (c,) and features (c, f).
    """
    at_s = candidate_times(scored, guess_s)
    inwards = -1 if end else 1
    off = (at_s - guess_s) * inwards
    odds = np.clip(scored.log_odds, -SCORE_CLIP, SCORE_CLIP) / 5
    around = [np.interp(at_s + o * inwards, scored.centre_s, odds) for o in SCORES_AT_S]
    known = np.column_stack([np.abs(off), off**2 / 5, off, *around])
    return at_s, np.hstack([part_means(trace, at_s, end=end), known])


def part_means(trace: Floats64, at_s: Floats64, *, end: bool) -> Floats64:
    """(c, parts · channels) means of a trace over each part around each time, outside first."""
    cumulative = np.concatenate([np.zeros((1, trace.shape[1])), np.cumsum(trace, axis=0)])
    columns: list[Floats64] = []
    for outer, inner in PARTS_S:
        begin, stop = (-inner, -outer) if end else (outer, inner)
        i = np.clip(np.rint((at_s + begin) * DOWNSAMPLED_HZ).astype(np.intp), 0, len(trace) - 1)
        j = np.clip(np.rint((at_s + stop) * DOWNSAMPLED_HZ).astype(np.intp), i + 1, len(trace))
        columns.append((cumulative[j] - cumulative[i]) / (j - i)[:, None])
    return np.hstack(columns)


def posture_means(
    postures: Postures, at_s: Floats64, other: BorderDistribution, *, end: bool
) -> Floats64:
    """Distance of the postures around each candidate from the posture at the other border.

    Args:
        postures: the postures around the set.
        at_s: (c,) candidates.
        other: the other border; distances are averaged over its distribution.
        end: as in `candidates`.

    Returns:
        (c, 14): distance of gravity in g, and in spreads of the set's own postures, at most 2,
        over each part.
    """
    rows = len(postures.gravity_g)
    first = int(np.clip((at_s[0] - PART_REACH_S) * DOWNSAMPLED_HZ - 1, 0, rows - 1))
    stop = int(np.clip((at_s[-1] + PART_REACH_S) * DOWNSAMPLED_HZ + 2, first + 1, rows))
    other_rows = np.clip(np.rint(other.at_s * DOWNSAMPLED_HZ).astype(np.intp), 0, rows - 1)
    difference = postures.gravity_g[first:stop, None] - postures.gravity_g[other_rows][None]
    distance = np.linalg.norm(difference, axis=2)
    relative = np.minimum(distance / (postures.spread_g + MIN_SPREAD_G), MAX_DISTANCE_SPREADS)
    trace = np.column_stack([distance @ other.probability, relative @ other.probability])
    return part_means(trace, at_s - first / DOWNSAMPLED_HZ, end=end)


def certain_border(at_s: float) -> BorderDistribution:
    """The distribution of a border whose time, in s, is known."""
    return BorderDistribution(np.array([at_s]), np.ones(1))


def core_span(span: Span) -> Span:
    """The core of a set: without `core_s` at either end, at most a quarter each."""
    left_out = min(SETTINGS.core_s, (span[1] - span[0]) / 4)
    return span[0] + left_out, span[1] - left_out


def best_time(distribution: BorderDistribution, within_s: float) -> float:
    """The time with the most probability within `within_s`, nearer times weighing more."""
    at_s = distribution.at_s
    near = np.maximum(0.0, 1 - (np.abs(at_s[:, None] - at_s[None, :]) / within_s) ** 4)
    return float(at_s[int(np.argmax(near @ distribution.probability))])
