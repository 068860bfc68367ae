"""Rotation that a resting gyroscope reports: bare sensors are off by up to .5 rad/s."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from models.arrays import Flags, Floats32, Floats64, Ints64
from models.signal.pieces import Piece, Recording
from models.signal.timing import GaplessRun, runs
from models.signal.units import factor_of
from schemas.times import NS_PER_S

HAD_OFFSET = "rotation-had-an-offset"
MIN_JUDGED_S = 20.0  # a question about a set holds no rest, and need not be searched for it
QUIET_G = 0.01  # deviation of acceleration within a second at rest: on a table, or a hand in a lap
QUIET_RAD_S = 0.03  # likewise of rotation
MIN_QUIET = 3  # such seconds; fewer may be a slow and steady turn
MIN_AGREEING = 0.9  # of them: that are as far off as the others, within `QUIET_RAD_S`
MIN_OFFSET_RAD_S = 0.03  # smaller ones are left: in 335 recordings rest is off by less than .01


def without_offset(recording: Recording) -> Recording:
    """The recording without what its gyroscope reports at rest, in whole counts.

    The offset is the median of rotation over the seconds in which neither sensor shows movement.
    Rotation that does not change at all has none: it is stuck. A recording without rest, such as
    a set by itself, does not tell, nor is one of less than 20 s searched.

    Args:
        recording: with correct units and times.

    Returns:
        the same object where there is no offset.

    Raises:
        BadSamples: an unknown unit, or a rate or scale that is no usable number.
    """
    offset_rad_s = _offset_rad_s(recording)
    if offset_rad_s is None or np.linalg.norm(offset_rad_s) <= MIN_OFFSET_RAD_S:
        return recording
    return replace(recording, gyro=tuple(_levelled(p, offset_rad_s) for p in recording.gyro))


def _levelled(piece: Piece, offset_rad_s: Floats64) -> Piece:
    step_rad_s = piece.scale * factor_of("gyro", piece.unit)
    counts = piece.counts - np.rint(offset_rad_s / step_rad_s)
    limits = np.iinfo(np.int16)
    return replace(piece, counts=np.clip(counts, limits.min, limits.max).astype(np.int16))


def _offset_rad_s(recording: Recording) -> Floats64 | None:
    """(3,) the rotation of a resting wrist; None where none rests, or rest is not the same."""
    if not recording.gyro:
        return None
    reach_ns = max(p.end_ns for p in recording.gyro) - min(p.t0_ns for p in recording.gyro)
    if reach_ns < MIN_JUDGED_S * NS_PER_S:
        return None
    rotation = [_seconds(run) for run in runs("gyro", recording.gyro)]
    calm = [_is_calm(seconds) for seconds in rotation]
    if sum(map(np.count_nonzero, calm)) < MIN_QUIET:
        return None  # the usual case of a set, decided before acceleration is read
    acc = [_seconds(run) for run in runs("acc", recording.acc)]
    both = zip(rotation, calm, strict=True)
    quiet = [seconds.values[is_calm & _rests(seconds.start_ns, acc)] for seconds, is_calm in both]
    values = np.concatenate(quiet)
    if len(values) < MIN_QUIET:
        return None
    offset = np.median(values.reshape(-1, 3), axis=0).astype(np.float64)
    off = np.linalg.norm(values.mean(axis=1) - offset, axis=1)
    return offset if (off <= QUIET_RAD_S).mean() >= MIN_AGREEING else None


class _Seconds(NamedTuple):
    """A run in parts of about a second.

    Attributes:
        start_ns: (m,) when each begins.
        values: (m, n, 3).
        deviation: (m,) of all axes together.
    """

    start_ns: Ints64
    values: Floats32
    deviation: Floats32


def _seconds(run: GaplessRun) -> _Seconds:
    rows = len(run.t_s)
    n = max(1, round((rows - 1) / run.t_s[-1])) if rows > 1 else 1
    values = run.values[: rows // n * n].reshape(-1, n, 3)
    start_ns = run.t0_ns + np.rint(run.t_s[: len(values) * n : n] * NS_PER_S).astype(np.int64)
    return _Seconds(start_ns, values, np.sqrt(values.var(axis=1).sum(axis=1)))


def _is_calm(rotation: _Seconds) -> Flags:
    """(m,) which seconds show no turning, but the noise that a sensor at rest has."""
    calm = rotation.deviation < QUIET_RAD_S
    calm[calm] = (rotation.values[calm] != rotation.values[calm, :1]).any(axis=(1, 2))
    return calm


def _rests(start_ns: Ints64, acc: Sequence[_Seconds]) -> Flags:
    """(m,) whether acceleration is quiet in both seconds that each of (m,) seconds lies in."""
    if not acc:
        return np.zeros(len(start_ns), dtype=np.bool_)
    begins_ns = np.concatenate([seconds.start_ns for seconds in acc])
    quiet = np.concatenate([seconds.deviation for seconds in acc]) < QUIET_G
    first = begins_ns.searchsorted(start_ns, side="right") - 1
    last = begins_ns.searchsorted(start_ns + NS_PER_S, side="left") - 1
    near = (first >= 0) & (start_ns - begins_ns[first] < 2 * NS_PER_S)  # not in a loss
    return near & quiet[first] & quiet[last]
