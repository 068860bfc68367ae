"""From a wrist's samples to the centred, scaled, trimmed signal that is counted.

scipy's signal package takes 23 MB of memory, and nothing else that counts repetitions needs even
one. It is imported where it is used, with the first set, so that a service that nobody has asked to
count does without it.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import numpy as np

from models.arrays import Flags, Floats64
from models.reps.settings import RepsSettings

SHORTEST_S = 2.0
SPEED_HZ = 1.0
MOSTLY_STILL = 0.5  # at least .74 in 239 sets of 11 people


@dataclass(frozen=True, slots=True)
class Prepared:
    """A set ready for counting.

    Attributes:
        x: (n, 3) or (n, 6) centred and scaled sensors, acceleration first; no unit.
        moving: (n,) true where the wrist moves.
        rate_hz: samples a second of both.
        offset_s: time of row 0 after the first sample of the signal.
    """

    x: Floats64
    moving: Flags
    rate_hz: float
    offset_s: float

    @property
    def duration_s(self) -> float:
        """Length of the trimmed signal in seconds."""
        return len(self.x) / self.rate_hz


@lru_cache(maxsize=16)
def _second_order(cut_hz: float, rate_hz: float) -> Floats64:
    """Coefficients of the filter, kept: finding them takes as long as filtering half a minute."""
    from scipy.signal import butter  # see above

    return np.asarray(butter(2, cut_hz, fs=rate_hz, output="sos"))


def low_pass(x: Floats64, cut_hz: float, rate_hz: float) -> Floats64:
    """Smooth along axis 0 without delay (Butterworth, second order, forth and back).

    Args:
        x: (n, c) samples, any unit.
        cut_hz: frequency at which the gain is one half.
        rate_hz: sample rate of x.

    Returns:
        (n, c), same unit.
    """
    from scipy.signal import sosfiltfilt  # see above

    sos = _second_order(cut_hz, rate_hz)
    room = min(x.shape[0] - 1, round(1.5 * rate_hz / cut_hz))
    return np.asarray(sosfiltfilt(sos, x, axis=0, padtype="even", padlen=room))


def speed_of(acc_g: Floats64, gyro: Floats64 | None, rate_hz: float) -> Floats64:
    """How fast the wrist moves: rotation rate, or the change of acceleration without one.

    Args:
        acc_g: (n, 3) acceleration in g.
        gyro: (n, 3) rotation in rad/s, or None.
        rate_hz: sample rate.

    Returns:
        (n,) speed, rad/s with rotation and g/s without.
    """
    if gyro is not None:
        return np.linalg.norm(gyro, axis=1)
    return np.linalg.norm(np.gradient(acc_g, axis=0) * rate_hz, axis=1)


def scaled(sensor: Floats64, rate_hz: float, settings: RepsSettings) -> Floats64:
    """Centre by the median, scale by the typical distance from it, clip, unit total variance.

    Args:
        sensor: (n, 3), n ≥ 1, g or rad/s.
        rate_hz: sample rate.
        settings: the counter's constants.

    Returns:
        (n, 3), without unit.
    """
    x = sensor
    if len(x) / rate_hz > settings.trend_from_s:
        x = x - low_pass(x, settings.trend_hz, rate_hz)
    x = x - np.median(x, axis=0)
    length = np.linalg.norm(x, axis=1)
    x = x / max(float(np.median(length)), 1e-6)
    length = np.linalg.norm(x, axis=1)
    x = x * np.minimum(1.0, settings.clip / np.maximum(length, 1e-9))[:, None]
    x = x - x.mean(axis=0)
    return x / max(float(np.sqrt(x.var(axis=0).sum())), 1e-6)


def prepare(
    acc_g: Floats64, gyro: Floats64 | None, rate_hz: float, settings: RepsSettings
) -> Prepared | None:
    """Prepare one set for counting.

    Args:
        acc_g: (n, 3) acceleration in g, gravity included.
        gyro: (n, 3) rotation in rad/s, or None where the device has none.
        rate_hz: sample rate of both.
        settings: the counter's constants.

    Returns:
        The signal at `settings.work_rate_hz`, still edges cut off; None where there is less
        than two seconds of it or the wrist does not move.
    """
    if len(acc_g) < SHORTEST_S * rate_hz:
        return None
    step = max(1, round(rate_hz / settings.work_rate_hz))
    work_hz = rate_hz / step
    smooth = low_pass(acc_g, settings.smooth_hz, rate_hz)
    acc = smooth[::step]
    turn = None if gyro is None else low_pass(gyro, settings.smooth_hz, rate_hz)[::step]
    movement = _movement(acc_g - smooth, acc, turn, work_hz, settings)
    if movement is None:
        return None
    moving, sensors = movement
    first, last = edges(moving, round(settings.keep_edge_s * work_hz))
    if last - first < SHORTEST_S * work_hz:
        return None
    x = np.hstack([scaled(s[first:last], work_hz, settings) for s in sensors])
    return Prepared(x, moving[first:last], work_hz, first / work_hz)


def _movement(
    rough: Floats64, acc: Floats64, turn: Floats64 | None, rate_hz: float, settings: RepsSettings
) -> tuple[Flags, list[Floats64]] | None:
    """When a wrist moves, and the sensors that show it; None where none does.

    Hands on a bar that goes up and down hardly turn; then acceleration alone shows the movement. A
    set with long rests is still for most of its time; then a smaller share of it has to be fast.

    Args:
        rough: (m, 3) what smoothing took from acceleration, g.
        acc: (n, 3) g, smooth.
        turn: (n, 3) rad/s, smooth, or None.
        rate_hz: sample rate of the smooth ones.
        settings: the counter's constants.
    """
    if turn is None:
        seen = [_seen([acc], settings.least_g_per_s, rate_hz)]
    else:
        sure = settings.least_over_noise * float(np.abs(rough).mean())
        rotation = _seen([acc, turn], settings.least_rad_s, rate_hz)
        seen = [rotation, _seen([acc], max(settings.least_g_per_s, sure), rate_hz)]
    steadily = ((each, _typical(each.speed, each.least, settings.moving_share)) for each in seen)
    seldom = (
        (each, _typical(each.speed, 2 * each.least, settings.moving_share_clear))
        for each in seen[:1]
    )
    for each, typical in chain(steadily, seldom):
        if typical is not None:
            return each.speed > settings.still_share * typical, each.sensors
    return None


class _Seen(NamedTuple):
    """Movement as sensors see it.

    Attributes:
        sensors: (n, 3) each, g and rad/s.
        speed: (n,), rad/s with rotation and g/s without.
        least: speed from which on the wrist moves.
    """

    sensors: list[Floats64]
    speed: Floats64
    least: float


def _seen(sensors: list[Floats64], least: float, rate_hz: float) -> _Seen:
    acc_g, gyro = sensors[0], sensors[1] if len(sensors) > 1 else None
    speed = low_pass(speed_of(acc_g, gyro, rate_hz)[:, None], SPEED_HZ, rate_hz)[:, 0]
    return _Seen(sensors, speed, least)


def _typical(speed: Floats64, least: float, share: float) -> float | None:
    """The 60th percentile of speed, of the fast part alone where the rest is mostly stillness.

    None where less than `share` of it is as fast as `least`.

    >>> still, fast = np.full(70, 0.01), np.full(30, 2.0)
    >>> _typical(np.concatenate([still, fast]), 0.1, 0.15), _typical(still, 0.1, 0.15)
    (2.0, None)
    """
    fast = speed[speed >= least]
    if len(fast) < share * len(speed):
        return None
    of_all, of_fast = float(np.quantile(speed, 0.6)), float(np.quantile(fast, 0.6))
    return of_all if of_all >= MOSTLY_STILL * of_fast else of_fast


def edges(moving: Flags, keep: int) -> tuple[int, int]:
    """First and one past the last moving sample, `keep` still ones left on either side.

    >>> edges(np.array([False, False, False, True, True, False, False]), 1)
    (2, 6)
    """
    at = np.flatnonzero(moving)
    if not len(at):
        return 0, len(moving)
    return max(0, int(at[0]) - keep), min(len(moving), int(at[-1]) + 1 + keep)
