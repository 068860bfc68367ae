"""Units of sensor values, and the detection of wrongly declared ones."""

import math
from typing import Final, Literal

import numpy as np

from models.arrays import Floats, Floats32
from models.signal.pieces import Piece
from schemas.errors import BadSamples

STANDARD_GRAVITY: Final = 9.80665
Kind = Literal["acc", "gyro"]
FACTORS: Final[dict[Kind, dict[str, float]]] = {
    "acc": {"g": 1.0, "m/s2": 1 / STANDARD_GRAVITY},
    "gyro": {"rad/s": 1.0, "deg/s": math.pi / 180},
}
MS2_MEDIAN_RANGE = (6.0, 14.0)
MAX_ROTATION_RAD_S = 15.0
"""Ninth decile of rotation from which on its unit is doubted: hardly a wrist turns faster for a
tenth of the time. In 239 sets of two devices it is .4 to 9.5 rad/s, which is 20 to 545 deg/s."""


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


def in_unit(kind: Kind, piece: Piece) -> Floats32:
    """Counts as g or rad/s, by what the piece claims; float32 (n, 3)."""
    return piece.counts.astype(np.float32) * np.float32(piece.scale * factor_of(kind, piece.unit))


def detect_unit_factor(acc: Floats) -> float:
    """The factor that converts a stream, declared as g, to g.

    A wrist spends most of its time near 1 g, whatever it does. A median length between 6 and 14
    can only be m/s².

    Args:
        acc: (n, 3), in what is claimed to be g; any n ≥ 1.

    Returns:
        1.0, or 1/9.80665 where the values are m/s².

    >>> round(1 / detect_unit_factor(np.tile([0.0, 0.0, 9.81], (50, 1))), 5)
    9.80665
    >>> detect_unit_factor(np.repeat([[0.0, 0.0, 3.0], [0.0, 0.0, 9.0]], [6, 4], axis=0))
    1.0
    >>> detect_unit_factor(np.repeat([[0.0, 0.0, 3.0], [0.0, 0.0, 9.0]], [4, 6], axis=0)) < 1
    True
    """
    low, high = MS2_MEDIAN_RANGE
    lengths = np.sort(np.sqrt(np.vecdot(acc, acc)))  # a fifth of the time of norm and median
    median = float(lengths[(len(lengths) - 1) // 2] + lengths[len(lengths) // 2]) / 2
    return 1 / STANDARD_GRAVITY if low < median < high else 1.0


def ninth_decile(rotation: Floats) -> float:
    """The speed that rotation exceeds for a tenth of the time, in the unit of the values.

    Args:
        rotation: (n, 3); any n. Without samples it is 0.

    >>> ninth_decile(np.tile([0.0, 3.0, 4.0], (50, 1)))
    5.0
    """
    squares = np.sort(np.vecdot(rotation, rotation))
    return math.sqrt(float(squares[len(squares) * 9 // 10])) if len(squares) else 0.0
