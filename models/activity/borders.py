"""A second look at where a set begins and ends, with the set's own middle as the measure.

Around a first guess every tenth of a second is a candidate. What is just before and after it is
compared with the middle of the set: size of movement, posture, likeness to any second or two of
the middle. A conditional logit, learned on labelled borders, says which candidate it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.activity.periodicity import SLOW_HZ, STEP, slow_channels, slow_rows
from models.activity.settings import ActivitySettings
from models.signal.wrist import WristSignal, slice_of

Array = NDArray[np.float64]
Span = tuple[float, float]
PARTS_S = ((-3, -1.5), (-1.5, -0.7), (-0.7, -0.2), (-0.2, 0.2), (0.2, 0.7), (0.7, 1.5), (1.5, 3))
SCORES_AT_S = (-1.5, 0.0, 1.5)
SCORE_CLIP = 15.0
NEIGHBOURS_S = 1.5  # a window is not compared with itself
LIKENESS_S = (1.0, 2.0)
STEEPEST = 50
FLAT = 1e-6
GRAVITY = 25  # samples, twice: what is slower is gravity
QUIET = 0.02  # g or rad/s that are as good as none
NEAR_S = 20.0  # more than any candidate border and what is looked at around it
MOST_COMPARED = 1200  # rows of the middle: two minutes show how a set is
BLOCK = 2048  # rows at once: an hour of running may be taken for one set


@dataclass(frozen=True, slots=True)
class Scored:
    """A signal with the score of each of its windows.

    Attributes:
        signal: at 50 Hz.
        centre_s: (m,) middle of each window.
        log_odds: (m,) of exercise against idle.
    """

    signal: WristSignal
    centre_s: Array
    log_odds: Array


@dataclass(frozen=True, slots=True)
class BorderModel:
    """Weights of a conditional logit over candidate borders.

    Attributes:
        mean, scale: (f,) standardisation.
        weights: (f,).
    """

    mean: Array
    scale: Array
    weights: Array

    def probabilities(self, x: Array) -> Array:
        """(c,) of candidates with features (c, f); they sum to 1."""
        return softmax(((x - self.mean) / self.scale) @ self.weights)


def softmax(utility: Array) -> Array:
    """Probabilities in proportion to e^utility.

    >>> softmax(np.array([0.0, 0.0])).tolist()
    [0.5, 0.5]
    """
    raised = np.exp(utility - utility.max())
    return raised / raised.sum()


def smoothed(x: Array, samples: int) -> Array:
    """Moving average along axis 0, edges held."""
    ahead = samples // 2
    padded = np.pad(x, ((ahead, samples - 1 - ahead), (0, 0)), mode="edge")
    return sliding_window_view(padded, samples, axis=0).mean(axis=-1)


def traces(signal: WristSignal, core_s: Span, near_s: float = NEAR_S) -> Array:
    """What a set's surroundings look like from its middle, ten times a second.

    Args:
        signal: the recording at 50 Hz.
        core_s: start and end of the set's middle.
        near_s: how far around the middle is looked. What is farther is given the value of the
            nearest that is not: to look at all of a long recording for each of its sets takes
            minutes.

    Returns:
        (n, 5) with rotation, (n, 4) without: size of linear acceleration and of rotation
        (log, relative to the middle), angle of gravity to the middle's, and how unlike any
        second, any two seconds of the middle it is (log, relative to the middle itself). Where
        samples were lost, what lies between those before and after.
    """
    rows = len(signal.acc_g) // STEP
    first = max(0, math.floor((core_s[0] - near_s) * SLOW_HZ))
    end = min(rows, math.ceil((core_s[1] + near_s) * SLOW_HZ))
    found = traces_near(slice_of(signal, first * STEP, end * STEP), first, core_s)
    return np.pad(found, ((first, rows - end), (0, 0)), mode="edge")


def traces_near(signal: WristSignal, first: int, core_s: Span) -> Array:
    """`traces` of a part of a recording that begins with its row `first` at 10 Hz."""
    x = slow_channels(signal)
    at_s = (np.arange(first, first + len(x)) + 0.5) / SLOW_HZ
    heard = heard_rows(signal)
    inside = (at_s >= core_s[0]) & (at_s < core_s[1])
    core = np.flatnonzero(inside & heard if (inside & heard).any() else inside)
    acc = signal.acc_g.astype(np.float64)
    gravity = smoothed(smoothed(acc, GRAVITY), GRAVITY)
    sizes = [log_size(acc - gravity)]
    if signal.gyro_rad_s is not None:
        sizes.append(log_size(signal.gyro_rad_s.astype(np.float64)))
    spread = max(float(np.sqrt(x[core].var(axis=0).sum())), 1e-6)
    some = core[:: 1 + len(core) // MOST_COMPARED]
    unlike = [unlikeness(x / spread, some, round(s * SLOW_HZ)) for s in LIKENESS_S]
    found = np.column_stack(
        [
            *(size - np.median(size[core]) for size in sizes),
            3 * turned(slow_rows(gravity), some),
            *unlike,
        ]
    )
    return found if heard.all() else bridged(found, heard)


def turned(gravity: Array, core: NDArray[np.intp]) -> Array:
    """(n,) angle between gravity and that of the nearest twentieth of the core, radians."""
    down = gravity / np.maximum(np.linalg.norm(gravity, axis=1), 1e-6)[:, None]

    def from_core(rows: Array) -> Array:
        return np.quantile(np.arccos(np.clip(rows @ down[core].T, -1, 1)), 0.05, axis=1)

    return np.concatenate([from_core(down[k : k + BLOCK]) for k in range(0, len(down), BLOCK)])


def heard_rows(signal: WristSignal) -> NDArray[np.bool_]:
    """(n // 5,) whether none of the five samples of a row at 10 Hz was lost."""
    rows = len(signal.acc_g) // STEP
    if signal.filled is None:
        return np.ones(rows, dtype=np.bool_)
    lost = signal.filled[: rows * STEP].reshape(rows, STEP)
    return np.count_nonzero(lost, axis=1) == 0


def bridged(trace: Array, heard: NDArray[np.bool_]) -> Array:
    """A trace (n, c) with straight lines over the rows that were not heard.

    >>> bridged(np.array([[1.0], [9.0], [3.0]]), np.array([True, False, True])).tolist()
    [[1.0], [2.0], [3.0]]
    """
    rows = np.arange(len(trace), dtype=np.float64)
    columns = [np.interp(rows, rows[heard], column[heard]) for column in trace.T]
    return np.column_stack(columns)


def log_size(x: Array) -> Array:
    """(n // 5,) logarithm of the size of movement over half a second, from 50 Hz to 10 Hz."""
    power = smoothed((x**2).sum(axis=1, keepdims=True), GRAVITY)
    return np.log(np.sqrt(slow_rows(power)[:, 0]) + QUIET)


def unlikeness(x: Array, core: NDArray[np.intp], samples: int) -> Array:
    """(n,) log distance of the window around each sample to the nearest one of the core.

    Relative to what is usual inside the core; windows closer than 1.5 s are not compared.
    """
    ahead = samples // 2
    padded = np.pad(x, ((ahead, samples - 1 - ahead), (0, 0)), mode="edge")
    windows = sliding_window_view(padded, samples, axis=0).reshape(len(x), -1) / np.sqrt(samples)
    size = (windows**2).sum(axis=1)
    nearest, farthest = np.empty(len(x)), 0.0
    for k in range(0, len(x), BLOCK):
        rows = slice(k, k + BLOCK)
        squares = size[rows, None] + size[core][None, :] - 2 * windows[rows] @ windows[core].T
        at = np.arange(len(x))[rows, None]
        apart = np.abs(at - core[None, :]) > NEIGHBOURS_S * SLOW_HZ
        nearest[rows] = np.where(apart, squares, np.inf).min(axis=1)
        farthest = max(farthest, float(squares.max()))
    nearest = np.sqrt(np.maximum(np.minimum(nearest, farthest), 0.0))
    return np.log((nearest + 0.02) / (np.median(nearest[core]) + 0.02))


def candidates(
    scored: Scored, trace: Array, guess_s: float, settings: ActivitySettings
) -> tuple[Array, Array]:
    """Candidate borders and what is known about each.

    Args:
        scored: the recording.
        trace: its `traces` from the middle of the set.
        guess_s: the first guess.
        settings: how far is looked, and how finely.

    Returns:
        Times (c,) and features (c, f).
    """
    reach, step = settings.reach_s, settings.border_step_s
    offs = np.arange(-round(reach / step), round(reach / step) + 1, dtype=np.float64) * step
    at_s: Array = guess_s + offs
    at_s = np.unique(np.clip(at_s, 0.0, scored.signal.duration_s))
    total = np.concatenate([np.zeros((1, trace.shape[1])), np.cumsum(trace, axis=0)])
    columns: list[Array] = []
    for begin, end in PARTS_S:
        i = np.clip(np.rint((at_s + begin) * SLOW_HZ).astype(np.intp), 0, len(trace) - 1)
        j = np.clip(np.rint((at_s + end) * SLOW_HZ).astype(np.intp), i + 1, len(trace))
        columns.append((total[j] - total[i]) / (j - i)[:, None])
    off = at_s - guess_s
    odds = np.clip(scored.log_odds, -SCORE_CLIP, SCORE_CLIP) / 5
    around = [np.interp(at_s + o, scored.centre_s, odds) for o in SCORES_AT_S]
    columns.append(np.column_stack([np.abs(off), off**2 / 5, off, *around]))
    return at_s, np.hstack(columns)


def core_of(span: Span, settings: ActivitySettings) -> Span:
    """The middle of a stretch: its ends left out, at most a quarter each."""
    left_out = min(settings.core_s, (span[1] - span[0]) / 4)
    return span[0] + left_out, span[1] - left_out


def best_time(at_s: Array, probability: Array, within_s: float) -> float:
    """The time that has most probability around it, nearer counting more."""
    near = np.maximum(0.0, 1 - (np.abs(at_s[:, None] - at_s[None, :]) / within_s) ** 4)
    return float(at_s[int(np.argmax(near @ probability))])


def fit_borders(
    examples: Sequence[tuple[Array, Array, float]], settings: ActivitySettings
) -> BorderModel | None:
    """Learn which candidate is the border.

    Maximises the sum of log probabilities of the labelled borders, each spread by `target_s`,
    minus a ridge; by Newton's method, the problem being convex.

    Args:
        examples: candidate times (c,), their features (c, f), the labelled border in s. Those
            whose border lies outside the candidates are left out.
        settings: spread and ridge.

    Returns:
        None where no example is left.
    """
    usable = [(x, spread_target(at_s, true_s, settings)) for at_s, x, true_s in examples]
    usable = [(x, target) for x, target in usable if target is not None]
    if not usable:
        return None
    stacked = np.concatenate([x for x, _ in usable])
    mean, scale = stacked.mean(axis=0), stacked.std(axis=0) + 1e-6
    ready = [((x - mean) / scale, target) for x, target in usable]
    return BorderModel(mean, scale, climbed(ready, settings.ridge))


def climbed(examples: Sequence[tuple[Array, Array]], ridge: float) -> Array:
    """(f,) weights at the top of the penalised log likelihood.

    Newton's steps, each halved until it leads upwards: far from the top the curvature vanishes
    and a full step would overshoot.
    """
    weights = np.zeros(examples[0][0].shape[1])
    height = worth(examples, weights, ridge)
    for _ in range(STEEPEST):
        slope, bend = -ridge * weights, ridge * np.eye(len(weights))
        for z, target in examples:
            p = softmax(z @ weights)
            expected = p @ z
            slope += target @ z - expected
            bend += (z * p[:, None]).T @ z - np.outer(expected, expected)
        step = np.linalg.solve(bend, slope)
        higher = worth(examples, weights + step, ridge)
        while higher < height and float(np.abs(step).max()) > FLAT:
            step = step / 2
            higher = worth(examples, weights + step, ridge)
        weights, height = weights + step, higher
        if float(np.abs(step).max()) < FLAT:
            break
    return weights


def worth(examples: Sequence[tuple[Array, Array]], weights: Array, ridge: float) -> float:
    """Log probability of the targets minus the ridge's penalty."""
    found = -0.5 * ridge * float(weights @ weights)
    for z, target in examples:
        utility = z @ weights
        top = float(utility.max())
        found += float(target @ utility) - top - float(np.log(np.exp(utility - top).sum()))
    return found


def spread_target(at_s: Array, true_s: float, settings: ActivitySettings) -> Array | None:
    """(c,) what the probabilities should be; None where the border is not among the candidates."""
    if not at_s[0] - settings.target_s <= true_s <= at_s[-1] + settings.target_s:
        return None
    near = np.exp(-0.5 * ((at_s - true_s) / settings.target_s) ** 2)
    return near / near.sum()
