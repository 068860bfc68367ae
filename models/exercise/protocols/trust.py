"""S4c, calibration: how far one lifter's user model can be trusted on an unseen day.

The model as it is served, with the shipped calibration updated by the lifter's later sets
(`user_calibration.calibrate_for_user`), is compared with the shipped calibration alone. Then each
exercise of the day is left out of training in turn: the model should abstain from it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.exercise.calibrate import HeldOutScores, score_held_out
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import USER_CALIBRATION, fit_global, fit_user
from models.exercise.model import ExerciseModel
from models.exercise.probability import MIN_PROBABILITY
from models.exercise.protocols.outcome import ProtocolData, gym_text
from models.exercise.protocols.predictions import SetPredictions, predictions_of, set_ece
from models.exercise.protocols.trials import (
    Movement,
    evaluation_windows,
    training_statistics,
    with_windows,
)
from models.exercise.statistics import Statistics, total
from models.exercise.time_split import split_in_time
from models.exercise.user_calibration import calibrate_for_user
from models.mean import mean
from models.softmax import softmax
from schemas.config import Training
from schemas.errors import NotEnoughLabels
from schemas.report import Figure

PROTOCOL = (
    "leave one day out; names and the lifter's calibration learned on the other days, its prior of "
    "doubt and its cap of the novelty threshold fixed beforehand, with days of this lifter in sight"
)
PEER = "the shipped calibration alone"
EARLY_SHARE = Training().cutoff_share  # of each exercise's sets, as in training


@dataclass(frozen=True, slots=True)
class MovementData:
    """A set with its training statistics and its windows for evaluation."""

    movement: Movement
    statistics: Statistics
    evaluation_windows: tuple[LabelledWindows, ...]


@dataclass(frozen=True, slots=True)
class CalibrationResults:
    """Results of one calibration, added to set by set.

    Attributes:
        known_predictions: predictions of sets whose exercise the model knows.
        losses: of those, -log probability of the truth.
        known_named: of those, whether the model named an exercise.
        unknown_abstained: of sets whose exercise was left out, whether the model abstained.
    """

    known_predictions: list[SetPredictions]
    losses: list[float]
    known_named: list[bool]
    unknown_abstained: list[bool]


FIGURES: dict[str, Callable[[CalibrationResults], float]] = {
    "s4c_own_sets_ece": lambda results: set_ece(results.known_predictions),
    "s4c_own_sets_log_loss": lambda results: mean(results.losses),
    "s4c_known_abstained": lambda results: 1 - mean(results.known_named),
    "s4c_unknown_abstained": lambda results: mean(results.unknown_abstained),
}


def trust_on_new_days(movements: Sequence[Movement]) -> list[Figure]:
    """Calibration and abstention of one lifter's user models, as shipped and as served.

    Days and exercises whose others are not enough for a model are skipped; a figure is NaN where
    nothing is left.
    """
    shipped, served = both = [CalibrationResults([], [], [], []) for _ in range(2)]
    sets = movement_data(movements)
    for day in sorted({data.movement.day for data in sets}):
        training = [data for data in sets if data.movement.day != day]
        test = [data for data in sets if data.movement.day == day]
        for model, results in zip(shipped_and_served_models(training), both, strict=False):
            _score_known(model, test, results)
        for exercise in sorted({data.movement.exercise for data in test}):
            rest = [data for data in training if data.movement.exercise != exercise]
            unknown_data = [data for data in test if data.movement.exercise == exercise]
            for model, results in zip(shipped_and_served_models(rest), both, strict=False):
                _score_unknown(model, unknown_data, results)
    measured = ProtocolData(gym_text([data.movement for data in sets]), PROTOCOL)
    return [
        measured.compared(name, figure_of(served), PEER, figure_of(shipped))
        for name, figure_of in FIGURES.items()
    ]


def movement_data(movements: Sequence[Movement]) -> list[MovementData]:
    """The sets that have a window, each with the statistics and the windows of itself alone."""
    return [
        MovementData(m, training_statistics([m]), evaluation_windows([m]))
        for m in with_windows(movements)
    ]


def shipped_and_served_models(sets: Sequence[MovementData]) -> tuple[ExerciseModel, ...]:
    """One lifter's user model under the shipped calibration, and as it is served.

    Returns:
        Both, or none where the sets are not enough for a model.
    """
    model = _model(sets)
    if model is None:
        return ()
    early, late = split_in_time(
        sets,
        EARLY_SHARE,
        exercise=lambda data: data.movement.exercise,
        age=lambda data: data.movement.signals[0].t0_ns,
    )
    early_model = _model(early)
    held_out = score_held_out(early_model, _windows(late)) if early_model else None
    return model, replace(model, calibration=calibrate_for_user(USER_CALIBRATION, held_out))


def _score_known(
    model: ExerciseModel, test: Sequence[MovementData], results: CalibrationResults
) -> None:
    held_out = score_held_out(model, _windows(test))
    if held_out is None:
        return
    predictions = predictions_of("", model, held_out, model.labels)
    results.known_predictions.append(predictions)
    results.losses.extend(_losses(model, held_out))
    results.known_named.extend((~predictions.set_abstained).tolist())


def _score_unknown(
    model: ExerciseModel, test: Sequence[MovementData], results: CalibrationResults
) -> None:
    for windows in _windows(test):
        abstained = model.predict_windows(windows.t0_ns, windows.x).abstained
        results.unknown_abstained.append(abstained)


def _model(sets: Sequence[MovementData]) -> ExerciseModel | None:
    """As the first training of a deployment: the prior is of this one user. None of too few."""
    try:
        own = total([data.statistics for data in sets])
        return fit_user(own, fit_global(own))
    except NotEnoughLabels:
        return None


def _windows(sets: Sequence[MovementData]) -> list[LabelledWindows]:
    return [windows for data in sets for windows in data.evaluation_windows]


def _losses(model: ExerciseModel, held_out: HeldOutScores) -> list[float]:
    each = softmax(held_out.scores * model.calibration.window)
    sets = held_out.windows_of_sets()
    return [
        -float(np.log(model.of_set(each[s])[held_out.truth[s][0]] + MIN_PROBABILITY)) for s in sets
    ]
