"""Chooses the recordings and sets that are drawn on the page: right ones and wrong ones."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from models.activity.evaluate import RecordingSegments, border_errors
from models.reps.count import count_repetitions
from models.reps.examples import RepsExample
from muvr.evaluation.pictures import DrawnSet

RIGHT, WRONG = 3, 6
SAMPLE_SIZE = 60  # sets that are counted to find wrong ones

T = TypeVar("T")


def recordings_to_draw(
    recordings: Sequence[RecordingSegments],
) -> tuple[list[RecordingSegments], list[RecordingSegments]]:
    """Recordings spread over those with good borders, and those with the worst borders."""
    errors = [(recording, worst_error_s(recording)) for recording in recordings]
    known = ((recording, error_s) for recording, error_s in errors if error_s is not None)
    ranked = sorted(known, key=lambda pair: pair[1])
    right = [recording for recording, error_s in ranked if error_s <= 2]
    wrong = [recording for recording, error_s in reversed(ranked) if error_s > 2]
    return spread(right, RIGHT), wrong[:WRONG]


def worst_error_s(recording: RecordingSegments) -> float | None:
    """The largest border error in a recording; None where no border is evaluated."""
    starts, ends = border_errors([recording])
    return float(np.abs([*starts, *ends]).max()) if len(starts) else None


def sets_to_draw(sets: Sequence[RepsExample]) -> tuple[list[DrawnSet], list[DrawnSet]]:
    """Sets counted right and, worst first, those that were not; in one piece each."""
    whole = [example for example in sets if len(example.signals) == 1]
    counted = [
        DrawnSet(
            example.group, example.signals[0], example.reps, count_repetitions(example.signals[0])
        )
        for example in spread(whole, SAMPLE_SIZE)
    ]
    right = [drawn for drawn in counted if drawn.counted.count == drawn.reps]
    wrong = [drawn for drawn in counted if drawn.counted.count != drawn.reps]
    wrong.sort(key=lambda drawn: -abs(drawn.counted.count - drawn.reps))
    return spread(right, RIGHT), wrong[:WRONG]


def spread(several: Sequence[T], number: int) -> list[T]:
    """At most `number` items, evenly spaced from first to last.

    >>> spread("abcde", 3)
    ['a', 'c', 'e']
    """
    if len(several) <= number:
        return list(several)
    return [several[k] for k in np.linspace(0, len(several) - 1, number).round().astype(int)]
