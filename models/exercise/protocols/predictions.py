"""Predictions for the test sets of a protocol, and their accuracy and calibration."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Flags, Floats64, Ints64
from models.exercise.calibrate import HeldOutScores, set_novelty
from models.exercise.evaluate import calibration_error
from models.exercise.model import ExerciseModel
from models.mean import mean
from models.softmax import softmax


@dataclass(frozen=True, slots=True)
class SetPredictions:
    """Predictions of one model for held-out sets, as indices into a common list of labels.

    Attributes:
        person: whose sets they are.
        truth, predicted: int64 (m,), index into the labels, per window.
        probability: float64 (m,), of the predicted exercise.
        set_truth, set_predicted: int64 (s,).
        set_probability: float64 (s,).
        set_abstained: bool (s,).
    """

    person: str
    truth: Ints64
    predicted: Ints64
    probability: Floats64
    set_truth: Ints64
    set_predicted: Ints64
    set_probability: Floats64
    set_abstained: Flags


def predictions_of(
    person: str, model: ExerciseModel, held_out: HeldOutScores, labels: Sequence[str]
) -> SetPredictions:
    """Predictions of a calibrated model, from its held-out scores."""
    to_common = np.array([labels.index(label) for label in model.labels])
    each = softmax(held_out.scores * model.calibration.window)
    sets = held_out.windows_of_sets()
    whole = np.array([model.of_set(each[s]) for s in sets])
    return SetPredictions(
        person=person,
        truth=to_common[held_out.truth],
        predicted=to_common[each.argmax(axis=1)],
        probability=each.max(axis=1),
        set_truth=to_common[np.array([held_out.truth[s][0] for s in sets])],
        set_predicted=to_common[whole.argmax(axis=1)],
        set_probability=whole.max(axis=1),
        set_abstained=set_novelty(held_out, model.calibration) > model.calibration.abstain_above,
    )


def window_accuracy(predictions: Sequence[SetPredictions]) -> float:
    """Share of all windows named right."""
    return mean_over([a.truth == a.predicted for a in predictions])


def set_accuracy(predictions: Sequence[SetPredictions]) -> float:
    """Share of all sets whose best guess is right."""
    return mean_over([a.set_truth == a.set_predicted for a in predictions])


def abstained(predictions: Sequence[SetPredictions]) -> float:
    """Share of all sets that the model abstained from."""
    return mean_over([a.set_abstained for a in predictions])


def by_person(predictions: Sequence[SetPredictions]) -> dict[str, float]:
    """Window accuracy of every person."""
    names = sorted({a.person for a in predictions})
    return {name: window_accuracy([a for a in predictions if a.person == name]) for name in names}


def window_ece(predictions: Sequence[SetPredictions]) -> float:
    """Calibration error over all windows; NaN without predictions."""
    if not predictions:
        return math.nan
    right = np.concatenate([a.truth == a.predicted for a in predictions])
    return calibration_error(right, np.concatenate([a.probability for a in predictions]))


def set_ece(predictions: Sequence[SetPredictions]) -> float:
    """Calibration error over all sets; NaN without predictions."""
    if not predictions:
        return math.nan
    right = np.concatenate([a.set_truth == a.set_predicted for a in predictions])
    return calibration_error(right, np.concatenate([a.set_probability for a in predictions]))


def mean_over(parts: Sequence[Flags]) -> float:
    """The share of true values over several arrays (m,) of any lengths; NaN of none.

    >>> mean_over([np.array([True, False, False]), np.array([True])]), mean_over([])
    (0.5, nan)
    """
    return mean(np.concatenate(parts).tolist()) if parts else math.nan
