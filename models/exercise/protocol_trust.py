"""S4c beside: how far one lifter's own model is to be trusted on a day that it never saw.

The model as it is served: names learned, the shipped calibration moved by the lifter's own later
sets (`own_calibration.on_one_user`), against the shipped one alone. Then each exercise of the day
is taken out of what was learned and asked: it should be left without a name.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from models.exercise.calibrate import HeldOut, held_out
from models.exercise.evaluate import LabelledWindows, calibration_error
from models.exercise.figures import Asked, answers
from models.exercise.fit import OWN_CALIBRATION, fit_global, fit_user
from models.exercise.model import ExerciseModel
from models.exercise.own_calibration import on_one_user
from models.exercise.probability import LEAST
from models.exercise.statistics import Statistics, total
from models.exercise.trials import Movement, asked, learned_of
from models.softmax import softmax
from schemas.config import Training
from schemas.report import Figure

DATA = "gym IMU, 99 sets of one lifter on 8 days"
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

    sure: list[Asked]
    losses: list[float]
    kept: list[bool]
    caught: list[bool]


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
    return [
        _figure("s4c_own_sets_ece", *(_ece(t.sure) for t in (served, shipped))),
        _figure("s4c_own_sets_log_loss", *(_mean(t.losses) for t in (served, shipped))),
        _figure("s4c_known_abstained", *(1 - _mean(t.kept) for t in (served, shipped))),
        _figure("s4c_unknown_abstained", *(_mean(t.caught) for t in (served, shipped))),
    ]


def own_models_of(sets: Sequence[Known]) -> tuple[ExerciseModel, ExerciseModel]:
    """One lifter's model under the shipped calibration, and as it is served."""
    model = _model(sets)
    early, late = _split(sets)
    trial = held_out(_model(early), _windows(late)) if late else None
    return model, replace(model, calibration=on_one_user(OWN_CALIBRATION, trial))


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


def _split(sets: Sequence[Known]) -> tuple[list[Known], list[Known]]:
    """Earlier and later sets of each exercise; a single set is early."""
    early: list[Known] = []
    late: list[Known] = []
    ordered = sorted(sets, key=lambda one: one.movement.signals[0].t0_ns)
    for exercise in sorted({one.movement.exercise for one in sets}):
        several = [one for one in ordered if one.movement.exercise == exercise]
        first = max(1, min(ceil(EARLY_SHARE * len(several)), len(several) - 1))
        early += several[:first]
        late += several[first:]
    return early, late


def _losses(model: ExerciseModel, held: HeldOut) -> list[float]:
    each = softmax(held.scores * model.calibration.window)
    sets = [held.set_of == n for n in range(held.set_of.max() + 1)]
    return [-float(np.log(model.of_set(each[s])[held.truth[s][0]] + LEAST)) for s in sets]


def _ece(sure: Sequence[Asked]) -> float:
    right = np.concatenate([a.set_truth == a.set_named for a in sure])
    return calibration_error(right, np.concatenate([a.set_probability for a in sure]))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _figure(name: str, value: float, shipped: float) -> Figure:
    return Figure(name, value, peer=PEER, peer_value=shipped, data=DATA, protocol=PROTOCOL)
