"""Evaluates models on one user's seconds of exercise, found as the service finds them. Pure.

A model is evaluated with its borders, both learned from other users or days. What the service does
with a set after it is found is not evaluated here, as it is the same for all models: it corrects
for a watch that is worn the other way round, and drops short stretches without repetition.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.activity.examples import ActivityExample, labels_of, relative_spans
from models.activity.fit import discriminant_or_none
from models.activity.model import ActivityModel
from models.activity.segments import Segment
from models.activity.states import Span
from models.activity.untrained import untrained_segments
from models.exercise.statistics import Statistics
from models.signal.wrist import WristSignal
from pipelines.activity.examples import Borders, day_sums, sums_of
from schemas.inputs import InputLayout

Seconds = tuple[int, int, int]
"""Numbers of seconds: true positives, false positives and false negatives of exercise."""


@dataclass(frozen=True, slots=True)
class EvaluatedSeconds:
    """Seconds of each rung on a user's days, by models that did not see them.

    Attributes:
        own: of the model without the user, or without the day where there is one user only.
        rhythm: of the rule that needs no learning.
        own_later, incumbent: of that model and the incumbent, on days after the incumbent's
            training data.
    """

    own: Seconds = (0, 0, 0)
    rhythm: Seconds = (0, 0, 0)
    own_later: Seconds = (0, 0, 0)
    incumbent: Seconds = (0, 0, 0)


def evaluate_user(
    days: Mapping[str, Sequence[ActivityExample]],
    total: Statistics,
    layout: InputLayout,
    *,
    single_user: bool,
    borders: Callable[[str], Borders],
    incumbent: tuple[ActivityModel, Collection[str]] | None = None,
) -> EvaluatedSeconds:
    """Evaluate every rung on one user's days.

    Args:
        days: the user's examples.
        total: the sums over all users, this one included.
        layout: of the models.
        single_user: whether nobody else is in the total: then each day is held out, else the user.
        borders: gives the border models that were learned without a day, or without the user.
        incumbent: the serving model, and the days after its training data.
    """
    seconds = EvaluatedSeconds()
    others = None if single_user else discriminant_or_none(total - sums_of(days), layout)
    for day, examples in days.items():
        model = discriminant_or_none(total - day_sums(examples), layout) if single_user else others
        if model is None:
            continue
        start, end = borders(day)
        own = seconds_by(replace(model, start=start, end=end), examples)
        seconds = replace(
            seconds,
            own=plus(seconds.own, own),
            rhythm=plus(seconds.rhythm, rhythm_seconds(examples)),
        )
        if incumbent is not None and day in incumbent[1]:
            seconds = replace(
                seconds,
                own_later=plus(seconds.own_later, own),
                incumbent=plus(seconds.incumbent, seconds_by(incumbent[0], examples)),
            )
    return seconds


def seconds_by(model: ActivityModel, examples: Sequence[ActivityExample]) -> Seconds:
    """A model's seconds on the sets of examples."""
    return _pooled(examples, lambda one: model.segments_in(model.scored(one.signal, one.windows)))


def rhythm_seconds(examples: Sequence[ActivityExample]) -> Seconds:
    """The same of the rule that needs no learning."""
    return _pooled(examples, lambda one: untrained_segments([one.signal]))


def _pooled(
    examples: Sequence[ActivityExample], find: Callable[[ActivityExample], Sequence[Segment]]
) -> Seconds:
    """The sum over the examples, in each of which `find` gives the segments of exercise."""
    total = (0, 0, 0)
    for example in examples:
        found_ns = [(segment.start_ns, segment.end_ns) for segment in find(example)]
        found = relative_spans(found_ns, example.signal)
        total = plus(total, compared(example.signal, found, example.sets_s))
    return total


def compared(signal: WristSignal, predicted: Sequence[Span], truth: Sequence[Span]) -> Seconds:
    """Compare found with true spans of exercise, second by second.

    >>> rest = WristSignal(0, np.zeros((500, 3), np.float32), None, None, ())
    >>> compared(rest, [(0.0, 4.0)], [(2.0, 8.0)])
    (2, 2, 4)
    """
    at_s: NDArray[np.float64] = np.arange(0.5, int(signal.duration_s), dtype=np.float64)
    a, b = labels_of(at_s, predicted), labels_of(at_s, truth)
    return int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())


def plus(a: Seconds, b: Seconds) -> Seconds:
    """The element-wise sum."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def f1(seconds: Seconds) -> float:
    """The F1 score: harmonic mean of precision and recall.

    >>> f1((8, 2, 2))
    0.8
    """
    true_positives, false_positives, false_negatives = seconds
    errors = false_positives + false_negatives
    return 2 * true_positives / max(2 * true_positives + errors, 1)
