"""S7: one wrist learned, the other asked. Reported beside, no floors."""

from collections.abc import Sequence
from dataclasses import replace

from models.exercise.calibrate import held_out
from models.exercise.evaluate import LabelledWindows
from models.exercise.figures import Asked, Outcome, answers, set_accuracy, window_accuracy
from models.exercise.fit import GlobalModel, fit_global, fit_user
from models.exercise.protocols import person_folds
from models.exercise.statistics import Statistics, total
from models.exercise.trials import Movement, asked, learned_of, people
from models.signal.pieces import Side
from schemas.report import Figure

DATA = "SPAR-10"


def other_wrist(movements: Sequence[Movement]) -> Outcome:
    """Left wrists learned, right wrists asked: of unseen people, and of the same person."""
    left, right = _of_side(movements, "left"), _of_side(movements, "right")
    labels = tuple(sorted({m.exercise for m in movements}))
    learned = {p: learned_of(sets) for p, sets in people(left).items()}
    windows = {p: asked(sets) for p, sets in people(right).items()}
    everybody = total(list(learned.values()))
    unseen: list[Asked] = []
    own: list[Asked] = []
    for names in person_folds(list(learned)):
        others = fit_global(everybody - total([learned[p] for p in names]))
        for person in names:
            unseen += _asked(person, others, None, windows, labels)
            own += _asked(person, others, learned[person], windows, labels)
    figures = (
        _share("s7_other_wrist_windows", window_accuracy(unseen), "unseen people, 5 folds"),
        _share("s7_other_wrist_sets", set_accuracy(unseen), "unseen people, 5 folds"),
        _share("s7_other_wrist_own", window_accuracy(own), "the same person's left wrist enrolled"),
    )
    return Outcome(figures, labels, tuple(unseen))


def _asked(
    person: str,
    others: GlobalModel,
    own: Statistics | None,
    windows: dict[str, tuple[LabelledWindows, ...]],
    labels: tuple[str, ...],
) -> list[Asked]:
    model = others.model if own is None else fit_user(own, others)
    held = held_out(model, windows[person])
    return [] if held is None else [answers(person, model, held, labels)]


def _of_side(movements: Sequence[Movement], side: Side) -> list[Movement]:
    kept = [replace(m, signals=tuple(s for s in m.signals if s.side == side)) for m in movements]
    return [m for m in kept if m.signals]


def _share(name: str, value: float, protocol: str) -> Figure:
    protocol = f"left wrists learned, right wrists asked, {protocol}"
    return Figure(name, value, data=DATA, protocol=protocol)
