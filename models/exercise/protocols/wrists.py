"""S7: one wrist learned, the other asked. Reported beside, no floors."""

from collections.abc import Sequence
from dataclasses import replace

from models.exercise.calibrate import held_out
from models.exercise.evaluate import LabelledWindows
from models.exercise.fit import GlobalModel, fit_global, fit_user
from models.exercise.protocols.answers import SetPredictions, answers, set_accuracy, window_accuracy
from models.exercise.protocols.outcome import SPAR, ProtocolData, ProtocolOutcome
from models.exercise.protocols.trials import (
    Movement,
    asked,
    exercises,
    learned_of,
    people,
    person_folds,
)
from models.exercise.statistics import Statistics, total
from models.signal.pieces import Side

WRISTS = "left wrists learned, right wrists asked"


def other_wrist(movements: Sequence[Movement]) -> ProtocolOutcome:
    """Left wrists learned, right wrists asked: of unseen people, and of the same person."""
    left, right = _of_side(movements, "left"), _of_side(movements, "right")
    labels = exercises(movements)
    learned = {p: learned_of(sets) for p, sets in people(left).items()}
    windows = {p: asked(sets) for p, sets in people(right).items()}
    everybody = total(list(learned.values()))
    unseen: list[SetPredictions] = []
    own: list[SetPredictions] = []
    for names in person_folds(list(learned)):
        others = fit_global(everybody - total([learned[p] for p in names]))
        for person in names:
            unseen += _asked(person, others, None, windows, labels)
            own += _asked(person, others, learned[person], windows, labels)
    of_unseen = ProtocolData(SPAR, f"{WRISTS}, unseen people, 5 folds")
    of_own = ProtocolData(SPAR, f"{WRISTS}, the same person's left wrist enrolled")
    figures = (
        of_unseen.at_least("s7_other_wrist_windows", window_accuracy(unseen)),
        of_unseen.at_least("s7_other_wrist_sets", set_accuracy(unseen)),
        of_own.at_least("s7_other_wrist_own", window_accuracy(own)),
    )
    return ProtocolOutcome(figures, labels, tuple(unseen))


def _asked(
    person: str,
    others: GlobalModel,
    own: Statistics | None,
    windows: dict[str, tuple[LabelledWindows, ...]],
    labels: tuple[str, ...],
) -> list[SetPredictions]:
    model = others.model if own is None else fit_user(own, others)
    held = held_out(model, windows[person])
    return [] if held is None else [answers(person, model, held, labels)]


def _of_side(movements: Sequence[Movement], side: Side) -> list[Movement]:
    kept = [replace(m, signals=tuple(s for s in m.signals if s.side == side)) for m in movements]
    return [m for m in kept if m.signals]
