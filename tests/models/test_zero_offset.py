"""The zero offset of a gyroscope: found at rest, and subtracted from all of its rotation."""

from dataclasses import replace

import numpy as np
import pytest

from models.signal.corrections import timeline
from models.signal.pieces import Piece, Recording
from models.signal.wrist import wrist_signals
from models.signal.zero_offset import HAD_OFFSET, MIN_QUIET
from tests.models.streams import low_hand
from tests.models.test_repeats import chunks

HZ, N = 50, 1500
OFFSET_RAD_S = np.array([0.2, -0.35, 0.05])
STEP = 1e-3


def recording(rest_s: float, offset_rad_s=OFFSET_RAD_S, noise_rad_s: float = 0.005) -> Recording:
    """A wrist that rests at first and swings then, 30 s."""
    dice = np.random.default_rng(1)
    t_s = np.arange(N) / HZ
    swings = (t_s >= rest_s)[:, None]
    acc_g = np.where(swings, low_hand(4 * t_s), [0.95, 0.3, 0.0]) + dice.normal(0, 0.002, (N, 3))
    rad_s = np.where(swings, np.sin(np.outer(t_s, [7.0, 5.0, 3.0])), 0.0) + offset_rad_s
    rad_s += dice.normal(0, noise_rad_s, (N, 3)) if noise_rad_s else 0.0
    acc, gyro = (
        Piece(10**9, HZ, unit, STEP, np.rint(values / STEP).astype(np.int16))
        for values, unit in ((acc_g, "g"), (rad_s, "rad/s"))
    )
    return Recording((acc,), (gyro,), "left")


@pytest.mark.parametrize("size", [50, 128, N])
def test_offset_of_rest_is_subtracted_everywhere_and_noted(size: int) -> None:
    sent = recording(rest_s=6.0)
    level = recording(rest_s=6.0, offset_rad_s=0 * OFFSET_RAD_S)
    (signal,) = wrist_signals(
        replace(sent, acc=chunks(sent.acc[0], size), gyro=chunks(sent.gyro[0], size))
    )
    (right,) = wrist_signals(level)
    assert (signal.notes, right.notes) == ((HAD_OFFSET,), ())
    np.testing.assert_allclose(signal.gyro_rad_s, right.gyro_rad_s, atol=0.003)
    np.testing.assert_array_equal(signal.acc_g, right.acc_g)


def test_offset_is_that_of_the_whole_recording_in_each_of_its_parts() -> None:
    line = timeline(recording(rest_s=6.0))
    assert line.notes == (HAD_OFFSET,)
    (swings,) = wrist_signals(line.cut(16 * 10**9, 26 * 10**9))
    assert swings.notes == ()
    assert swings.gyro_rad_s is not None
    assert np.abs(swings.gyro_rad_s.mean(axis=0)).max() < 0.1


def test_rotation_in_degrees_has_its_offset_in_degrees() -> None:
    sent = recording(rest_s=6.0)
    degrees = replace(sent.gyro[0], unit="deg/s", scale=STEP * 180 / np.pi)
    (signal,) = wrist_signals(replace(sent, gyro=(degrees,)))
    (same,) = wrist_signals(sent)
    assert signal.notes == (HAD_OFFSET,)
    np.testing.assert_allclose(signal.gyro_rad_s, same.gyro_rad_s, atol=1e-5)


def slow_turns() -> Recording:
    """A hand that lies still on a chair that is turned to and fro, twice as long one way."""
    sent = recording(rest_s=30.0, offset_rad_s=0 * OFFSET_RAD_S)
    to_and_fro = np.where(np.arange(N)[:, None] // 500 % 3 == 2, -150, 150).astype(np.int16)
    return replace(sent, gyro=(replace(sent.gyro[0], counts=sent.gyro[0].counts + to_and_fro),))


@pytest.mark.parametrize(
    "sent",
    [
        recording(rest_s=6.0, offset_rad_s=np.array([0.02, -0.01, 0.01])),  # as any sensor's
        recording(rest_s=MIN_QUIET - 0.5),  # rests too briefly
        recording(rest_s=30.0, noise_rad_s=0.0),  # stuck
        slow_turns(),
        replace(recording(rest_s=6.0), acc=()),
    ],
    ids=["small", "brief", "stuck", "turning", "rotation alone"],
)
def test_rotation_without_a_steady_offset_at_rest_is_kept(sent: Recording) -> None:
    fixed = timeline(sent)
    assert (fixed.recording.gyro[0].counts == sent.gyro[0].counts).all()
    assert HAD_OFFSET not in fixed.notes
