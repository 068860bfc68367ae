"""S4c beside: how far one lifter's own model is to be trusted on a day that it never saw.

The model as it is served: names learned, the shipped calibration moved by the lifter's own later
sets (`user_calibration.on_one_user`), against the shipped one alone. Then each exercise of the day
is taken out of what was learned and asked: it should be left without a name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.exercise.calibrate import HeldOut, held_out
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import USER_CALIBRATION, fit_global, fit_user
from models.exercise.model import ExerciseModel
from models.exercise.probability import LEAST
from models.exercise.protocols.answers import SetPredictions, answers, mean, set_ece
from models.exercise.protocols.outcome import GYM, ProtocolData
from models.exercise.protocols.trials import Movement, asked, learned_of
from models.exercise.statistics import Statistics, total
from models.exercise.time_split import split_in_time
from models.exercise.user_calibration import on_one_user
from models.softmax import softmax
from schemas.config import Training
from schemas.report import Figure

PROTOCOL = "leave one day out, names learned, calibrated inside the training days"
PEER = "the shipped calibration alone"
EARLY_SHARE = Training().cutoff_share  # of each exercise's sets, as in training


@dataclass(frozen=True, slots=True)
class Known:
    """A set, what it teaches, and its windows as they are asked."""

    movement: Movement
    learned: Statistics
    asked: tuple[LabelledWindows, ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """What a kind of calibration was worth.

    Attributes:
        sure: sets of exercises that were known.
        losses: of those, -log probability of the truth.
        kept: of those, whether a name was told.
        caught: sets of exercises that were left out: whether none was.
    """

    sure: list[SetPredictions]
    losses: list[float]
    kept: list[bool]
    caught: list[bool]


WORTH: dict[str, Callable[[Trust], float]] = {
    "s4c_own_sets_ece": lambda trust: set_ece(trust.sure),
    "s4c_own_sets_log_loss": lambda trust: mean(trust.losses),
    "s4c_known_abstained": lambda trust: 1 - mean(trust.kept),
    "s4c_unknown_abstained": lambda trust: mean(trust.caught),
}


def trust_on_new_days(movements: Sequence[Movement]) -> list[Figure]:
    """Calibration and abstention of one lifter's own models, as shipped and as served."""
    shipped, served = Trust([], [], [], []), Trust([], [], [], [])
    sets = [Known(m, learned_of([m]), asked([m])) for m in movements]
    for day in sorted({m.day for m in movements}):
        learned = [one for one in sets if one.movement.day != day]
        new = [one for one in sets if one.movement.day == day]
        _ask(learned, new, shipped, served)
        for exercise in sorted({one.movement.exercise for one in new}):
            rest = [one for one in learned if one.movement.exercise != exercise]
            left_out = [one for one in new if one.movement.exercise == exercise]
            _ask_unknown(rest, left_out, shipped, served)
    measured = ProtocolData(GYM, PROTOCOL)
    return [
        measured.beside(name, worth(served), PEER, worth(shipped)) for name, worth in WORTH.items()
    ]


def own_models_of(sets: Sequence[Known]) -> tuple[ExerciseModel, ExerciseModel]:
    """One lifter's model under the shipped calibration, and as it is served."""
    model = _model(sets)
    early, late = split_in_time(
        sets,
        EARLY_SHARE,
        exercise=lambda one: one.movement.exercise,
        age=lambda one: one.movement.signals[0].t0_ns,
    )
    trial = held_out(_model(early), _windows(late)) if late else None
    return model, replace(model, calibration=on_one_user(USER_CALIBRATION, trial))


def _ask(learned: Sequence[Known], new: Sequence[Known], shipped: Trust, served: Trust) -> None:
    for model, trust in zip(own_models_of(learned), (shipped, served), strict=True):
        held = held_out(model, _windows(new))
        if held is None:
            continue
        found = answers("", model, held, model.labels)
        trust.sure.append(found)
        trust.losses.extend(_losses(model, held))
        trust.kept.extend((~found.set_abstained).tolist())


def _ask_unknown(
    learned: Sequence[Known], new: Sequence[Known], shipped: Trust, served: Trust
) -> None:
    for model, trust in zip(own_models_of(learned), (shipped, served), strict=True):
        found = [model.answer_windows(one.t0_ns, one.x) for one in _windows(new)]
        trust.caught.extend(answer.abstained for answer in found)


def _model(sets: Sequence[Known]) -> ExerciseModel:
    """As a first training learns it: a single user is everybody."""
    own = total([one.learned for one in sets])
    return fit_user(own, fit_global(own))


def _windows(sets: Sequence[Known]) -> list[LabelledWindows]:
    return [windows for one in sets for windows in one.asked]


def _losses(model: ExerciseModel, held: HeldOut) -> list[float]:
    each = softmax(held.scores * model.calibration.window)
    sets = held.windows_of_sets()
    return [-float(np.log(model.of_set(each[s])[held.truth[s][0]] + LEAST)) for s in sets]
