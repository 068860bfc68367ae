"""The figures that have floors: they are in the report also where they cannot be measured."""

from collections.abc import Mapping

from models.exercise.protocols import cost, gym, unknown, unseen_people
from models.exercise.protocols.user_models import MODEL_BYTES, S2, S3, UserModelProtocol
from muvr.evaluation.cost import AT_MOST_MS
from schemas.report import Figure

SPAR_REPS_FLOORS = {"s5_spar": 0.95, "s5_spar_exact": 0.8}
GYM_FLOORS = {
    "s4_precision": 0.99,
    "s4_recall": 0.985,
    "s4b_start": 0.9,
    "s4b_end": 0.8,
    "s4b_both_3s": 0.8,
    **gym.FLOORS,
    "s5_gym": 0.95,
    "s5_gym_exact": 0.83,
}


def at_least(floors: Mapping[str, float]) -> tuple[Figure, ...]:
    """Figures without a value, with their floors."""
    return tuple(Figure(name, None, floor=floor) for name, floor in floors.items())


def of_gym(*prefixes: str) -> tuple[Figure, ...]:
    """The figures of gym recordings that have a floor and begin with one of the prefixes.

    >>> [figure.name for figure in of_gym("s4_", "s5_gym")]
    ['s4_precision', 's4_recall', 's5_gym', 's5_gym_exact']
    """
    names = [name for name in GYM_FLOORS if name.startswith(prefixes)]
    return at_least({name: GYM_FLOORS[name] for name in names})


def _at_most(name: str, ceiling: float, unit: str = "") -> Figure:
    return Figure(name, None, unit, floor=ceiling, ceiling=True)


def _of_user_models(protocol: UserModelProtocol) -> tuple[Figure, ...]:
    name = protocol.name
    floors = {
        f"{name}_{protocol.mean_name}": protocol.min_mean,
        f"{name}_worst": protocol.min_worst,
    }
    return *at_least(floors), _at_most(f"{name}_model_bytes", MODEL_BYTES, "B")


OF_SPAR: Mapping[str, tuple[Figure, ...]] = {
    "s1": (*at_least(unseen_people.FLOORS), _at_most("s1_ece", unseen_people.MAX_ECE)),
    "s2": _of_user_models(S2),
    "s3": _of_user_models(S3),
    "s6": (*at_least(unknown.FLOORS), _at_most("s6_ece", unknown.MAX_ECE)),
    "s8": (
        *(_at_most(name, most, unit) for name, (most, unit) in cost.CEILINGS.items()),
        _at_most("s8_counter_ms_per_s", AT_MOST_MS, "ms"),
    ),
}
"""Of each protocol on SPAR: what it measures against a floor where the recordings are enough."""
