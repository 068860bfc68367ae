"""Synthetic movements of a forearm, each with a tempo, axis and posture of its own."""

from dataclasses import replace

import numpy as np

from models.exercise.statistics import Statistics
from models.signal.wrist import WristSignal

MOVES = {"swing": (0.5, 0), "turn": (0.8, 1), "press": (0.4, 2), "shake": (2.0, 0)}


def movement(name: str, seed: int, seconds: float = 20.0, side: str = "left") -> WristSignal:
    """A forearm that swings around one axis; every move has its own tempo, axis and posture."""
    rng = np.random.default_rng(seed)
    tempo_hz, axis = MOVES[name]
    t_s = np.arange(round(seconds * 50)) / 50 + rng.uniform(0, 9)
    angle = 0.6 * np.sin(2 * np.pi * tempo_hz * rng.uniform(0.95, 1.05) * t_s)
    gyro = np.zeros((len(t_s), 3))
    gyro[:, axis] = np.gradient(angle, 1 / 50)
    down = np.stack([np.cos(angle), np.sin(angle), 0.3 + 0 * t_s], axis=1)
    acc = np.roll(down, axis, axis=1) / np.linalg.norm(down, axis=1, keepdims=True)
    acc += rng.normal(0, 0.02, acc.shape)
    gyro += rng.normal(0, 0.05, gyro.shape)
    signal = WristSignal(10**18, acc.astype(np.float32), gyro.astype(np.float32), "left")
    return signal if side == "left" else mirror(signal)


def mirror(signal: WristSignal) -> WristSignal:
    """The same movement on the other wrist."""
    return replace(
        signal,
        acc_g=signal.acc_g * np.float32([-1, 1, 1]),
        gyro_rad_s=signal.gyro_rad_s * np.float32([1, -1, -1]),
        side="right",
    )


def alike(a: Statistics, b: Statistics) -> bool:
    """Whether statistics are equal up to rounding."""
    return (
        a.groups == b.groups
        and np.allclose(a.seconds, b.seconds)
        and np.allclose(a.sums, b.sums, atol=1e-6)
        and np.allclose(a.moments, b.moments, atol=1e-6)
    )
