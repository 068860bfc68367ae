"""Training windows of a labelled set: overlapping windows, augmented by slightly rotated copies.

A strap sits a little different every day; copies rotated by a few degrees make the model robust to
that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Flags, Floats32, Floats64, Indices
from models.exercise.features import FEATURES_VERSION, cut_signal
from models.exercise.kernel import features
from models.exercise.statistics import Statistics, statistics_of
from models.signal.windows import STEP_S, WINDOW
from models.signal.wrist import WristSignal
from schemas.errors import NotEnoughLabels

NO_WINDOW = np.empty((0, 3, WINDOW), dtype=np.float32)
MAX_ROWS = 2400
"""Most windows and copies of one set: those of 20 minutes with the settings of `conf.yaml`, 600 kB
when stored. A set may last six hours; Cassandra takes no cell of 8 MB, and no single set should
weigh as much as all the others."""


@dataclass(frozen=True, slots=True)
class ExampleSettings:
    """How windows are taken from a labelled set.

    Attributes:
        step_s: seconds between training windows.
        copies: rotated copies of each.
        turn_deg: standard deviation of the rotation around x, y, z.
    """

    step_s: float = 1.0
    copies: int = 1
    turn_deg: tuple[float, float, float] = (10.0, 6.0, 6.0)


DEFAULT_EXAMPLES = ExampleSettings()


@dataclass(frozen=True, slots=True)
class SetWindows:
    """The training windows of one labelled set.

    Attributes:
        side: the wrist, "unknown" where it is not known.
        window_s: seconds of movement that each row stands for.
        evaluation_rows: how many rows, from the first on, are windows as the service takes them,
            one a second; models are evaluated on these.
        x: float32 (m, d), features: windows every second, those between them, rotated copies.
    """

    side: str
    window_s: float
    evaluation_rows: int
    x: Floats32


@dataclass(frozen=True, slots=True)
class _CutSet:
    """A set's windows before their features.

    Attributes:
        side: the wrist, "unknown" where it is not known.
        acc, gyro: float32 (m, 3, 200) each; gyro None where only acceleration was recorded.
        whole: (m,), whether a window begins at a whole second of its signal.
        turns_deg: (k, m, 3), rotation of the copies around x, y, z.
    """

    side: str
    acc: Floats32
    gyro: Floats32 | None
    whole: Flags
    turns_deg: Floats64


def set_windows(
    signals: Sequence[WristSignal], *, seed: int, settings: ExampleSettings = DEFAULT_EXAMPLES
) -> SetWindows:
    """Windows of one set.

    Args:
        signals: the set's signals, all of one layout.
        seed: of the rotations; the same set and seed give the same windows.
        settings: how windows are taken.

    Returns:
        without rows where no stretch of the set is as long as a window (4 s). Rows that are not
        finite are left out. A set of more than `MAX_ROWS` is thinned evenly from its begin to its
        end.
    """
    cut = _cut(signals, seed, settings)
    originals = features(cut.acc, cut.gyro)
    copies = [
        _rotated_features(cut, originals, rotations(turns_deg)) for turns_deg in cut.turns_deg
    ]
    rows = np.concatenate([originals[cut.whole], originals[~cut.whole], *copies])
    finite = np.atleast_1d(np.isfinite(rows).all(axis=1))
    evaluation_rows = int(finite[: cut.whole.sum()].sum())
    window_s = settings.step_s / (1 + settings.copies)
    return SetWindows(cut.side, window_s, evaluation_rows, rows[finite])


def set_statistics(
    signals: Sequence[WristSignal],
    exercise: str,
    *,
    seed: int,
    settings: ExampleSettings = DEFAULT_EXAMPLES,
) -> Statistics:
    """Statistics of one labelled set.

    Args:
        signals: the set's signals, all of one layout.
        exercise: its name.
        seed: of the rotations; the same set and seed give the same statistics.
        settings: how windows are taken.

    Raises:
        NotEnoughLabels: no stretch of the set is as long as a window (4 s).
    """
    windows = set_windows(signals, seed=seed, settings=settings)
    if not len(windows.x):
        longest = max((s.duration_s for s in signals), default=0.0)
        raise NotEnoughLabels(
            f"a set of {exercise!r} is too short: its longest stretch is {longest:.1f} s, "
            f"a window of {FEATURES_VERSION} takes 4 s"
        )
    return statistics_of(windows.x, exercise, windows.side, windows.window_s)


def _rotated_features(cut: _CutSet, originals: Floats32, turns: Floats32) -> Floats32:
    """Features of a set's windows rotated by matrices (m, 3, 3)."""
    return features(turns @ cut.acc, None if cut.gyro is None else turns @ cut.gyro, originals)


def _cut(signals: Sequence[WristSignal], seed: int, settings: ExampleSettings) -> _CutSet:
    """The windows of a set; signals that are too short for one are left out."""
    rng = np.random.default_rng(seed)
    every = max(1, round(STEP_S / settings.step_s))
    cuts = [cut_signal(signal, settings.step_s) for signal in signals]
    gyros = [cut.gyro for cut in cuts if cut.gyro is not None and len(cut.acc)]
    turns_deg = [
        rng.normal(0, settings.turn_deg, (settings.copies, len(cut.acc), 3)) for cut in cuts
    ]
    whole = np.concatenate(
        [np.empty(0, bool), *(_on_whole_seconds(len(cut.acc), every) for cut in cuts)]
    )
    chosen = evenly_thinned(whole, MAX_ROWS // (every * (1 + settings.copies)))
    return _CutSet(
        next((s.side for s in signals if s.side), None) or "unknown",
        np.concatenate([NO_WINDOW, *(cut.acc for cut in cuts)])[chosen],
        np.concatenate(gyros)[chosen] if gyros else None,
        whole[chosen],
        np.concatenate([np.empty((settings.copies, 0, 3)), *turns_deg], axis=1)[:, chosen],
    )


def _on_whole_seconds(n: int, every: int) -> Flags:
    return np.arange(n) % every == 0


def evenly_thinned(whole: Flags, max_seconds: int) -> slice | Indices:
    """Which windows of a set to use: all, or those of `max_seconds` evenly spaced seconds.

    Args:
        whole: (m,), which windows begin a second; the windows behind one go with it.
        max_seconds: at least one second is taken.

    >>> evenly_thinned(np.array([True, False] * 3), 3)
    slice(None, None, None)
    >>> evenly_thinned(np.array([True, False] * 5), 2).tolist()
    [0, 1, 8, 9]
    """
    seconds = int(whole.sum())
    if seconds <= max(1, max_seconds):
        return slice(None)
    chosen = np.rint(np.linspace(0, seconds - 1, max(1, max_seconds))).astype(np.int64)
    return np.flatnonzero(np.isin(np.cumsum(whole) - 1, chosen))


def rotations(degrees: Floats64) -> Floats32:
    """Rotation matrices, float32 (m, 3, 3), around x, then y, then z.

    >>> turned = rotations(np.array([[90.0, 0.0, 0.0]])) @ np.array([0, 1, 0], np.float32)
    >>> np.round(turned).tolist()
    [[0.0, 0.0, 1.0]]
    """
    radians = np.deg2rad(degrees.T)
    (cx, cy, cz), (sx, sy, sz) = np.cos(radians), np.sin(radians)
    rows = (
        (cy * cz, sx * sy * cz - cx * sz, cx * sy * cz + sx * sz),
        (cy * sz, sx * sy * sz + cx * cz, cx * sy * sz - sx * cz),
        (-sy, sx * cy, cx * cy),
    )
    return np.stack([np.stack(row, axis=1) for row in rows], axis=1).astype(np.float32)
