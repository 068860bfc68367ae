"""From a labelled set to its statistics: overlapping windows and slightly turned copies of them.

A strap sits a little different every day; a few degrees of turn teach the model not to care.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.exercise.channels import MIRROR_ACC, MIRROR_GYRO, mirrored
from models.exercise.features import FEATURES_VERSION, cut_windows, features
from models.exercise.statistics import Statistics, statistics_of, total
from models.signal.windows import window_starts
from models.signal.wrist import WristSignal
from schemas.errors import NotEnoughLabels

Array = NDArray[np.floating]  # float32 throughout; numpy's stubs lose the width


@dataclass(frozen=True, slots=True)
class ExampleSettings:
    """How windows are taken from a labelled set.

    Attributes:
        step_s: seconds between the windows that are learned from.
        copies: turned copies of each.
        turn_deg: standard deviation of the turn around x, y, z.
    """

    step_s: float = 0.25
    copies: int = 1
    turn_deg: tuple[float, float, float] = (10.0, 6.0, 6.0)


def set_statistics(
    signals: Sequence[WristSignal],
    exercise: str,
    *,
    seed: int,
    settings: ExampleSettings | None = None,
) -> Statistics:
    """Statistics of one labelled set.

    Args:
        signals: the set's signals, all of one layout.
        exercise: its name.
        seed: of the turns; the same set and seed give the same statistics.
        settings: how windows are taken.

    Raises:
        NotEnoughLabels: no stretch of the set is as long as a window (4 s).
    """
    settings = settings or ExampleSettings()
    rng = np.random.default_rng(seed)
    window_s = settings.step_s / (1 + settings.copies)
    parts = [
        statistics_of(x, exercise, signal.side, window_s)
        for signal in signals
        for x in _with_copies(signal, settings, rng)
        if len(x)
    ]
    if not parts:
        longest = max((s.duration_s for s in signals), default=0.0)
        raise NotEnoughLabels(
            f"a set of {exercise!r} is too short: its longest stretch is {longest:.1f} s, "
            f"a window of {FEATURES_VERSION} takes 4 s"
        )
    return total(parts)


def _with_copies(
    signal: WristSignal, settings: ExampleSettings, rng: np.random.Generator
) -> Iterator[Array]:
    starts = window_starts(len(signal.acc_g), settings.step_s)
    acc = cut_windows(mirrored(signal.acc_g, MIRROR_ACC, signal.side), starts)
    gyro = None
    if signal.gyro_rad_s is not None:
        gyro = cut_windows(mirrored(signal.gyro_rad_s, MIRROR_GYRO, signal.side), starts)
    yield features(acc, gyro)
    for _ in range(settings.copies):
        turns = rotations(rng.normal(0, settings.turn_deg, (len(starts), 3)))
        yield features(turns @ acc, None if gyro is None else turns @ gyro)


def rotations(degrees: NDArray[np.float64]) -> Array:
    """Rotation matrices, float32 (m, 3, 3), of turns around x, then y, then z.

    >>> turned = rotations(np.array([[90.0, 0.0, 0.0]])) @ np.array([0, 1, 0], np.float32)
    >>> np.round(turned).tolist()
    [[0.0, 0.0, 1.0]]
    """
    found = np.broadcast_to(np.eye(3), (len(degrees), 3, 3))
    for axis in range(3):
        angle = np.deg2rad(degrees[:, axis])
        i, j = (axis + 1) % 3, (axis + 2) % 3
        turn = np.tile(np.eye(3), (len(degrees), 1, 1))
        turn[:, i, i] = turn[:, j, j] = np.cos(angle)
        turn[:, j, i] = np.sin(angle)
        turn[:, i, j] = -turn[:, j, i]
        found = turn @ found
    return found.astype(np.float32)
