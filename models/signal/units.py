"""Units that devices speak, and what a wrist at rest says about a wrong one."""

import math
from typing import Final, Literal

import numpy as np

from models.arrays import Floats
from schemas.errors import BadSamples

STANDARD_GRAVITY: Final = 9.80665
Kind = Literal["acc", "gyro"]
FACTORS: Final[dict[Kind, dict[str, float]]] = {
    "acc": {"g": 1.0, "m/s2": 1 / STANDARD_GRAVITY},
    "gyro": {"rad/s": 1.0, "deg/s": math.pi / 180},
}
MEDIAN_OF_MS2 = (6.0, 14.0)
FASTEST_RAD_S = 15.0
"""The fastest ninth decile of rotation that is believed. In 239 sets of two devices it is .4 to 9.5
rad/s, which is 20 to 545 deg/s."""


def factor_of(kind: Kind, unit: str) -> float:
    """What a value in `unit` is multiplied with to become g or rad/s.

    >>> factor_of("acc", "g")
    1.0

    Raises:
        BadSamples: the unit is not known for this kind of stream.
    """
    try:
        return FACTORS[kind][unit]
    except KeyError:
        known = ", ".join(FACTORS[kind])
        raise BadSamples(
            f"{unit!r} is no unit of {kind}: {known}", field="unit", value=unit
        ) from None


def notice_unit(acc: Floats) -> float:
    """The factor that a stream still needs to be in g although it says that it is.

    A wrist spends most of its time near 1 g, whatever it does. A median length between 6 and 14
    can only be m/s².

    Args:
        acc: (n, 3), in what is claimed to be g; any n ≥ 1.

    Returns:
        1.0, or 1/9.80665 where the values are m/s².

    >>> round(1 / notice_unit(np.tile([0.0, 0.0, 9.81], (50, 1))), 5)
    9.80665
    """
    low, high = MEDIAN_OF_MS2
    lengths = np.sort(np.sqrt(np.vecdot(acc, acc)))  # a fifth of the time of norm and median
    median = float(lengths[(len(lengths) - 1) // 2] + lengths[len(lengths) // 2]) / 2
    return 1 / STANDARD_GRAVITY if low < median < high else 1.0


def notice_degrees(gyro: Floats) -> bool:
    """Whether rotation is in deg/s although it says rad/s.

    No wrist turns faster than 15 rad/s for a tenth of the time; 15 deg/s is slow.

    Args:
        gyro: (n, 3), in what is claimed to be rad/s; any n.

    >>> notice_degrees(np.tile([0.0, 0.0, 90.0], (50, 1)))
    True
    """
    lengths = np.sort(np.vecdot(gyro, gyro))
    return len(lengths) > 0 and bool(lengths[len(lengths) * 9 // 10] > FASTEST_RAD_S**2)
