"""Curls whose repetitions are known."""

import math

import numpy as np
from numpy.typing import NDArray

from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal

SECOND_NS = 1_000_000_000


def raised(t: NDArray[np.float64], period_s: float, pause_s: float) -> NDArray[np.float64]:
    """Arm angle 0..1: up and down within `period_s`, then `pause_s` at rest, again and again."""
    place = np.mod(t, period_s + pause_s) / period_s
    return np.where(place < 1, 0.5 - 0.5 * np.cos(2 * math.pi * np.minimum(place, 1)), 0.0)


def curl(
    count: int,
    *,
    period_s: float = 2.0,
    swing_rad: float = 1.5,
    pause_s: float = 0.0,
    rest_s: float = 2.0,
    noise: float = 0.01,
    seed: int = 0,
) -> WristSignal:
    """A forearm that swings `count` times about one axis, at rest before and after.

    Acceleration is gravity turned by the angle, rotation is the angle's derivative: physics, so
    the two sensors agree. A small twist makes the way up differ from the way down, as in life.
    """
    active_s = count * (period_s + pause_s)
    t = np.arange(round((active_s + 2 * rest_s) * RATE_HZ)) / RATE_HZ
    inside = (t >= rest_s) & (t < rest_s + active_s)
    lift = np.where(inside, raised(t - rest_s, period_s, pause_s), 0.0) * swing_rad
    twist = 0.3 * np.gradient(lift) * RATE_HZ / swing_rad
    acc = np.column_stack(
        [np.sin(lift) * np.cos(twist), np.sin(lift) * np.sin(twist), np.cos(lift)]
    )
    gyro = np.column_stack([np.gradient(lift), np.gradient(twist), 0 * t]) * RATE_HZ
    rng = np.random.default_rng(seed)
    acc += rng.normal(0, noise, acc.shape)
    gyro += rng.normal(0, 3 * noise, gyro.shape)
    return WristSignal(0, acc.astype(np.float32), gyro.astype(np.float32), "left")
