"""What models named in the sets of a protocol, and how often they were right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Flags, Floats64, Ints64
from models.exercise.calibrate import HeldOut, novelty_of_sets
from models.exercise.evaluate import calibration_error
from models.exercise.model import ExerciseModel
from models.softmax import softmax


@dataclass(frozen=True, slots=True)
class SetPredictions:
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
    truth: Ints64
    named: Ints64
    probability: Floats64
    set_truth: Ints64
    set_named: Ints64
    set_probability: Floats64
    set_abstained: Flags


def answers(
    person: str, model: ExerciseModel, held: HeldOut, labels: Sequence[str]
) -> SetPredictions:
    """What a calibrated model names, from scores that were already made."""
    to_common = np.array([labels.index(label) for label in model.labels])
    each = softmax(held.scores * model.calibration.window)
    sets = held.windows_of_sets()
    whole = np.array([model.of_set(each[s]) for s in sets])
    return SetPredictions(
        person=person,
        truth=to_common[held.truth],
        named=to_common[each.argmax(axis=1)],
        probability=each.max(axis=1),
        set_truth=to_common[np.array([held.truth[s][0] for s in sets])],
        set_named=to_common[whole.argmax(axis=1)],
        set_probability=whole.max(axis=1),
        set_abstained=novelty_of_sets(held, model.calibration) > model.calibration.abstain_above,
    )


def window_accuracy(asked: Sequence[SetPredictions]) -> float:
    """Share of all windows named right."""
    return mean_over([a.truth == a.named for a in asked])


def set_accuracy(asked: Sequence[SetPredictions]) -> float:
    """Share of all sets whose best guess is right."""
    return mean_over([a.set_truth == a.set_named for a in asked])


def abstained(asked: Sequence[SetPredictions]) -> float:
    """Share of all sets that were abstained from."""
    return mean_over([a.set_abstained for a in asked])


def by_person(asked: Sequence[SetPredictions]) -> dict[str, float]:
    """Window accuracy of every person."""
    names = sorted({a.person for a in asked})
    return {name: window_accuracy([a for a in asked if a.person == name]) for name in names}


def window_ece(asked: Sequence[SetPredictions]) -> float:
    """Calibration error over all windows."""
    right = np.concatenate([a.truth == a.named for a in asked])
    return calibration_error(right, np.concatenate([a.probability for a in asked]))


def set_ece(asked: Sequence[SetPredictions]) -> float:
    """Calibration error over all sets."""
    right = np.concatenate([a.set_truth == a.set_named for a in asked])
    return calibration_error(right, np.concatenate([a.set_probability for a in asked]))


def mean(values: Iterable[float]) -> float:
    """The mean of numbers or of yes and no; NaN, with numpy's warning, of none.

    >>> mean([True, False])
    0.5
    """
    return float(np.mean(list(values)))


def mean_over(parts: Sequence[Flags]) -> float:
    """The share of yes over several arrays (m,) of any lengths, all values weighing the same.

    >>> mean_over([np.array([True, False, False]), np.array([True])])
    0.5
    """
    return float(np.concatenate(parts).mean())
