"""S7, wearing: sets of a day that was left out, from a watch worn otherwise than declared."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.exercise.axis_map import AxisMap
from models.exercise.model import ExerciseModel
from models.exercise.protocols.outcome import ProtocolData, gym_text
from models.exercise.protocols.trials import Movement
from models.exercise.protocols.trust import movement_data, shipped_and_served_models
from models.mean import mean
from models.recognition.naming import Rung
from models.recognition.wearing import OTHER_SIGN, OTHER_WRIST, ROUND
from models.recognition.worn import name_as_worn
from models.signal.wrist import WristSignal
from schemas.report import Figure

AS_DECLARED = AxisMap((1, 1, 1), (1, 1, 1))
WEARINGS = {
    "turned_round": ROUND.axis_map,
    "wrong_side": OTHER_WRIST.axis_map,
    "other_sign": OTHER_SIGN.axis_map,
    "other_frame": AxisMap((1, -1, 1), (1, -1, 1), (1, 0, 2)),  # a quarter turn of the dial
}
PEER = "the same sets worn as declared"
PROTOCOL = "leave one day out, own model, each set by itself; abstained sets are neither"


def worn_otherwise(movements: Sequence[Movement]) -> list[Figure]:
    """Sets that one lifter's user model names right, and wrongly, under each way to wear a watch.

    Only sets whose exercise was also done on another day count. Without any the figures are NaN.

    Args:
        movements: one lifter's, on several days.
    """
    named_sets: dict[AxisMap, list[tuple[str, str | None]]] = {
        axis_map: [] for axis_map in (AS_DECLARED, *WEARINGS.values())
    }
    sets = movement_data(movements)
    for day in sorted({data.movement.day for data in sets}):
        models = shipped_and_served_models([data for data in sets if data.movement.day != day])
        for served in models[1:]:
            of_day = [data.movement for data in sets if data.movement.day == day]
            test = [m for m in of_day if m.exercise in served.labels]
            for axis_map, named in named_sets.items():
                names = _predicted_names(served, test, axis_map)
                named.extend(zip([m.exercise for m in test], names, strict=True))
    measured = ProtocolData(gym_text([data.movement for data in sets]), PROTOCOL)
    return [
        figure
        for name, axis_map in WEARINGS.items()
        for figure in _figures(name, named_sets, named_sets[axis_map], measured)
    ]


def _predicted_names(
    model: ExerciseModel, test: Sequence[Movement], axis_map: AxisMap
) -> list[str | None]:
    ladder = (Rung("user", "judged", model),)
    sent = ([_as_sent(s, axis_map) for s in m.signals] for m in test)
    return [name_as_worn(signals, ladder).prediction.exercise for signals in sent]


def _as_sent(signal: WristSignal, axis_map: AxisMap) -> WristSignal:
    """The signal as sent by a watch with other axes than declared."""
    gyro, axes = signal.gyro_rad_s, list(axis_map.axes)
    acc_signs, gyro_signs = (
        np.array(data, dtype=np.float32) for data in (axis_map.acc, axis_map.gyro)
    )
    return replace(
        signal,
        acc_g=signal.acc_g[:, axes] * acc_signs,
        gyro_rad_s=None if gyro is None else gyro[:, axes] * gyro_signs,
    )


def _figures(
    name: str,
    named_sets: dict[AxisMap, list[tuple[str, str | None]]],
    under_wearing: Sequence[tuple[str, str | None]],
    measured: ProtocolData,
) -> list[Figure]:
    declared = named_sets[AS_DECLARED]
    return [
        measured.compared(f"s7_worn_{name}_{kind}", share(under_wearing), PEER, share(declared))
        for kind, share in (("right", _right), ("wrong", _wrong))
    ]


def _right(named_sets: Sequence[tuple[str, str | None]]) -> float:
    return mean(name == truth for truth, name in named_sets)


def _wrong(named_sets: Sequence[tuple[str, str | None]]) -> float:
    return mean(name not in (truth, None) for truth, name in named_sets)
