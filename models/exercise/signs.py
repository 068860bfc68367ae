"""Features under other signs of the sensors' axes: a watch turned round, or on the other wrist.

Such a reading turns numbers round and swaps quantiles, and nothing else: whoever has the features
of a window has those of every other way to wear the watch.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from models.arrays import Floats32, Indices
from models.exercise.names import feature_names

Triple = tuple[int, int, int]
ODD = frozenset(("mean", "q5", "q25", "q50", "q75", "q95", "skew"))
"""Statistics of a channel that turn round with it; the others say how it moves, not where to."""
OPPOSITE = {"q5": "q95", "q25": "q75", "q75": "q25", "q95": "q5"}


@dataclass(frozen=True, slots=True)
class Signs:
    """What every axis is multiplied with, 1 or -1.

    Gravity along rotation is left a number only where both sensors agree up to one sign.

    Attributes:
        acc: of acceleration.
        gyro: of rotation.
    """

    acc: Triple
    gyro: Triple

    def __post_init__(self) -> None:
        if len({a * g for a, g in zip(self.acc, self.gyro, strict=True)}) != 1:
            raise ValueError(f"signs {self.acc} and {self.gyro} differ by more than one sign")


MIRROR = Signs((-1, 1, 1), (1, -1, -1))  # a right wrist as the left one that would move alike


def under_signs(x: Floats32, signs: Signs) -> Floats32:
    """The features of windows whose samples have other signs.

    Args:
        x: float32 (m, 515) or (m, 214), as `features` gives them.
        signs: what the samples are multiplied with.

    Returns:
        (m, d), those of the samples under these signs but for rounding.
    """
    places, factors = _moves(x.shape[1] == len(feature_names(True)), signs)
    return x.take(places, axis=1) * factors


@lru_cache(maxsize=8)
def _moves(with_gyro: bool, signs: Signs) -> tuple[Indices, Floats32]:
    """Where each feature is found under these signs, and its own sign: (d,), (d,)."""
    names = feature_names(with_gyro)
    place_of = {name: place for place, name in enumerate(names)}
    of = _channel_signs(signs)
    found = [_move(name, of) for name in names]
    places = np.array([place_of[name] for name, _ in found], dtype=np.intp)
    return places, np.array([sign for _, sign in found], dtype=np.float32)


def _channel_signs(signs: Signs) -> dict[str, int]:
    """Of every channel, and of every direction that joint features are named after."""
    acc, gyro = (dict(zip("xyz", axes, strict=True)) for axes in (signs.acc, signs.gyro))
    return {
        **{f"acc_{axis}": sign for axis, sign in acc.items()},
        **{f"gyro_{axis}": sign for axis, sign in gyro.items()},
        **{f"down_{axis}": sign for axis, sign in acc.items()},
        "gyro_down": signs.acc[0] * signs.gyro[0],
    }


def _move(name: str, of: dict[str, int]) -> tuple[str, int]:
    """The feature that becomes this one, and its sign.

    >>> of = _channel_signs(MIRROR)
    >>> _move("acc_x.q5", of), _move("acc_x.sd", of), _move("acc_x~gyro_y.lag6", of)
    (('acc_x.q95', -1), ('acc_x.sd', 1), ('acc_x~gyro_y.lag6', 1))
    >>> _move("linear.odd_xyy", of), _move("couple_xy_z", of)
    (('linear.odd_xyy', -1), ('couple_xy_z', 1))
    """
    if name.startswith("couple_"):
        pair, turning = name.removeprefix("couple_").split("_")
        return name, _product(of, "acc", pair) * of[f"gyro_{turning}"]
    channel, _, statistic = name.partition(".")
    if "~" in channel:
        first, second = channel.split("~")
        return name, of.get(first, 1) * of.get(second, 1)
    if channel in ("linear", "gyro"):
        axes = statistic.partition("_")[2]  # of axis_xy, odd_xyz; a spread has none
        return name, _product(of, "acc" if channel == "linear" else "gyro", axes)
    sign = of.get(channel, 1) if statistic in ODD else 1
    return (f"{channel}.{OPPOSITE.get(statistic, statistic)}" if sign < 0 else name), sign


def _product(of: dict[str, int], sensor: str, axes: str) -> int:
    """The sign of a product of axes."""
    return int(np.prod([of[f"{sensor}_{axis}"] for axis in axes], dtype=np.int64))
