"""What figures must reach, or must not pass: each is in the report, measured or not."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.report import Figure


@dataclass(frozen=True, slots=True)
class Floor:
    """What one figure must reach.

    Attributes:
        value: the least that it may be.
        unit: of the figure; "" for counts and shares.
        ceiling: `value` is the most that it may be instead.
    """

    value: float
    unit: str = ""
    ceiling: bool = False


def _at_most(value: float, unit: str = "") -> Floor:
    return Floor(value, unit, ceiling=True)


FLOORS_BY_PROTOCOL: Mapping[str, Mapping[str, Floor]] = {
    "s1": {"s1_windows": Floor(0.92), "s1_sets": Floor(0.955), "s1_ece": _at_most(0.03)},
    "s2": {
        "s2_windows": Floor(0.996),
        "s2_worst": Floor(0.985),
        "s2_model_bytes": _at_most(20_000, "B"),
    },
    "s3": {
        "s3_mean": Floor(0.98),
        "s3_worst": Floor(0.95),
        "s3_model_bytes": _at_most(20_000, "B"),
    },
    "s4": {
        "s4_precision": Floor(0.99),
        "s4_recall": Floor(0.985),
        "s4b_start": Floor(0.9),
        "s4b_end": Floor(0.8),
        "s4b_both_3s": Floor(0.8),
    },
    "s4c": {"s4c_windows": Floor(0.91), "s4c_sets": Floor(0.92)},
    "s5_spar": {"s5_spar": Floor(0.95), "s5_spar_exact": Floor(0.8)},
    "s5_gym": {"s5_gym": Floor(0.95), "s5_gym_exact": Floor(0.83)},
    "s6": {"s6_auroc": Floor(0.975), "s6_ece": _at_most(0.03)},
    "s8": {
        "s8_features_one_ms": _at_most(1.0, "ms"),
        "s8_features_batch_us": _at_most(60.0, "us"),
        "s8_model_us": _at_most(50.0, "us"),
        "s2_fit_s": _at_most(0.1, "s"),
        "s8_counter_ms_per_s": _at_most(1.0, "ms"),
    },
}
"""Of each protocol, or part of one that may miss its recordings, in the order of the report."""
FLOORS = {name: floor for floors in FLOORS_BY_PROTOCOL.values() for name, floor in floors.items()}


def figure(
    name: str,
    value: float | None,
    *,
    unit: str = "",
    data: str | None = None,
    protocol: str | None = None,
) -> Figure:
    """A figure, with its floor and that floor's unit where it has one.

    >>> figure("s1_ece", 0.02).holds, figure("s1_worst", 0.6).holds
    (True, None)
    """
    floor = FLOORS.get(name)
    if floor is None:
        return Figure(name, value, unit, data=data, protocol=protocol)
    return Figure(
        name,
        value,
        floor.unit,
        floor=floor.value,
        ceiling=floor.ceiling,
        data=data,
        protocol=protocol,
    )


def unmeasured(*protocols: str) -> tuple[Figure, ...]:
    """The figures of protocols that have a floor, without values; none where none has one.

    >>> [one.name for one in unmeasured("s5_gym", "s1_acc_only")]
    ['s5_gym', 's5_gym_exact']
    """
    return tuple(
        figure(name, None) for one in protocols for name in FLOORS_BY_PROTOCOL.get(one, {})
    )
