"""How many sets each rung of the ladder names right that it was not learned from. Pure."""

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
    """Right answers on late sets.

    Attributes:
        sets: set id to whether the set was named right.
        windows, right_windows: counts over the same sets.
    """

    sets: Mapping[str, bool]
    windows: int
    right_windows: int


def evaluation_sets(
    late: Sequence[LabelledRow], windows: Mapping[str, QuantisedWindows]
) -> list[SetWithWindows]:
    """Late sets with the windows that serving would take; accepted guesses are not ground truth."""
    truth = [(one, windows[one.set_id]) for one in late if one.label_source in COUNTED_SOURCES]
    return [(one, kept.evaluation_x) for one, kept in truth if kept.evaluation_rows]


def hits_of(model: ExerciseModel | None, sets: Sequence[SetWithWindows]) -> Hits:
    """The hits of a rung; none where the rung does not exist."""
    if model is None:
        return Hits({}, 0, 0)
    guesses = model.guesses([x for _, x in sets])
    right_sets = {
        one.set_id: overall == one.exercise
        for (one, _), (overall, _) in zip(sets, guesses, strict=True)
    }
    right_windows = [
        name == one.exercise
        for (one, _), (_, names) in zip(sets, guesses, strict=True)
        for name in names
    ]
    return Hits(right_sets, len(right_windows), sum(right_windows))


def majority_hits(early: Sequence[LabelledRow], sets: Sequence[SetWithWindows]) -> Hits:
    """The hits of a constant answer: the exercise that the user did most often before."""
    counts = Counter(one.exercise for one in early)
    most = min(counts, key=lambda name: (-counts[name], name), default="")
    right = {one.set_id: one.exercise == most for one, _ in sets}
    return Hits(
        right,
        sum(len(x) for _, x in sets),
        sum(len(x) for one, x in sets if right[one.set_id]),
    )
