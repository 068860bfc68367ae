"""A second look at where a set begins and ends, measured against the set's own middle.

Around a first guess every tenth of a second is a candidate. What is just outside and just inside of
it is compared with the middle of the set: size of movement, posture, and likeness to any seconds of
the middle. An end is looked at backwards in time, so that it resembles a start. And a set ends in
the posture in which it began, because whole repetitions lie between.
"""

from dataclasses import dataclass

import numpy as np

from models.activity.periodicity import DOWNSAMPLED_HZ
from models.activity.settings import ActivitySettings
from models.activity.states import Span
from models.activity.traces import Postures
from models.arrays import Floats64
from models.signal.wrist import WristSignal

PARTS_S = ((-3, -1.5), (-1.5, -0.7), (-0.7, -0.2), (-0.2, 0.2), (0.2, 0.7), (0.7, 1.5), (1.5, 3))
PART_REACH_S = 3.0
SCORES_AT_S = (-1.5, 0.0, 1.5)
SCORE_CLIP = 15.0
FARTHEST = 2.0  # spreads of a set's own postures: beyond it nothing is more different
LEAST_SPREAD_G = 0.05
POSTURE_FEATURES = 2 * len(PARTS_S)


@dataclass(frozen=True, slots=True)
class Scored:
    """A signal with the score of each of its windows.

    Attributes:
        signal: at 50 Hz.
        centre_s: (m,) middle of each window.
        log_odds: (m,) of exercise against idle.
    """

    signal: WristSignal
    centre_s: Floats64
    log_odds: Floats64


@dataclass(frozen=True, slots=True)
class Maybe:
    """Where a border may be: times (c,) in s, and how likely each is; they sum to 1."""

    at_s: Floats64
    chance: Floats64


def candidate_times(scored: Scored, guess_s: float, settings: ActivitySettings) -> Floats64:
    """(c,) candidate borders around a first guess, none outside of the signal."""
    reach, step = settings.reach_s, settings.border_step_s
    offs = np.arange(-round(reach / step), round(reach / step) + 1, dtype=np.float64) * step
    at_s: Floats64 = guess_s + offs
    return np.unique(np.clip(at_s, 0.0, scored.signal.duration_s))


def candidates(
    scored: Scored, trace: Floats64, guess_s: float, settings: ActivitySettings, *, end: bool
) -> tuple[Floats64, Floats64]:
    """Candidate borders and what is known about each.

    Args:
        scored: the recording.
        trace: its `traces` from the middle of the set.
        guess_s: the first guess.
        settings: how far is looked, and how finely.
        end: whether the border is an end; then the features run backwards in time.

    Returns:
        Times (c,) and features (c, f).
    """
    at_s = candidate_times(scored, guess_s, settings)
    inwards = -1 if end else 1
    off = (at_s - guess_s) * inwards
    odds = np.clip(scored.log_odds, -SCORE_CLIP, SCORE_CLIP) / 5
    around = [np.interp(at_s + o * inwards, scored.centre_s, odds) for o in SCORES_AT_S]
    known = np.column_stack([np.abs(off), off**2 / 5, off, *around])
    return at_s, np.hstack([part_means(trace, at_s, end=end), known])


def part_means(trace: Floats64, at_s: Floats64, *, end: bool) -> Floats64:
    """(c, parts · channels) means of a trace over each part around each time, outside first."""
    total = np.concatenate([np.zeros((1, trace.shape[1])), np.cumsum(trace, axis=0)])
    columns: list[Floats64] = []
    for outer, inner in PARTS_S:
        begin, stop = (-inner, -outer) if end else (outer, inner)
        i = np.clip(np.rint((at_s + begin) * DOWNSAMPLED_HZ).astype(np.intp), 0, len(trace) - 1)
        j = np.clip(np.rint((at_s + stop) * DOWNSAMPLED_HZ).astype(np.intp), i + 1, len(trace))
        columns.append((total[j] - total[i]) / (j - i)[:, None])
    return np.hstack(columns)


def posture_means(found: Postures, at_s: Floats64, other: Maybe, *, end: bool) -> Floats64:
    """How far the postures around each candidate are from that at the set's other border.

    Args:
        found: the postures around the set.
        at_s: (c,) candidates.
        other: where the other border may be; the distances to each are averaged.
        end: as in `candidates`.

    Returns:
        (c, 14): distance of gravity in g, and in spreads of the set's own postures, at most 2,
        over each part.
    """
    rows = len(found.gravity_g)
    first = int(np.clip((at_s[0] - PART_REACH_S) * DOWNSAMPLED_HZ - 1, 0, rows - 1))
    stop = int(np.clip((at_s[-1] + PART_REACH_S) * DOWNSAMPLED_HZ + 2, first + 1, rows))
    there = np.clip(np.rint(other.at_s * DOWNSAMPLED_HZ).astype(np.intp), 0, rows - 1)
    apart = found.gravity_g[first:stop, None] - found.gravity_g[there][None]
    far = np.linalg.norm(apart, axis=2)
    relative = np.minimum(far / (found.spread_g + LEAST_SPREAD_G), FARTHEST)
    trace = np.column_stack([far @ other.chance, relative @ other.chance])
    return part_means(trace, at_s - first / DOWNSAMPLED_HZ, end=end)


def surely(at_s: float) -> Maybe:
    """A border whose time, in s, is known for certain."""
    return Maybe(np.array([at_s]), np.ones(1))


def core_of(span: Span, settings: ActivitySettings) -> Span:
    """The middle of a stretch: its ends left out, at most a quarter each."""
    left_out = min(settings.core_s, (span[1] - span[0]) / 4)
    return span[0] + left_out, span[1] - left_out


def best_time(found: Maybe, within_s: float) -> float:
    """The time that has most probability around it, nearer counting more."""
    at_s = found.at_s
    near = np.maximum(0.0, 1 - (np.abs(at_s[:, None] - at_s[None, :]) / within_s) ** 4)
    return float(at_s[int(np.argmax(near @ found.chance))])
