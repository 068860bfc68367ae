"""Training examples of border refinement: candidates around first guesses, and the true border."""

from collections.abc import Sequence

import numpy as np

from models.activity.borders import (
    POSTURE_FEATURES,
    ScoredSignal,
    candidates,
    certain_border,
    core_span,
    posture_means,
)
from models.activity.examples import ActivityExample
from models.activity.logit import BorderExample, BorderModel, fit_borders
from models.activity.model import ActivityModel, first_spans
from models.activity.settings import SETTINGS
from models.activity.states import Span
from models.activity.traces import Postures, postures, traces
from models.arrays import Floats64


def fit_both_borders(
    starts: Sequence[BorderExample], ends: Sequence[BorderExample]
) -> tuple[BorderModel | None, BorderModel | None]:
    """Models of both borders.

    A start is refined first, before anything is known about the end, so its model is learned
    without posture features. The model of ends uses them.
    """
    without_postures = [
        [(at_s, x[:, :-POSTURE_FEATURES], t) for at_s, x, t in e] for e in (starts, ends)
    ]
    start = fit_borders(without_postures[0], without_postures[1], SETTINGS.start_ridge, SETTINGS)
    return start, fit_borders(ends, starts, SETTINGS.end_ridge, SETTINGS)


def border_examples(
    held_out_model: ActivityModel, examples: Sequence[ActivityExample]
) -> tuple[list[BorderExample], list[BorderExample]]:
    """Training examples of border refinement, from each first guess that matches a true set.

    Args:
        held_out_model: a discriminant that was learned without these examples.
        examples: of one layout.

    Returns:
        Starts and ends: candidate times (c,), their features (c, f) with `POSTURE_FEATURES`
        last, the labelled border.
    """
    starts: list[BorderExample] = []
    ends: list[BorderExample] = []
    for example in examples:
        scored = held_out_model.scored(example.signal, example.windows)
        for span, truth in matched(first_spans(scored), example.sets_s):
            core_s = core_span(span)
            features = traces(scored.signal, core_s), postures(scored.signal, core_s)
            if truth[0] > 0:
                starts.append(border_example(scored, features, span, truth, end=False))
            if truth[1] < example.signal.duration_s:
                ends.append(border_example(scored, features, span, truth, end=True))
    return starts, ends


def border_example(
    scored: ScoredSignal, features: tuple[Floats64, Postures], span: Span, truth: Span, *, end: bool
) -> BorderExample:
    """Candidates around a guessed border, their postures compared with the other labelled border.

    Args:
        scored: the recording.
        features: its `traces` (n, 7 or 6) and postures from the middle of the set.
        span: start and end as first guessed, s.
        truth: start and end as labelled, s.
        end: whether the border is an end.

    Returns:
        Candidate times (c,) in s, their features (c, f) with `POSTURE_FEATURES` last, the labelled
        border in s.
    """
    trace, postures = features
    guess_s, true_s, other_s = (span[1], *truth[::-1]) if end else (span[0], *truth)
    at_s, x = candidates(scored, trace, guess_s, end=end)
    like = posture_means(postures, at_s, certain_border(other_s), end=end)
    return at_s, np.hstack([x, like]), true_s


def matched(predicted: Sequence[Span], truth: Sequence[Span]) -> list[tuple[Span, Span]]:
    """Pairs (predicted, true): each true set with the predicted one that it overlaps most, if any.

    >>> matched([(0.0, 4.0), (9.0, 20.0)], [(10.0, 19.0), (30.0, 40.0)])
    [((9.0, 20.0), (10.0, 19.0))]
    """
    pairs: list[tuple[Span, Span]] = []
    for start_s, end_s in truth:
        shared = [min(b, end_s) - max(a, start_s) for a, b in predicted]
        if shared and max(shared) > 0:
            pairs.append((predicted[int(np.argmax(shared))], (start_s, end_s)))
    return pairs
