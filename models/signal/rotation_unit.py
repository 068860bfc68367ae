"""Corrects rotation whose unit is declared wrongly: deg/s as rad/s, and rad/s as deg/s.

The first is too fast for a wrist. The second is slow, as rotation often is, but a wrist that turns
takes gravity round in its own axes: dg/dt = -w × g. Rotation that is read as deg/s while it is
rad/s explains the direction of that change, and is 57 times too slow. In the same way mrad/s that
is read as deg/s is 17 times too fast. A short stretch, or one without turning, does not tell.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from models.arrays import Floats, Floats64
from models.signal.pieces import Piece, Recording, largest_value
from models.signal.runs import GaplessRun, longest_run
from models.signal.units import MAX_ROTATION_RAD_S, factor_of, in_unit, ninth_decile
from schemas.notes import UNIT_IMPLAUSIBLE, UNIT_WAS_DEG_S, UNIT_WAS_RAD_S, QualityNote

MIN_JUDGED_S = 20.0  # in less, a slow push of the hand may look like rotation by chance
SLOW_RANGE_RAD_S = (0.007, 0.17)
"""Ninth decile of rotation that may be 57 times too slow: with its factor it is .4 to 9.7 rad/s, as
in 239 sets."""
MIN_TIMES = 8.0  # by which gravity turns faster: between 1 and 57 in ratio
MIN_DECLARED = 20.0
"""Ninth decile, in rad/s as declared, of what is deg/s where gravity does not tell: in deg/s that
of 239 sets is at least as high. From 15 to 20 it may be either, and is not used."""
MAX_KEPT_RAD_S = math.radians(2000.0)  # the usual range of a gyroscope: up to it, units are kept
MAX_DECLARED = math.degrees(MAX_ROTATION_RAD_S)
"""Likewise the most: what is faster is so in deg/s, too, and must be told by gravity."""
MAX_TIMES = 0.18
"""By which gravity turns faster than rotation that is read as deg/s and is mrad/s:
.02 to .11 in the 153 of 335 recordings that turn it enough. In deg/s it is .29 to 1.9."""
MIN_CORRELATION = 0.6  # of gravity's turning with that which rotation explains
GRID_HZ = 25.0
MEAN_SAMPLES = 25  # of a moving average, a second: what is slower is gravity


def correct_rotation_unit(recording: Recording) -> tuple[Recording, tuple[QualityNote, ...]]:
    """The recording with rotation in its real unit, and the correction.

    Rotation that is too fast in either unit is left out; the same object where nothing was wrong.

    Args:
        recording: with true times.

    Raises:
        BadSamples: an unknown unit.
    """
    fast = judge_fast_rotation(recording, fast_rotation(recording.gyro))
    if fast == "deg/s":
        return _with_unit(recording, "deg/s"), (UNIT_WAS_DEG_S,)
    if fast == "implausible":
        return replace(recording, gyro=()), (UNIT_IMPLAUSIBLE,)
    if is_rad_labelled_deg(recording):
        return _with_unit(recording, "rad/s"), (UNIT_WAS_RAD_S,)
    return recording, ()


def fast_rotation(gyro: Sequence[Piece]) -> float:
    """The ninth decile of rotation by its declared unit, rad/s; 0 where no value is too fast.

    All pieces are judged together: a resting wrist does not tell.

    Raises:
        BadSamples: an unknown unit.
    """
    if all(
        largest_value(piece) * factor_of("gyro", piece.unit) * math.sqrt(3) <= MAX_ROTATION_RAD_S
        for piece in gyro
    ):
        return 0.0  # the usual case, decided in a tenth of the time
    return ninth_decile(np.concatenate([in_unit("gyro", piece) for piece in gyro]))


def judge_fast_rotation(
    recording: Recording, decile_rad_s: float
) -> Literal["deg/s", "implausible"] | None:
    """What rotation is that seems too fast for a wrist: in deg/s, in no known unit, or just fast.

    Rotation that is declared as rad/s is deg/s where gravity turns about as fast as that. Where
    gravity turns 57 times as fast, it is honest; where far more slowly, it is mrad/s. Where gravity
    does not tell, it is deg/s if it is plausible as that and not as rad/s, and else not used.

    Args:
        recording: both streams.
        decile_rad_s: `fast_rotation` of its gyroscope.

    Returns:
        None where the declared unit stays.
    """
    if decile_rad_s <= MAX_ROTATION_RAD_S:
        return None
    fast = "implausible" if decile_rad_s > MAX_KEPT_RAD_S else None
    degrees = _with_unit(recording, "deg/s").gyro
    acc, gyro = longest_run("acc", recording.acc), longest_run("gyro", degrees)
    times, correlation = (0.0, 0.0) if acc is None or gyro is None else _turning(acc, gyro)
    gravity_tells = correlation > MIN_CORRELATION
    if gravity_tells and times <= MAX_TIMES:
        return "implausible"
    if any(piece.unit != "rad/s" for piece in recording.gyro):
        return fast
    if gravity_tells:
        is_deg = times <= MIN_TIMES and math.radians(decile_rad_s) <= MAX_KEPT_RAD_S
        return "deg/s" if is_deg else fast
    return "deg/s" if MIN_DECLARED < decile_rad_s <= MAX_DECLARED else "implausible"


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
    acc, gyro = longest_run("acc", recording.acc), longest_run("gyro", recording.gyro)
    if acc is None or gyro is None or gyro.t_s[-1] < MIN_JUDGED_S:
        return False
    slowest, fastest = SLOW_RANGE_RAD_S
    if not slowest < ninth_decile(gyro.values) < fastest:
        return False
    times, correlation = _turning(acc, gyro)
    return times > MIN_TIMES and correlation > MIN_CORRELATION


def _with_unit(recording: Recording, unit: str) -> Recording:
    return replace(recording, gyro=tuple(replace(piece, unit=unit) for piece in recording.gyro))


def _turning(acc: GaplessRun, gyro: GaplessRun) -> tuple[float, float]:
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
