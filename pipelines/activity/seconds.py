"""How right models are about one user's seconds of exercise, found as the service finds them. Pure.

A model is judged with its borders, both learned from other people or days. What the service does
with a set once it is found is not judged here: it turns a watch that is worn the other way round,
and leaves out a short stretch in which nothing repeats, whichever model found it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from models.activity.examples import ActivityExample, labels_of
from models.activity.model import ActivityModel
from models.activity.segments import Segment
from models.activity.states import Span
from models.activity.untrained import untrained_segments
from models.exercise.statistics import Statistics
from models.signal.wrist import WristSignal
from pipelines.activity.lessons import Borders, day_sums, discriminant, sums_of
from schemas.inputs import InputLayout

Seconds = tuple[int, int, int]
"""Counts of seconds: exercise found rightly, found wrongly, and missed."""


@dataclass(frozen=True, slots=True)
class JudgedSeconds:
    """What a user's days say about a model that did not see them.

    Attributes:
        own: seconds of the model that did not see the user, or not the day of an only user.
        rhythm: seconds of the rule that needs no learning.
        own_later, incumbent: seconds of both on stretches after the incumbent had learned.
    """

    own: Seconds = (0, 0, 0)
    rhythm: Seconds = (0, 0, 0)
    own_later: Seconds = (0, 0, 0)
    incumbent: Seconds = (0, 0, 0)


def judged(
    days: Mapping[str, Sequence[ActivityExample]],
    everybody: Statistics,
    model_id: InputLayout,
    *,
    alone: bool,
    borders: Callable[[str], Borders],
    incumbent: tuple[ActivityModel, datetime] | None = None,
) -> JudgedSeconds:
    """Seconds of one user by every rung.

    Args:
        days: the user's examples.
        everybody: the total that the user's sums are part of.
        model_id: the layout.
        alone: whether nobody else is in the total: then other days judge, else other people.
        borders: of a day, those that were learned from others.
        incumbent: what serves now, and up to when it had learned.
    """
    found = JudgedSeconds()
    others = None if alone else discriminant(everybody - sums_of(days), model_id)
    for day, examples in days.items():
        blind = discriminant(everybody - day_sums(examples), model_id) if alone else others
        if blind is None:
            continue
        start, end = borders(day)
        own = seconds_by(replace(blind, start=start, end=end), examples)
        found = replace(
            found,
            own=plus(found.own, own),
            rhythm=plus(found.rhythm, rhythm_seconds(examples)),
        )
        if incumbent is not None and day > incumbent[1].date().isoformat():
            found = replace(
                found,
                own_later=plus(found.own_later, own),
                incumbent=plus(found.incumbent, seconds_by(incumbent[0], examples)),
            )
    return found


def seconds_by(model: ActivityModel, examples: Sequence[ActivityExample]) -> Seconds:
    """How right a model is about the sets of examples, second by second."""
    total = (0, 0, 0)
    for example in examples:
        segments = model.segments_in(model.scored(example.signal, example.windows))
        total = plus(total, compared(example.signal, _spans(segments, example), example.sets_s))
    return total


def rhythm_seconds(examples: Sequence[ActivityExample]) -> Seconds:
    """How right the rule without learning is on the same seconds."""
    total = (0, 0, 0)
    for example in examples:
        segments = untrained_segments([example.signal])
        total = plus(total, compared(example.signal, _spans(segments, example), example.sets_s))
    return total


def _spans(segments: Sequence[Segment], example: ActivityExample) -> list[Span]:
    """Segments in seconds after the first sample."""
    t0_ns = example.signal.t0_ns
    return [((s.start_ns - t0_ns) / 1e9, (s.end_ns - t0_ns) / 1e9) for s in segments]


def compared(signal: WristSignal, found: Sequence[Span], truth: Sequence[Span]) -> Seconds:
    """Seconds of a signal by what was found and what was true.

    >>> rest = WristSignal(0, np.zeros((500, 3), np.float32), None, None, ())
    >>> compared(rest, [(0.0, 4.0)], [(2.0, 8.0)])
    (2, 2, 4)
    """
    at_s: NDArray[np.float64] = np.arange(0.5, int(signal.duration_s), dtype=np.float64)
    a, b = labels_of(at_s, found), labels_of(at_s, truth)
    return int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum())


def plus(a: Seconds, b: Seconds) -> Seconds:
    """The sum of two counts: right, wrong and missed seconds."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def f1(seconds: Seconds) -> float:
    """Harmonic mean of precision and recall.

    >>> f1((8, 2, 2))
    0.8
    """
    right, wrong, missed = seconds
    return 2 * right / max(2 * right + wrong + missed, 1)
