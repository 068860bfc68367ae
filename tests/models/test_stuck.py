"""Stuck rotation: left out while the wrist moves, and only then."""

from dataclasses import replace

import numpy as np
import pytest

from models.arrays import Ints16
from models.signal.pieces import Piece, Recording
from models.signal.runs import GaplessRun
from models.signal.stuck import without_stuck
from models.signal.wrist import wrist_signals
from schemas.notes import STUCK_ROTATION

NS, HZ, N = 10**9, 50, 1500
DOWN = np.array([0, 0, 1000], dtype=np.int16)
DICE = np.random.default_rng(0)
TURNING = DICE.integers(-2000, 2000, (N, 3), dtype=np.int16)
MOVING = DICE.integers(-900, 900, (N, 3), dtype=np.int16) + DOWN  # up to .9 g
RESTING = DICE.integers(-9, 9, (N, 3), dtype=np.int16) + DOWN


def hanging(first_s: float, end_s: float) -> Ints16:
    """Rotation that repeats a value from one second on until another."""
    counts = TURNING.copy()
    counts[round(first_s * HZ) : round(end_s * HZ)] = counts[round(first_s * HZ)]
    return counts


def recording(acc: Ints16, gyro: Ints16) -> Recording:
    sent = Piece(NS, HZ, "g", 1e-3, acc)
    return Recording((sent,), (replace(sent, unit="rad/s", counts=gyro),), "left")


def test_stuck_rotation_is_left_out_and_the_rest_keeps_its_rotation() -> None:
    before, stuck, after = wrist_signals(recording(MOVING, hanging(8, 22)))
    assert all(part.notes == (STUCK_ROTATION,) for part in (before, stuck, after))
    assert stuck.gyro_rad_s is None
    assert stuck.duration_s == pytest.approx(14, abs=0.3)
    assert before.gyro_rad_s is not None
    assert after.gyro_rad_s is not None
    sent = TURNING * np.float32(1e-3)
    np.testing.assert_array_equal(before.gyro_rad_s[:395], sent[:395])
    np.testing.assert_array_equal(after.gyro_rad_s[-395:], sent[-395:])
    assert sum(len(part.acc_g) for part in (before, stuck, after)) == N


def test_rotation_stuck_for_exactly_ten_seconds_is_left_out() -> None:
    """From the first to the last of 501 samples."""
    signals = wrist_signals(recording(MOVING, hanging(10, 20.02)))
    assert [signal.gyro_rad_s is None for signal in signals] == [False, True, False]


def test_rotation_stuck_until_the_end_is_left_out() -> None:
    before, stuck = wrist_signals(recording(MOVING, hanging(12, 30)))
    assert before.gyro_rad_s is not None
    assert stuck.gyro_rad_s is None


@pytest.mark.parametrize(
    ("acc", "gyro"),
    [
        (MOVING, TURNING),
        (MOVING, hanging(10, 20)),  # woke up again: from the first to the last sample 9.98 s
        (RESTING, hanging(10, 25)),  # a coarse gyroscope on a wrist that rests
        (np.where(np.arange(N)[:, None] < 500, MOVING, MOVING[500]), hanging(10, 30)),  # both hang
    ],
)
def test_plausible_constant_rotation_is_kept(acc: Ints16, gyro: Ints16) -> None:
    (signal,) = wrist_signals(recording(acc, gyro))
    assert signal.notes == ()
    assert signal.gyro_rad_s is not None


@pytest.mark.parametrize(("moves_at_s", "left"), [((43, 54), [151]), ((0, 43), [700])])
def test_movement_is_looked_for_at_the_time_of_the_rotation(moves_at_s, left) -> None:
    """Rotation begins 40 s after acceleration, and hangs from its third second to its end."""
    t_s, acc_s = np.arange(700) / 50, np.arange(3000) / 50
    swing = np.stack([np.sin(t_s)] * 3, axis=1).astype(np.float32)
    gyro = GaplessRun(100 * NS, t_s, np.where(t_s[:, None] < 3, swing, swing[150]))
    moves = (acc_s >= moves_at_s[0]) & (acc_s < moves_at_s[1])
    waves = np.where(moves[:, None], np.sin(6 * acc_s)[:, None], 0.0).repeat(3, axis=1)
    acc = GaplessRun(60 * NS, acc_s, waves.astype(np.float32))
    assert [len(run.t_s) for run in without_stuck([gyro], [acc])] == left
