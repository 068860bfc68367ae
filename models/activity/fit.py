"""Learn exercise or idle from recordings whose sets are known.

The discriminant needs sums only (`models.exercise.statistics`), so recordings are added and taken
out again. The second look at the borders is learned on first guesses made by a discriminant that
did not see the recording: its own total minus the recording's group.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve

from models.activity.borders import (
    POSTURE_FEATURES,
    Scored,
    candidates,
    core_of,
    posture_means,
    surely,
)
from models.activity.features import ActivityWindows, activity_features, slow
from models.activity.logit import BorderExample, BorderModel, fit_borders
from models.activity.model import ActivityModel, SlowLine, first_spans
from models.activity.settings import SETTINGS
from models.activity.states import Span
from models.activity.traces import Postures, postures, traces
from models.arrays import Flags, Floats64
from models.exercise.layout import layout_of
from models.exercise.statistics import Statistics, statistics_of, total
from models.signal.wrist import WristSignal
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC3, ACC6, InputLayout

EXERCISE, IDLE = "exercise", "idle"
LEAST_S = 20.0


@dataclass(frozen=True, slots=True)
class ActivityExample:
    """A stretch of recording whose sets are known.

    Attributes:
        group: the session or day; guesses about it are made without its own group.
        signal: at 50 Hz.
        windows: its features.
        sets_s: start and end of its sets, seconds after its first sample.
        statistics: sums over its windows of exercise and of idle.
    """

    group: str
    signal: WristSignal
    windows: ActivityWindows
    sets_s: tuple[Span, ...]
    statistics: Statistics


def activity_examples(
    signals: Sequence[WristSignal],
    sets_ns: Sequence[tuple[int, int]],
    group: str,
    model_id: InputLayout,
) -> list[ActivityExample]:
    """What a recording teaches: its confirmed sets are exercise, everything between them idle.

    Args:
        signals: the stretches of the recording. Those that lack the layout's rotation, or are
            shorter than a window, teach nothing.
        sets_ns: start and end of every set that was done, nanoseconds since the epoch. A set
            that was done and is not named here would be learned as idle.
        group: session or day.
        model_id: the layout to learn; rotation is ignored for "wrist-acc3".
    """
    found: list[ActivityExample] = []
    for signal in signals:
        if model_id == ACC6 and layout_of(signal) == ACC3:
            continue
        read = replace(signal, gyro_rad_s=None) if model_id == ACC3 else signal
        windows = activity_features(read, SETTINGS.step_s)
        if windows.still.all():
            continue
        spans = [((a - signal.t0_ns) / 1e9, (b - signal.t0_ns) / 1e9) for a, b in sets_ns]
        inside = tuple((a, b) for a, b in spans if b > 0 and a < signal.duration_s)
        found.append(ActivityExample(group, read, windows, inside, sums_of(windows, inside, read)))
    return found


def sums_of(windows: ActivityWindows, sets_s: Sequence[Span], signal: WristSignal) -> Statistics:
    """Statistics of a stretch: every window that moves at all, under the label of its middle."""
    active = labels_of(windows.centre_s, sets_s)
    idle = ~active & ~windows.still
    parts = [(EXERCISE, windows.x[active & ~windows.still]), (IDLE, windows.x[idle])]
    return total(
        [statistics_of(x, label, signal.side, SETTINGS.step_s) for label, x in parts if len(x)]
    )


def labels_of(at_s: Floats64, sets_s: Sequence[Span]) -> Flags:
    """(m,) whether a time lies in a set.

    >>> labels_of(np.array([1.0, 3.0]), [(2.0, 4.0)]).tolist()
    [False, True]
    """
    active = np.zeros(len(at_s), dtype=bool)
    for start_s, end_s in sets_s:
        active |= (at_s >= start_s) & (at_s < end_s)
    return active


def fit_activity(examples: Sequence[ActivityExample], model_id: InputLayout) -> ActivityModel:
    """Learn from recordings of one or many people.

    Args:
        examples: of one layout, at least two groups for the second look at borders.
        model_id: their layout.

    Raises:
        NotEnoughLabels: less than 20 s of exercise or of idle.
    """
    everything = total([e.statistics for e in examples])
    model = fit_discriminant(everything, model_id)
    return with_borders(model, examples, everything)


def fit_discriminant(statistics: Statistics, model_id: InputLayout) -> ActivityModel:
    """A linear discriminant of exercise against idle, both equally likely, borders unlearned.

    W = covariance within both classes, a share of it replaced by a sphere;
    log odds = (m1 - m0)ᵀ W⁻¹ (x - (m1 + m0) / 2), in standardised features. From the same sums
    comes a second one, which looks only at what a low rate shows, too.
    """
    seconds, means = class_means(statistics)
    weight = seconds.sum()
    middle = (seconds @ means) / weight
    second = statistics.moments / weight
    scale = np.sqrt(np.maximum(np.diagonal(second) - middle**2, 0.0)) + 1e-6
    within = second - (means.T * (seconds / weight)) @ means
    within = within / np.outer(scale, scale)
    centred = (means - middle) / scale
    weights, bias = line(within, centred)
    kept = slow(model_id == ACC6)
    slow_weights, slow_bias = np.zeros_like(weights), 0.0
    slow_weights[kept], slow_bias = line(within[np.ix_(kept, kept)], centred[:, kept])
    return ActivityModel(
        model_id=model_id,
        mean=middle.astype(np.float32),
        scale=scale.astype(np.float32),
        weights=weights.astype(np.float32),
        bias=bias,
        start=None,
        end=None,
        slow=SlowLine(slow_weights.astype(np.float32), slow_bias),
    )


def line(within: Floats64, centred: Floats64) -> tuple[Floats64, float]:
    """Weights (d,) and bias of the discriminant of two classes.

    Args:
        within: (d, d) covariance within both.
        centred: (2, d) their means.
    """
    size = len(within)
    regular = (1 - SETTINGS.shrink) * within
    regular.flat[:: size + 1] += SETTINGS.shrink * np.trace(within) / size
    weights = solve(regular, centred[0] - centred[1], assume_a="pos", check_finite=False)
    return weights, float(-weights @ (centred[0] + centred[1]) / 2)


def class_means(statistics: Statistics) -> tuple[Floats64, Floats64]:
    """Seconds (2,) and means (2, d) of exercise and idle, over both wrists.

    Raises:
        NotEnoughLabels: less than 20 s of one of them, or values that are not numbers.
    """
    member = np.array([[g[0] == label for g in statistics.groups] for label in (EXERCISE, IDLE)])
    seconds = member.astype(np.float64) @ statistics.seconds
    if seconds.min() < LEAST_S:
        raise NotEnoughLabels(
            f"{LEAST_S:g} s each of exercise and idle are needed, "
            f"there are {seconds[0]:.0f} s and {seconds[1]:.0f} s"
        )
    if not np.isfinite(statistics.moments).all():
        raise NotEnoughLabels("the statistics hold values that are not numbers")
    return seconds, (member.astype(np.float64) @ statistics.sums) / seconds[:, None]


def with_borders(
    model: ActivityModel, examples: Sequence[ActivityExample], everything: Statistics
) -> ActivityModel:
    """The model with its second look learned on guesses that left the group out."""
    starts: list[BorderExample] = []
    ends: list[BorderExample] = []
    for group in sorted({e.group for e in examples}):
        mine = [e for e in examples if e.group == group]
        blind = without(everything, mine, model.model_id)
        if blind is not None:
            found = border_examples(blind, mine)
            starts, ends = starts + found[0], ends + found[1]
    start, end = both_borders(starts, ends)
    return replace(model, start=start, end=end)


def both_borders(
    starts: Sequence[BorderExample], ends: Sequence[BorderExample]
) -> tuple[BorderModel | None, BorderModel | None]:
    """Models of both borders.

    A start is looked for first, when nothing is known about the end, so its model is learned
    without the postures. The model of ends is learned with those of starts as well as of ends.
    """
    blind = [[(at_s, x[:, :-POSTURE_FEATURES], t) for at_s, x, t in e] for e in (starts, ends)]
    start = fit_borders(blind[0], blind[1], SETTINGS.start_ridge, SETTINGS)
    return start, fit_borders(ends, starts, SETTINGS.end_ridge, SETTINGS)


def border_examples(
    blind: ActivityModel, examples: Sequence[ActivityExample]
) -> tuple[list[BorderExample], list[BorderExample]]:
    """What the second look learns from: candidates around each first guess, and the truth.

    Args:
        blind: a discriminant that was learned without these examples.
        examples: of one layout.

    Returns:
        Starts and ends: candidate times (c,), their features (c, f) with `POSTURE_FEATURES`
        last, the labelled border.
    """
    starts: list[BorderExample] = []
    ends: list[BorderExample] = []
    for example in examples:
        scored = blind.scored(example.signal, example.windows)
        for span, truth in matched(first_spans(scored), example.sets_s):
            core_s = core_of(span, SETTINGS)
            seen = traces(scored.signal, core_s), postures(scored.signal, core_s)
            if truth[0] > 0:
                starts.append(border_example(scored, seen, span, truth, end=False))
            if truth[1] < example.signal.duration_s:
                ends.append(border_example(scored, seen, span, truth, end=True))
    return starts, ends


def border_example(
    scored: Scored, seen: tuple[Floats64, Postures], span: Span, truth: Span, *, end: bool
) -> BorderExample:
    """Candidates around a guessed border, with their postures against the other labelled border.

    Args:
        scored: the recording.
        seen: its `traces` (n, 7 or 6) and postures from the middle of the set.
        span: start and end as first guessed, s.
        truth: start and end as labelled, s.
        end: whether the border is an end.

    Returns:
        Candidate times (c,) in s, their features (c, f) with `POSTURE_FEATURES` last, the labelled
        border in s.
    """
    trace, found = seen
    guess_s, true_s, other_s = (span[1], *truth[::-1]) if end else (span[0], *truth)
    at_s, x = candidates(scored, trace, guess_s, SETTINGS, end=end)
    like = posture_means(found, at_s, surely(other_s), end=end)
    return at_s, np.hstack([x, like]), true_s


def without(
    everything: Statistics, mine: Sequence[ActivityExample], model_id: InputLayout
) -> ActivityModel | None:
    """A discriminant that did not see these examples; None where nothing else is left."""
    rest = everything
    for example in mine:
        rest = rest - example.statistics
    try:
        return fit_discriminant(rest, model_id)
    except NotEnoughLabels:
        return None


def matched(found: Sequence[Span], truth: Sequence[Span]) -> list[tuple[Span, Span]]:
    """Each true set with the found one that it overlaps most, if it overlaps any.

    >>> matched([(0.0, 4.0), (9.0, 20.0)], [(10.0, 19.0), (30.0, 40.0)])
    [((9.0, 20.0), (10.0, 19.0))]
    """
    pairs: list[tuple[Span, Span]] = []
    for start_s, end_s in truth:
        shared = [min(b, end_s) - max(a, start_s) for a, b in found]
        if shared and max(shared) > 0:
            pairs.append((found[int(np.argmax(shared))], (start_s, end_s)))
    return pairs
