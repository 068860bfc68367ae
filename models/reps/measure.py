"""What one repetition was like: range, peak speed, pause."""

from dataclasses import dataclass, replace

import numpy as np

from models.arrays import Flags, Floats64
from models.reps.prepare import low_pass

GRAVITY_HZ = 1.0
SPEED_HZ = 5.0
STILL_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition of a set.

    Attributes:
        start_s, end_s: seconds after the first sample of the signal.
        range_rad: largest tilt of the forearm away from where the repetition began.
        peak_speed: fastest rotation, rad/s; without a gyroscope the fastest change of tilt.
        pause_s: seconds of stillness from its beginning to the beginning of the next one.
    """

    start_s: float
    end_s: float
    range_rad: float
    peak_speed: float
    pause_s: float

    @property
    def duration_s(self) -> float:
        """Seconds from start to end.

        >>> Repetition(1.0, 3.5, 0.8, 2.0, 0.1).duration_s
        2.5
        """
        return self.end_s - self.start_s

    def later(self, seconds: float) -> "Repetition":
        """The same repetition on a clock that started earlier."""
        return replace(self, start_s=self.start_s + seconds, end_s=self.end_s + seconds)


def tilt(acc_g: Floats64, rate_hz: float) -> Floats64:
    """(n, 3) unit vectors of gravity as the wrist feels it."""
    slow = low_pass(acc_g, GRAVITY_HZ, rate_hz)
    return slow / np.maximum(np.linalg.norm(slow, axis=1), 1e-6)[:, None]


def angles_from(directions: Floats64, origin: Floats64) -> Floats64:
    """(n,) angle in rad between each unit vector and `origin`.

    >>> angles_from(np.eye(3), np.array([1.0, 0.0, 0.0])).round(4).tolist()
    [0.0, 1.5708, 1.5708]
    """
    return np.arccos(np.clip(directions @ origin, -1.0, 1.0))


def rotation_speed(acc_g: Floats64, gyro: Floats64 | None, rate_hz: float) -> Floats64:
    """(n,) rotation in rad/s: measured, or of gravity's direction where there is no gyroscope."""
    if gyro is not None:
        return np.linalg.norm(low_pass(gyro, SPEED_HZ, rate_hz), axis=1)
    return np.linalg.norm(np.gradient(tilt(acc_g, rate_hz), axis=0) * rate_hz, axis=1)


def measured(
    acc_g: Floats64, gyro: Floats64 | None, rate_hz: float, spans_s: list[tuple[float, float]]
) -> tuple[Repetition, ...]:
    """Measure every repetition of a set.

    Args:
        acc_g: (n, 3) acceleration in g, gravity included.
        gyro: (n, 3) rotation in rad/s or None.
        rate_hz: sample rate of both.
        spans_s: start and end of each repetition in seconds, in order.
    """
    directions = tilt(acc_g, rate_hz)
    speed = rotation_speed(acc_g, gyro, rate_hz)
    cuts = [(frame(a, rate_hz, len(speed)), frame(b, rate_hz, len(speed))) for a, b in spans_s]
    peaks = [float(speed[a : max(b, a + 1)].max()) for a, b in cuts]
    still: Flags = speed < STILL_SHARE * float(np.median(peaks)) if peaks else speed < 0
    nexts = [a for a, _ in cuts[1:]] + [b for _, b in cuts[-1:]]
    return tuple(
        Repetition(
            start_s,
            end_s,
            float(angles_from(directions[a : max(b, a + 1)], directions[a]).max()),
            peak,
            float(still[a:after].sum()) / rate_hz,
        )
        for (start_s, end_s), (a, b), peak, after in zip(spans_s, cuts, peaks, nexts, strict=True)
    )


def frame(at_s: float, rate_hz: float, n: int) -> int:
    """Index of the sample at a time, within the signal."""
    return min(max(round(at_s * rate_hz), 0), n - 1)
