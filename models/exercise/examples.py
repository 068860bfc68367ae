"""From a labelled set to its statistics: overlapping windows and slightly turned copies of them.

A strap sits a little different every day; a few degrees of turn teach the model not to care.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.exercise.channels import MIRROR_ACC, MIRROR_GYRO, mirrored
from models.exercise.features import FEATURES_VERSION, cut_windows, features
from models.exercise.statistics import Statistics, statistics_of, total
from models.signal.windows import STEP_S, window_starts
from models.signal.wrist import WristSignal
from schemas.errors import NotEnoughLabels

Array = NDArray[np.floating]  # float32 throughout; numpy's stubs lose the width
TOGETHER = 16  # sets at once: 2,000 windows are 10 MB


@dataclass(frozen=True, slots=True)
class ExampleSettings:
    """How windows are taken from a labelled set.

    Attributes:
        step_s: seconds between the windows that are learned from.
        copies: turned copies of each.
        turn_deg: standard deviation of the turn around x, y, z.
    """

    step_s: float = 1.0
    copies: int = 1
    turn_deg: tuple[float, float, float] = (10.0, 6.0, 6.0)


@dataclass(frozen=True, slots=True)
class SetWindows:
    """What is learned from one labelled set.

    Attributes:
        side: the wrist, "unknown" where nobody said.
        window_s: seconds of movement that each row stands for.
        asked: how many rows, from the first on, are the windows that a service would answer for.
        x: float32 (m, d), features: windows every second, those between them, turned copies.
    """

    side: str
    window_s: float
    asked: int
    x: Array

    @property
    def total_s(self) -> float:
        """Seconds of movement in all."""
        return len(self.x) * self.window_s


Cut = tuple[Array, Array | None]  # windows of both sensors, float32 (m, 3, 200) each


def windows_of_sets(
    sets: Sequence[tuple[Sequence[WristSignal], int]], settings: ExampleSettings | None = None
) -> list[SetWindows]:
    """Windows of many sets, computed together: small batches cost twice as much.

    Args:
        sets: signals of one layout, and the seed of the turns of each set; the same set and seed
            give the same windows, whatever sets are beside it.
        settings: how windows are taken.

    Returns:
        as many; without rows where no stretch of a set is as long as a window (4 s). Rows that are
        not finite are left out.
    """
    settings = settings or ExampleSettings()
    found: list[SetWindows] = []
    for first in range(0, len(sets), TOGETHER):
        found += _together(sets[first : first + TOGETHER], settings)
    return found


def set_windows(
    signals: Sequence[WristSignal], *, seed: int, settings: ExampleSettings | None = None
) -> SetWindows:
    """Windows of one set; see `windows_of_sets`."""
    return windows_of_sets([(signals, seed)], settings)[0]


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
    found = set_windows(signals, seed=seed, settings=settings)
    if not len(found.x):
        longest = max((s.duration_s for s in signals), default=0.0)
        raise NotEnoughLabels(
            f"a set of {exercise!r} is too short: its longest stretch is {longest:.1f} s, "
            f"a window of {FEATURES_VERSION} takes 4 s"
        )
    return statistics_of(found.x, exercise, found.side, found.window_s)


def statistics_of_sets(named: Sequence[tuple[str, SetWindows]]) -> Statistics:
    """Sufficient statistics of many sets: on Spark's executors and in the protocols alike.

    Windows of one exercise and side are put together before they are summed: the order of a sum
    decides its last bits.

    Args:
        named: exercise and windows of every set, in a fixed order.

    Raises:
        NotEnoughLabels: none of them is as long as a window.
    """
    groups: dict[tuple[str, str, float], list[Array]] = {}
    for exercise, windows in named:
        if len(windows.x):
            groups.setdefault((exercise, windows.side, windows.window_s), []).append(windows.x)
    if not groups:
        raise NotEnoughLabels(f"none of {len(named)} labelled sets is as long as a window")
    return total([statistics_of(np.concatenate(groups[key]), *key) for key in sorted(groups)])


def _together(
    sets: Sequence[tuple[Sequence[WristSignal], int]], settings: ExampleSettings
) -> list[SetWindows]:
    cuts = [_cuts(signals, seed, settings) for signals, seed in sets]
    parts = [part for plain, between, copies in cuts for part in (*plain, *between, *copies)]
    x = _features(parts)
    window_s = settings.step_s / (1 + settings.copies)
    found: list[SetWindows] = []
    first = 0
    for (signals, _), (plain, between, copies) in zip(sets, cuts, strict=True):
        asked = sum(len(acc) for acc, _ in plain)
        end = first + asked + sum(len(acc) for acc, _ in (*between, *copies))
        rows = x[first:end]
        finite = np.atleast_1d(np.isfinite(rows).all(axis=1))
        side = next((s.side for s in signals if s.side), None) or "unknown"
        found.append(SetWindows(side, window_s, int(finite[:asked].sum()), rows[finite]))
        first = end
    return found


def _features(parts: Sequence[Cut]) -> Array:
    if not parts:
        return np.empty((0, 0), dtype=np.float32)
    acc = np.concatenate([acc for acc, _ in parts])
    gyros = [gyro for _, gyro in parts if gyro is not None]
    return features(acc, np.concatenate(gyros) if gyros else None)


def _cuts(
    signals: Sequence[WristSignal], seed: int, settings: ExampleSettings
) -> tuple[list[Cut], list[Cut], list[Cut]]:
    """Windows every second, those between them, and turned copies of all."""
    rng = np.random.default_rng(seed)
    every = max(1, round(STEP_S / settings.step_s))
    plain: list[Cut] = []
    between: list[Cut] = []
    copies: list[Cut] = []
    for signal in signals:
        starts = window_starts(len(signal.acc_g), settings.step_s)
        acc = cut_windows(mirrored(signal.acc_g, MIRROR_ACC, signal.side), starts)
        gyro = None
        if signal.gyro_rad_s is not None:
            gyro = cut_windows(mirrored(signal.gyro_rad_s, MIRROR_GYRO, signal.side), starts)
        whole = np.arange(len(starts)) % every == 0
        plain.append((acc[whole], None if gyro is None else gyro[whole]))
        between.append((acc[~whole], None if gyro is None else gyro[~whole]))
        for _ in range(settings.copies):
            turns = rotations(rng.normal(0, settings.turn_deg, (len(starts), 3)))
            copies.append((turns @ acc, None if gyro is None else turns @ gyro))
    return plain, between, copies


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
