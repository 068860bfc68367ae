"""How good a model is on labelled sets, and how well its probabilities are calibrated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Flags, Floats, Floats32, Ints64
from models.exercise.features import window_features
from models.exercise.layout import layout_of
from models.exercise.model import ExerciseModel
from models.signal.wrist import WristSignal
from schemas.errors import NotEnoughLabels
from schemas.inputs import ACC3, ACC6

BINS = 10


@dataclass(frozen=True, slots=True)
class LabelledWindows:
    """The windows of one set whose exercise is known.

    Attributes:
        exercise: the truth.
        t0_ns: int64 (m,).
        x: float32 (m, d).
    """

    exercise: str
    t0_ns: Ints64
    x: Floats32


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model made of labelled sets.

    Attributes:
        windows, sets: how many were asked.
        window_accuracy: share of windows named right.
        set_accuracy: share of sets named right; an abstention is not right.
    """

    windows: int
    sets: int
    window_accuracy: float
    set_accuracy: float


def labelled_windows(signals: Sequence[WristSignal], exercise: str) -> LabelledWindows | None:
    """Windows of one labelled set; None when no stretch of it is 4 s long."""
    # With rotation, if any stretch has it.
    layout = ACC6 if any(layout_of(s) == ACC6 for s in signals) else ACC3
    kept = [s for s in signals if layout_of(s) == layout]
    windows = [window_features(s) for s in kept]
    if not any(len(w.x) for w in windows):
        return None
    return LabelledWindows(
        exercise,
        np.concatenate([w.t0_ns for w in windows]),
        np.concatenate([w.x for w in windows]),
    )


def score(model: ExerciseModel, sets: Sequence[LabelledWindows]) -> Scores:
    """Ask the model about every set.

    A set of an exercise that the model has never seen counts as wrong unless nothing was asked.

    Raises:
        NotEnoughLabels: there is no set with a window.
    """
    classified = [s for s in sets if len(s.x)]
    if not classified:
        raise NotEnoughLabels("there is no set with a window to score the model on")
    answers = [(s.exercise, model.predict_windows(s.t0_ns, s.x)) for s in classified]
    windows = [w.exercise == exercise for exercise, answer in answers for w in answer.windows]
    named = [answer.exercise == exercise for exercise, answer in answers]
    return Scores(len(windows), len(named), float(np.mean(windows)), float(np.mean(named)))


def calibration_error(right: Flags, probability: Floats) -> float:
    """Expected calibration error: mean gap of probability and truth over ten equal bins.

    Args:
        right: (n,), n ≥ 1.
        probability: (n,), 0 to 1.

    >>> calibration_error(np.array([True, False]), np.array([0.5, 0.5]))
    0.0
    """
    bins = np.minimum((probability * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, weights=probability - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(right))
