"""Features under other sensor axes: a watch turned round, on the other wrist, another device.

A change of axes flips signs of features, swaps quantiles and swaps features of different axes, and
nothing else. So the features of a window give those of every other way to wear the watch.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations, product

import numpy as np

from models.arrays import Floats32, Indices
from models.exercise.names import feature_names

Triple = tuple[int, int, int]
AXES_IN_NAMES = re.compile(r"(?<=_)[xyz]+(?![a-z])")
ODD = frozenset(("mean", "q5", "q25", "q50", "q75", "q95", "skew"))
"""Statistics of a channel that change their sign with it."""
OPPOSITE = {"q5": "q95", "q25": "q75", "q75": "q25", "q95": "q5"}


@dataclass(frozen=True, slots=True)
class AxisMap:
    """A signed permutation of axes.

    The features along gravity allow only maps in which both sensors' signs agree up to one sign.

    Attributes:
        acc: signs of acceleration, 1 or -1.
        gyro: signs of rotation.
        axes: of both sensors: x, y and z are taken from the axes of these numbers.
    """

    acc: Triple
    gyro: Triple
    axes: Triple = (0, 1, 2)

    def __post_init__(self) -> None:
        if len({a * g for a, g in zip(self.acc, self.gyro, strict=True)}) != 1:
            raise ValueError(f"signs {self.acc} and {self.gyro} differ by more than one sign")

    def mirrored(self) -> "AxisMap":
        """The same map for mirrored samples.

        >>> MIRROR.mirrored() == MIRROR
        True
        >>> AxisMap((1, 1, 1), (1, 1, 1), (1, 2, 0)).mirrored()
        AxisMap(acc=(-1, 1, -1), gyro=(-1, 1, -1), axes=(1, 2, 0))
        """
        acc, gyro = (
            tuple(
                m[to] * sign * m[of] for to, (sign, of) in enumerate(zip(s, self.axes, strict=True))
            )
            for m, s in ((MIRROR.acc, self.acc), (MIRROR.gyro, self.gyro))
        )
        return replace(self, acc=acc, gyro=gyro)


MIRROR = AxisMap((-1, 1, 1), (1, -1, -1))  # a right wrist as the left one that would move alike


def right_handed_maps() -> tuple[AxisMap, ...]:
    """The 24 right-handed axis maps; the first is the identity.

    >>> len(right_handed_maps()), right_handed_maps()[0]
    (24, AxisMap(acc=(1, 1, 1), gyro=(1, 1, 1), axes=(0, 1, 2)))
    """
    return tuple(
        AxisMap((x, y, z), (x, y, z), (a, b, c))
        for a, b, c in permutations((0, 1, 2))
        for x, y, z in product((1, -1), repeat=3)
        if x * y * z * np.linalg.det(np.eye(3)[[a, b, c]]) > 0
    )


def remap_features(x: Floats32, axis_map: AxisMap) -> Floats32:
    """The features of windows whose samples have other axes.

    Args:
        x: float32 (m, 515) or (m, 214), as of `features`.
        axis_map: from the samples of `x` to those of the result.

    Returns:
        (m, d), the features of the samples on these axes, up to rounding.
    """
    places, signs = feature_moves(x.shape[1] == len(feature_names(True)), axis_map)
    return x.take(places, axis=1) * signs


@lru_cache(maxsize=64)
def feature_moves(with_gyro: bool, axis_map: AxisMap) -> tuple[Indices, Floats32]:
    """The column that each feature is taken from, and its sign, 1 or -1: (d,), (d,)."""
    names = feature_names(with_gyro)
    place_of = {name: place for place, name in enumerate(names)}
    of = _channel_signs(axis_map)
    taken: dict[str, str] = dict(zip("xyz", ("xyz"[k] for k in axis_map.axes), strict=True))
    moved = [_move(name, of) for name in names]
    sources = [(place_of[_taken_from(name, taken, place_of)], sign) for name, sign in moved]
    places = np.array([place for place, _ in sources], dtype=np.intp)
    return places, np.array([sign for _, sign in sources], dtype=np.float32)


def _taken_from(name: str, taken: Mapping[str, str], known: Collection[str]) -> str:
    """The name of a feature after its axes are replaced.

    >>> places = feature_names(True)
    >>> [
    ...     _taken_from(name, {"x": "y", "y": "x", "z": "z"}, places)
    ...     for name in ("acc_x~gyro_z.lag6", "acc_x~acc_y.corr", "linear.odd_xxy", "couple_xz_y")
    ... ]
    ['acc_y~gyro_z.lag6', 'acc_x~acc_y.corr', 'linear.odd_xyy', 'couple_yz_x']
    """
    moved = AXES_IN_NAMES.sub(lambda at: "".join(sorted(taken[axis] for axis in at[0])), name)
    if moved in known:
        return moved
    pair, _, statistic = moved.partition(".")
    first, second = pair.split("~")
    return f"{second}~{first}.{statistic}"  # of what is the same both ways one order has a name


def _channel_signs(axis_map: AxisMap) -> dict[str, int]:
    """The sign of every channel, and of every direction that joint features are named after."""
    acc, gyro = (dict(zip("xyz", axes, strict=True)) for axes in (axis_map.acc, axis_map.gyro))
    return {
        **{f"acc_{axis}": sign for axis, sign in acc.items()},
        **{f"gyro_{axis}": sign for axis, sign in gyro.items()},
        **{f"down_{axis}": sign for axis, sign in acc.items()},
        "gyro_down": axis_map.acc[0] * axis_map.gyro[0],
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
