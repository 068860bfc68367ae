"""The figures that have floors: they are in the report also where they cannot be measured."""

from collections.abc import Mapping

from models.exercise.protocols.user_models import MODEL_BYTES, S2, S3, UserModelProtocol
from schemas.report import Figure

SPAR_REPS_FLOORS = {"s5_spar": 0.95, "s5_spar_exact": 0.8}
GYM_FLOORS = {
    "s4_precision": 0.99,
    "s4_recall": 0.985,
    "s4b_start": 0.9,
    "s4b_end": 0.8,
    "s4b_both_3s": 0.8,
    "s4c_windows": 0.91,
    "s4c_sets": 0.92,
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
    "s1": (*at_least({"s1_windows": 0.92, "s1_sets": 0.955}), _at_most("s1_ece", 0.03)),
    "s2": _of_user_models(S2),
    "s3": _of_user_models(S3),
    "s6": (*at_least({"s6_auroc": 0.975}), _at_most("s6_ece", 0.03)),
    "s8": (
        _at_most("s8_features_one_ms", 1.0, "ms"),
        _at_most("s8_features_batch_us", 60.0, "us"),
        _at_most("s8_model_us", 50.0, "us"),
        _at_most("s2_fit_s", 0.1, "s"),
        _at_most("s8_counter_ms_per_s", 1.0, "ms"),
    ),
}
"""Of each protocol on SPAR: what it measures against a floor where the recordings are enough."""
