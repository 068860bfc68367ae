"""What a protocol hands back: the report's figures, and the answers behind them for pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.exercise.calibrate import HeldOut, novelty_of_sets
from models.exercise.evaluate import calibration_error
from models.exercise.model import ExerciseModel
from models.softmax import softmax
from schemas.report import Figure


@dataclass(frozen=True, slots=True)
class Asked:
    """Answers of one model to held-out sets, put on a common list of labels.

    Attributes:
        person: who was asked.
        truth, named: int64 (m,), index into the labels, per window.
        probability: float64 (m,), of the exercise that was named.
        set_truth, set_named: int64 (s,).
        set_probability: float64 (s,).
        set_abstained: bool (s,).
    """

    person: str
    truth: NDArray[np.int64]
    named: NDArray[np.int64]
    probability: NDArray[np.float64]
    set_truth: NDArray[np.int64]
    set_named: NDArray[np.int64]
    set_probability: NDArray[np.float64]
    set_abstained: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcome:
    """All of a protocol.

    Attributes:
        figures: the lines of the report.
        labels: exercises, in the order of the indices in `asked`.
        asked: the answers behind the figures, for confusion matrices and reliability.
        chosen: what each fold chose inside its training part, for people.
    """

    figures: tuple[Figure, ...]
    labels: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()
    chosen: tuple[str, ...] = ()


def answers(person: str, model: ExerciseModel, held: HeldOut, labels: Sequence[str]) -> Asked:
    """What a calibrated model names, from scores that were already made."""
    to_common = np.array([labels.index(label) for label in model.labels])
    each = softmax(held.scores * model.calibration.window)
    sets = [held.set_of == s for s in range(held.set_of.max() + 1)]
    whole = np.array([model.of_set(each[s]) for s in sets])
    return Asked(
        person=person,
        truth=to_common[held.truth],
        named=to_common[each.argmax(axis=1)],
        probability=each.max(axis=1),
        set_truth=to_common[np.array([held.truth[s][0] for s in sets])],
        set_named=to_common[whole.argmax(axis=1)],
        set_probability=whole.max(axis=1),
        set_abstained=novelty_of_sets(held, model.calibration) > model.calibration.abstain_above,
    )


def confusion(outcome: Outcome, *, of_sets: bool = False) -> NDArray[np.int64]:
    """Counts, (labels, labels): rows are the truth, columns what was named."""
    size = len(outcome.labels)
    matrix = np.zeros((size, size), dtype=np.int64)
    for a in outcome.asked:
        rows, columns = (a.set_truth, a.set_named) if of_sets else (a.truth, a.named)
        np.add.at(matrix, (rows, columns), 1)
    return matrix


def window_accuracy(asked: Sequence[Asked]) -> float:
    """Share of all windows named right."""
    return float(np.concatenate([a.truth == a.named for a in asked]).mean())


def set_accuracy(asked: Sequence[Asked]) -> float:
    """Share of all sets whose best guess is right."""
    return float(np.concatenate([a.set_truth == a.set_named for a in asked]).mean())


def abstained(asked: Sequence[Asked]) -> float:
    """Share of all sets that were abstained from."""
    return float(np.concatenate([a.set_abstained for a in asked]).mean())


def by_person(asked: Sequence[Asked]) -> dict[str, float]:
    """Window accuracy of every person."""
    names = sorted({a.person for a in asked})
    return {name: window_accuracy([a for a in asked if a.person == name]) for name in names}


def window_ece(asked: Sequence[Asked]) -> float:
    """Calibration error over all windows."""
    right = np.concatenate([a.truth == a.named for a in asked])
    return calibration_error(right, np.concatenate([a.probability for a in asked]))
