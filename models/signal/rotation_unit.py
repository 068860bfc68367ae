"""Detects rotation whose unit is declared wrongly: deg/s as rad/s, and rad/s as deg/s.

The first is too fast for a wrist. The second is slow, as rotation often is, but a wrist that turns
takes gravity round in its own axes: dg/dt = -w × g. Rotation that is read as deg/s while it is
rad/s explains the direction of that change, and is 57 times too slow.
"""

import math
from collections.abc import Iterable

import numpy as np

from models.arrays import Floats, Floats64
from models.signal.pieces import Piece, Recording, largest_value
from models.signal.timing import GaplessRun, in_unit, runs
from models.signal.units import MAX_ROTATION_RAD_S, detect_degrees

MIN_JUDGED_S = 20.0  # in less, a slow push of the hand may look like rotation by chance
SLOW_RANGE_RAD_S = (0.007, 0.17)
"""Ninth decile of rotation that may be 57 times too slow: with its factor it is .4 to 9.7 rad/s, as
in 239 sets."""
MIN_TIMES = 8.0  # by which gravity turns faster: between 1 and 57 in ratio
MIN_CORRELATION = 0.6  # of gravity's turning with that which rotation explains
GRID_HZ = 25.0
MEAN_SAMPLES = 25  # of a moving average, a second: what is slower is gravity


def is_deg_labelled_rad(gyro: tuple[Piece, ...]) -> bool:
    """Whether values declared as rad/s are deg/s, by all of them: a resting wrist does not tell."""
    if any(piece.unit != "rad/s" for piece in gyro):
        return False
    if all(largest_value(piece) * math.sqrt(3) <= MAX_ROTATION_RAD_S for piece in gyro):
        return False  # the usual case, decided in a tenth of the time
    return detect_degrees(np.concatenate([in_unit("gyro", piece) for piece in gyro]))


def is_rad_labelled_deg(recording: Recording) -> bool:
    """Whether rotation that is declared as deg/s is in rad/s.

    Judged by the longest stretch of both sensors. A wrist that rests does not tell, nor do fewer
    than 20 s: then the declared unit stays.
    """
    if not recording.gyro or any(piece.unit != "deg/s" for piece in recording.gyro):
        return False
    reach_ns = max(p.end_ns for p in recording.gyro) - min(p.t0_ns for p in recording.gyro)
    if reach_ns < MIN_JUDGED_S * 1e9:
        return False  # the usual case of a single question, decided before any sample is read
    acc, gyro = _longest(runs("acc", recording.acc)), _longest(runs("gyro", recording.gyro))
    if acc is None or gyro is None or gyro.t_s[-1] < MIN_JUDGED_S:
        return False
    speeds = np.sort(np.vecdot(gyro.values, gyro.values))
    slowest, fastest = SLOW_RANGE_RAD_S
    if not slowest**2 < speeds[len(speeds) * 9 // 10] < fastest**2:
        return False
    times, correlation = _gravity_over_rotation(acc, gyro)
    return times > MIN_TIMES and correlation > MIN_CORRELATION


def _longest(parts: Iterable[GaplessRun]) -> GaplessRun | None:
    return max(parts, key=lambda run: len(run.t_s), default=None)


def _gravity_over_rotation(acc: GaplessRun, gyro: GaplessRun) -> tuple[float, float]:
    """How many times faster gravity turns than rotation explains, and how alike the two are.

    Both without a sign, which depends on whether the device's axes are right-handed. Zeros where
    the sensors share less than `MIN_JUDGED_S`, or nothing turns.
    """
    late_s = (gyro.t0_ns - acc.t0_ns) / 1e9
    start_s, end_s = max(0.0, late_s), min(acc.t_s[-1], gyro.t_s[-1] + late_s)
    if end_s - start_s < MIN_JUDGED_S:
        return 0.0, 0.0
    at_s = np.arange(start_s, end_s, 1 / GRID_HZ)
    gravity = _smooth(at_s, acc.t_s, acc.values)
    gravity /= np.maximum(np.linalg.norm(gravity, axis=1, keepdims=True), 1e-6)
    turning = np.gradient(gravity, axis=0) * GRID_HZ
    explained = -np.cross(_smooth(at_s, gyro.t_s + late_s, gyro.values), gravity)
    both = float((turning * explained).sum())
    own = float((explained**2).sum())
    size = float(np.sqrt((turning**2).sum() * own))
    return (abs(both) / own, abs(both) / size) if size > 0 else (0.0, 0.0)


def _smooth(at_s: Floats64, t_s: Floats64, values: Floats) -> Floats64:
    """A stream (n, 3) at other times (m,), averaged over a second; (m - 24, 3)."""
    box = np.ones(MEAN_SAMPLES) / MEAN_SAMPLES
    columns = [np.convolve(np.interp(at_s, t_s, x), box, mode="valid") for x in values.T]
    return np.stack(columns, axis=1, dtype=np.float64)
