"""S7 beside: sets of a day that was left out, sent by a watch that is not worn as it says."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.exercise.model import ExerciseModel
from models.exercise.protocols.outcome import GYM, ProtocolData
from models.exercise.protocols.trials import Movement, asked, learned_of
from models.exercise.protocols.trust import Known, own_models_of
from models.exercise.signs import Signs
from models.recognition.naming import Rung
from models.recognition.wearing import (
    OTHER_SIGN,
    OTHER_WRIST,
    ROUND,
    name_as_worn,
)
from models.signal.wrist import WristSignal
from schemas.report import Figure

AS_DECLARED = Signs((1, 1, 1), (1, 1, 1))
WAYS = {
    "turned_round": ROUND.signs,
    "wrong_side": OTHER_WRIST.signs,
    "other_sign": OTHER_SIGN.signs,
    "other_frame": Signs((1, -1, 1), (1, -1, 1), (1, 0, 2)),  # a quarter turn of the dial
}
PEER = "the same sets worn as declared"
PROTOCOL = "leave one day out, own model, each set by itself; abstained sets are neither"


def worn_otherwise(movements: Sequence[Movement]) -> list[Figure]:
    """Sets named right, and wrongly, by one lifter's own model, in each way of wearing a watch.

    Of sets whose exercise was learned on another day; the rest has no name.

    Args:
        movements: one lifter's, on several days.
    """
    told: dict[Signs, list[tuple[str, str | None]]] = {AS_DECLARED: []}
    sets = [Known(m, learned_of([m]), asked([m])) for m in movements]
    for day in sorted({m.day for m in movements}):
        model = own_models_of([one for one in sets if one.movement.day != day])[1]
        new = [m for m in movements if m.day == day and m.exercise in model.labels]
        for signs in (AS_DECLARED, *WAYS.values()):
            names = _named(model, new, signs)
            told.setdefault(signs, []).extend(zip([m.exercise for m in new], names, strict=True))
    return [figure for name, signs in WAYS.items() for figure in _figures(name, told, told[signs])]


def _named(model: ExerciseModel, new: Sequence[Movement], signs: Signs) -> list[str | None]:
    ladder = (Rung("user", "judged", model),)
    sent = ([_sent(s, signs) for s in m.signals] for m in new)
    return [name_as_worn(signals, ladder).answer.exercise for signals in sent]


def _sent(signal: WristSignal, signs: Signs) -> WristSignal:
    """What a watch sends whose axes are others than it says."""
    gyro, axes = signal.gyro_rad_s, list(signs.axes)
    acc_signs, gyro_signs = (np.array(one, dtype=np.float32) for one in (signs.acc, signs.gyro))
    return replace(
        signal,
        acc_g=signal.acc_g[:, axes] * acc_signs,
        gyro_rad_s=None if gyro is None else gyro[:, axes] * gyro_signs,
    )


def _figures(
    name: str,
    told: dict[Signs, list[tuple[str, str | None]]],
    here: Sequence[tuple[str, str | None]],
) -> list[Figure]:
    declared = told[AS_DECLARED]
    measured = ProtocolData(GYM, PROTOCOL)
    return [
        measured.beside(f"s7_worn_{name}_{kind}", share(here), PEER, share(declared))
        for kind, share in (("right", _right), ("wrong", _wrong))
    ]


def _right(told: Sequence[tuple[str, str | None]]) -> float:
    return sum(name == truth for truth, name in told) / len(told)


def _wrong(told: Sequence[tuple[str, str | None]]) -> float:
    return sum(name not in (truth, None) for truth, name in told) / len(told)
