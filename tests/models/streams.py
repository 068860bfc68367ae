"""Synthetic streams of wrist devices, and the error of a signal against the true movement."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.arrays import Floats64
from models.signal.pieces import Piece, Recording
from models.signal.wrist import WristSignal, wrist_signals

SCALE = 1 / 4096


def sines(t_s: np.ndarray) -> np.ndarray:
    """A wrist that swings at 1 Hz around 1 g, smooth enough for any good resampling."""
    waves = [0.5 * np.sin(2 * np.pi * t_s), 0.3 * np.cos(2 * np.pi * t_s), 1 + 0 * t_s]
    return np.stack(waves, axis=1)


def piece(t_s, *, t0_ns=0, rate_hz=50.0, values=sines, **changes) -> Piece:
    counts = np.rint(values(np.asarray(t_s)) / SCALE).astype(np.int16)
    return replace(Piece(t0_ns, rate_hz, "g", SCALE, counts), **changes)


def swinging(t_s: Floats64, reach_rad: float, period_s: float) -> tuple[Floats64, Floats64]:
    """Gravity and rotation, (n, 3) each, of a wrist that swings about an axis across gravity."""
    phase = 2 * np.pi * t_s / period_s
    angle = reach_rad * np.sin(phase)
    speed = reach_rad * np.cos(phase) * 2 * np.pi / period_s
    gravity = np.stack([np.cos(angle), np.sin(angle), 0 * t_s], axis=1)
    return gravity, np.stack([0 * t_s, 0 * t_s, -speed], axis=1)  # dg/dt = -w × g


def quickening(t_s: np.ndarray) -> np.ndarray:
    """A swing of rising tempo, so that no sample is repeated."""
    return sines(t_s + 0.002 * t_s**2)


def pieces(rate_hz: float, claimed_hz: float, n: int, size: int, values=sines) -> tuple[Piece, ...]:
    """A stream of a device that runs at one rate and declares another."""
    t_s = np.arange(n) / rate_hz
    return tuple(
        piece(t_s[i : i + size], t0_ns=round(t_s[i] * 1e9), rate_hz=claimed_hz, values=values)
        for i in range(0, n, size)
    )


def error_g(signal, values=sines) -> float:
    t_s = signal.t0_ns / 1e9 + np.arange(len(signal.acc_g)) / 50
    return float(np.abs(signal.acc_g - values(t_s))[10:-10].max())


def low_hand(t_s):
    """A hanging left hand: gravity along +x, and a little along +y."""
    sway = 0.05 * np.sin(2 * np.pi * t_s)
    return np.stack([0.95 + sway, 0.3 + 0 * t_s, 0 * t_s], axis=1)


def measured(sent: Sequence[Piece], most: float = 0.005) -> list[Piece]:
    """Pieces that each claim a rate of their own, up to `most` from the true one."""
    dice = np.random.default_rng(len(sent))
    return [replace(p, rate_hz=p.rate_hz * (1 + dice.uniform(-most, most))) for p in sent]


def only_signal(acc: Sequence[Piece], gyro: Sequence[Piece] = ()) -> WristSignal:
    """The signal of a left wrist's pieces, which has no long gap."""
    (signal,) = wrist_signals(Recording(tuple(acc), tuple(gyro), "left"))
    return signal
