"""Training statistics as devices whose axes lie along other directions would have given them.

A change of axes only moves features and flips their signs (`models.exercise.axis_map`). So the sums
over windows give those of every other device, and no window is read again.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from models.activity.features import used_columns
from models.activity.periodicity import PERIODICITY_FEATURES
from models.arrays import Floats64, Indices
from models.exercise.axis_map import AxisMap, feature_moves
from models.exercise.names import feature_names
from models.exercise.statistics import Statistics

PLUS = (1, 1, 1)
TURNS = (
    (AxisMap((1, -1, -1), (1, -1, -1)),),
    (AxisMap((-1, -1, 1), (-1, -1, 1)),),
    (AxisMap(PLUS, PLUS, (1, 2, 0)), AxisMap(PLUS, PLUS, (2, 0, 1))),
    (AxisMap((1, 1, -1), (1, 1, -1), (1, 0, 2)),),
)
"""Every one of the 24 right-handed frames is one turn or none of each line, one after another."""


def with_other_frames(statistics: Statistics, share: float, *, with_gyro: bool) -> Statistics:
    """The statistics, a share of which is replaced by their mean over all axis frames.

    Args:
        statistics: of activity features, not framed.
        share: 0 to 1, of the mean over the 24 right-handed frames.
        with_gyro: the layout.
    """
    sums, moments = statistics.sums, statistics.moments
    for moves in _turns(with_gyro):  # means of means: 5 turns instead of 23
        turned_sums = [sums[:, places] * signs for places, signs in moves]
        turned_moments = [moments[np.ix_(p, p)] * np.outer(signs, signs) for p, signs in moves]
        sums = sum(turned_sums, start=sums) / (1 + len(moves))
        moments = sum(turned_moments, start=moments) / (1 + len(moves))
    return replace(
        statistics,
        sums=(1 - share) * statistics.sums + share * sums,
        moments=(1 - share) * statistics.moments + share * moments,
    )


@lru_cache(maxsize=2)
def _turns(with_gyro: bool) -> list[list[tuple[Indices, Floats64]]]:
    """`TURNS` as the column that each feature is taken from, and its sign: (d,), (d,)."""
    used = used_columns(with_gyro)
    column_of = np.full(len(feature_names(with_gyro)), -1, dtype=np.intp)
    column_of[used] = np.arange(len(used))
    rhythm = len(used) + np.arange(PERIODICITY_FEATURES)  # the same in every frame
    ones = np.ones(PERIODICITY_FEATURES)

    def move(axis_map: AxisMap) -> tuple[Indices, Floats64]:
        """One turn, in the columns that activity models use: (d,), (d,)."""
        places, signs = feature_moves(with_gyro, axis_map)
        return (
            np.concatenate([column_of[places[used]], rhythm]),
            np.concatenate([signs[used].astype(np.float64), ones]),
        )

    return [[move(axis_map) for axis_map in turns] for turns in TURNS]
