"""Devices of a low rate, and a tremor that they cannot record."""

import numpy as np

from models.arrays import Floats32
from models.signal.pieces import Piece, Recording
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal, wrist_signals

BUZZ_HZ, BUZZ_G = 20.0, 0.06
TOGETHER = 5  # samples at 50 Hz whose mean a device of 10 Hz sends: two whole periods of the buzz
SCALE = 1 / 1000


def at_10_hz(signal: WristSignal) -> list[WristSignal]:
    """The signal as recorded by a device that sends the mean of every tenth of a second."""
    assert signal.gyro_rad_s is not None

    def piece(x: Floats32, unit: str) -> Piece:
        means = x[: len(x) // TOGETHER * TOGETHER].reshape(-1, TOGETHER, 3).mean(axis=1)
        return Piece(0, RATE_HZ / TOGETHER, unit, SCALE, np.rint(means / SCALE).astype(np.int16))

    acc, gyro = piece(signal.acc_g, "g"), piece(signal.gyro_rad_s, "rad/s")
    return wrist_signals(Recording((acc,), (gyro,), "left"))
