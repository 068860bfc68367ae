"""Synthetic sessions for tests of activity: idle time and sets whose borders are known."""

import math

import numpy as np
from numpy.typing import NDArray

from models.activity.evaluate import (
    ActivityRecording,
)
from models.activity.examples import ActivityExample, activity_examples
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal
from schemas.inputs import ACC3, ACC6

NS = 1_000_000_000


def idle_rows(seconds: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A drifting posture; (n, 6)."""
    n = round(seconds * RATE_HZ)
    knots = max(3, int(seconds / 3) + 2)
    tilt = np.interp(np.arange(n), np.linspace(0, n, knots), rng.uniform(-0.8, 0.8, knots))
    roll = np.interp(np.arange(n), np.linspace(0, n, knots), rng.uniform(-0.8, 0.8, knots))
    return felt(tilt, roll, rng)


def set_rows(seconds: float, period_s: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Repetitions of one period; (n, 6)."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    lift = 0.8 * (1 - np.cos(2 * math.pi * t / period_s))
    return felt(lift, 0.3 * np.sin(2 * math.pi * t / period_s), rng)


def felt(
    tilt: NDArray[np.float64], roll: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Sensor values in this posture: turned gravity, its derivative as rotation, and noise."""
    acc = [np.sin(tilt), np.cos(tilt) * np.sin(roll), np.cos(tilt) * np.cos(roll)]
    gyro = [np.gradient(roll) * RATE_HZ, np.gradient(tilt) * RATE_HZ, np.zeros(len(tilt))]
    return np.column_stack(acc + gyro) + rng.normal(0, 0.02, (len(tilt), 6))


def session(seed: int, *, t0_ns: int = 0, day: str = "monday") -> ActivityRecording:
    """Idle, a set, idle, a set, idle; lengths by the seed."""
    rng = np.random.default_rng(seed)
    rows: list[NDArray[np.float64]] = []
    sets: list[tuple[int, int]] = []
    for _ in range(2):
        rows.append(idle_rows(rng.uniform(14, 20), rng))
        start = sum(len(r) for r in rows)
        rows.append(set_rows(rng.uniform(24, 36), rng.uniform(1.8, 3.0), rng))
        end = sum(len(r) for r in rows)
        sets.append((t0_ns + round(start / RATE_HZ * NS), t0_ns + round(end / RATE_HZ * NS)))
    rows.append(idle_rows(15, rng))
    x = np.concatenate(rows).astype(np.float32)
    signal = WristSignal(t0_ns, x[:, :3], x[:, 3:], "left")
    return ActivityRecording(day, (signal,), tuple(sets))


def examples_of(sessions: list[ActivityRecording], layout: str = ACC6) -> list[ActivityExample]:
    model_id = ACC6 if layout == ACC6 else ACC3
    return [
        example
        for s in sessions
        for example in activity_examples(s.signals, s.sets_ns, s.group, model_id)
    ]
