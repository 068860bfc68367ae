"""How many sets each rung of the ladder names right that it was not learned from. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any, NamedTuple

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

    def as_json(self) -> dict[str, Any]:
        """The hits as values of JSON."""
        return {"sets": dict(self.sets), "windows": self.windows, "right": self.right_windows}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Hits":
        """The hits of `as_json`.

        >>> hits = Hits({"a set": True}, 9, 7)
        >>> Hits.from_json(hits.as_json()) == hits
        True
        """
        return cls(values["sets"], values["windows"], values["right"])


class Rungs(NamedTuple):
    """The hits of each rung of the ladder on a user's late sets.

    Attributes:
        own: of the user's new model. It and `incumbent` are asked only about exercises that the
            early sets teach.
        everybody: of the global model without this user.
        incumbent: of the user's serving model, on sets later than its training data.
        former: of the global model that the run would replace. It is evaluated only on users from
            whom the new one was not learned, and on sets later than its training data: it may have
            been learned from their earlier ones.
        majority: of a constant answer.
        exercises: set id to the exercise that was done, of all these sets.
    """

    own: Hits
    everybody: Hits
    incumbent: Hits
    former: Hits
    majority: Hits
    exercises: Mapping[str, str]

    @property
    def hits(self) -> dict[str, Hits]:
        """The hits of each rung by its name."""
        return {name: value for name, value in self._asdict().items() if name != "exercises"}

    def as_json(self) -> dict[str, dict[str, Any]]:
        """The rungs as values of JSON."""
        hits = {rung: hits.as_json() for rung, hits in self.hits.items()}
        return hits | {"exercises": dict(self.exercises)}

    @classmethod
    def from_json(cls, values: Mapping[str, Mapping[str, Any]]) -> "Rungs":
        """The rungs of `as_json`.

        >>> hits = Hits({"a set": True}, 9, 7)
        >>> rungs = Rungs(hits, hits, Hits({}, 0, 0), Hits({}, 0, 0), hits, {"a set": "curl"})
        >>> Rungs.from_json(rungs.as_json()) == rungs
        True
        """
        hits = {rung: Hits.from_json(values[rung]) for rung in cls._fields if rung != "exercises"}
        # JSON makes a new string of each value; the driver holds the rungs of all candidates.
        names = {set_id: intern(name) for set_id, name in values["exercises"].items()}
        return cls(**hits, exercises=names)


def evaluation_sets(
    late: Sequence[LabelledRow], windows: Mapping[str, QuantisedWindows]
) -> list[SetWithWindows]:
    """Late sets with the windows that serving would take; accepted guesses are not ground truth."""
    truth = [(row, windows[row.set_id]) for row in late if row.label_source in COUNTED_SOURCES]
    return [(row, kept.evaluation_x) for row, kept in truth if kept.evaluation_rows]


def hits_of(model: ExerciseModel | None, sets: Sequence[SetWithWindows]) -> Hits:
    """The hits of a rung; none where the rung does not exist."""
    if model is None:
        return Hits({}, 0, 0)
    guesses = model.guesses([x for _, x in sets])
    right_sets = {
        row.set_id: overall == row.exercise
        for (row, _), (overall, _) in zip(sets, guesses, strict=True)
    }
    right_windows = [
        name == row.exercise
        for (row, _), (_, names) in zip(sets, guesses, strict=True)
        for name in names
    ]
    return Hits(right_sets, len(right_windows), sum(right_windows))


def majority_hits(early: Sequence[LabelledRow], sets: Sequence[SetWithWindows]) -> Hits:
    """The hits of a constant answer: the exercise that the user did most often before."""
    counts = Counter(row.exercise for row in early)
    most = min(counts, key=lambda name: (-counts[name], name), default="")
    right = {row.set_id: row.exercise == most for row, _ in sets}
    return Hits(
        right,
        sum(len(x) for _, x in sets),
        sum(len(x) for row, x in sets if right[row.set_id]),
    )
