"""S7: trained on one wrist, tested on the other. Reported without floors."""

from collections.abc import Sequence
from dataclasses import replace

from models.exercise.calibrate import score_held_out
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import GlobalModel, fit_global, fit_user
from models.exercise.protocols.outcome import SPAR, ProtocolData, ProtocolOutcome
from models.exercise.protocols.predictions import (
    SetPredictions,
    predictions_of,
    set_accuracy,
    window_accuracy,
)
from models.exercise.protocols.trials import (
    Movement,
    evaluation_windows,
    exercises,
    people,
    person_folds,
    training_statistics,
)
from models.exercise.statistics import Statistics, total
from models.signal.pieces import Side

WRISTS = "left wrists learned, right wrists asked"


def other_wrist(movements: Sequence[Movement]) -> ProtocolOutcome:
    """Trained on left wrists, tested on right ones: of unseen people, and of the same person."""
    left, right = _of_side(movements, "left"), _of_side(movements, "right")
    labels = exercises(movements)
    training = {p: training_statistics(sets) for p, sets in people(left).items()}
    windows = {p: evaluation_windows(sets) for p, sets in people(right).items()}
    all_users = total(list(training.values()))
    unseen: list[SetPredictions] = []
    own: list[SetPredictions] = []
    for names in person_folds(list(training)):
        global_model = fit_global(all_users - total([training[p] for p in names]))
        for person in names:
            unseen += _evaluate(person, global_model, None, windows, labels)
            own += _evaluate(person, global_model, training[person], windows, labels)
    of_unseen = ProtocolData(SPAR, f"{WRISTS}, unseen people, 5 folds")
    of_own = ProtocolData(SPAR, f"{WRISTS}, the same person's left wrist enrolled")
    figures = (
        of_unseen.figure("s7_other_wrist_windows", window_accuracy(unseen)),
        of_unseen.figure("s7_other_wrist_sets", set_accuracy(unseen)),
        of_own.figure("s7_other_wrist_own", window_accuracy(own)),
    )
    return ProtocolOutcome(figures, labels, tuple(unseen))


def _evaluate(
    person: str,
    global_model: GlobalModel,
    own: Statistics | None,
    windows: dict[str, tuple[LabelledWindows, ...]],
    labels: tuple[str, ...],
) -> list[SetPredictions]:
    model = global_model.model if own is None else fit_user(own, global_model)
    held_out = score_held_out(model, windows[person])
    return [] if held_out is None else [predictions_of(person, model, held_out, labels)]


def _of_side(movements: Sequence[Movement], side: Side) -> list[Movement]:
    kept = [replace(m, signals=tuple(s for s in m.signals if s.side == side)) for m in movements]
    return [m for m in kept if m.signals]
