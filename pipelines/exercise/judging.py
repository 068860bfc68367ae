"""What each rung of the ladder answers to sets that it was not learned from. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.exercise.model import ExerciseModel
from models.exercise.quantised import QuantisedWindows
from pipelines.exercise.gate import COUNTED_SOURCES
from pipelines.exercise.labelled import LabelledRow

SetWithWindows = tuple[LabelledRow, NDArray[np.floating]]  # a set, and its windows (m, d), m >= 1


@dataclass(frozen=True, slots=True)
class Hits:
    """Right answers to late sets.

    Attributes:
        sets: set id to whether the set was named right.
        windows, right_windows: counts over the same sets.
    """

    sets: Mapping[str, bool]
    windows: int
    right_windows: int


def askable(
    late: Sequence[LabelledRow], windows: Mapping[str, QuantisedWindows]
) -> list[SetWithWindows]:
    """Late sets as they would be asked about over HTTP, without those that cannot be truth."""
    found = [(one, windows[one.set_id]) for one in late if one.label_source in COUNTED_SOURCES]
    return [(one, kept.evaluation_x) for one, kept in found if kept.evaluation_rows]


def ask(model: ExerciseModel | None, asked: Sequence[SetWithWindows]) -> Hits:
    """The answers of a rung; none where the rung does not exist."""
    if model is None:
        return Hits({}, 0, 0)
    guesses = model.guesses([x for _, x in asked])
    sets = {
        one.set_id: overall == one.exercise
        for (one, _), (overall, _) in zip(asked, guesses, strict=True)
    }
    windows = [
        name == one.exercise
        for (one, _), (_, each) in zip(asked, guesses, strict=True)
        for name in each
    ]
    return Hits(sets, len(windows), sum(windows))


def majority(early: Sequence[LabelledRow], asked: Sequence[SetWithWindows]) -> Hits:
    """Always the exercise that the user did most often before."""
    counts = Counter(one.exercise for one in early)
    most = min(counts, key=lambda name: (-counts[name], name), default="")
    right = {one.set_id: one.exercise == most for one, _ in asked}
    return Hits(
        right,
        sum(len(x) for _, x in asked),
        sum(len(x) for one, x in asked if right[one.set_id]),
    )
