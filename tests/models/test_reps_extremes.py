"""Repetitions that hardly turn the wrist, rest for long, or follow each other fast or slowly."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.reps.count import count_in_arrays
from models.signal.windows import RATE_HZ

Array = NDArray[np.float64]
REST_G = (0.6, 0.0, 0.8)


def lifted(count: int, period_s: float, swing_g: float, calm_s: float = 0.0) -> tuple[Array, Array]:
    """A hand that goes up and down `count` times, with stillness before and after."""
    rng = np.random.default_rng(0)
    n, calm = round(count * period_s * RATE_HZ), round(calm_s * RATE_HZ)
    phase = 2 * np.pi * np.arange(n) / RATE_HZ / period_s
    acc = np.tile(REST_G, (n + 2 * calm, 1))
    acc[calm : calm + n, 2] += swing_g * np.sin(phase)
    swing = np.concatenate([np.zeros(calm), np.sin(phase), np.zeros(calm)])
    return acc + rng.normal(0, 0.01, acc.shape), swing


def turning(swing: Array, rad_s: float, noise: float = 0.02) -> Array:
    """Rotation around one axis, with noise on all."""
    gyro = np.random.default_rng(1).normal(0, noise, (len(swing), 3))
    gyro[:, 1] += rad_s * swing
    return gyro


@pytest.mark.parametrize("rad_s", [0.0, 0.03])
@pytest.mark.parametrize(
    ("count", "period_s", "swing_g"),
    [(20, 1.5, 0.2), (12, 3.0, 0.15), (12, 2.5, 0.2), (8, 4.0, 0.2)],
)
def test_repetitions_with_little_or_no_rotation_are_counted(count, period_s, swing_g, rad_s):
    acc, swing = lifted(count, period_s, swing_g)
    assert count_in_arrays(acc, turning(swing, rad_s), RATE_HZ).count == count


@pytest.mark.parametrize("calm_s", [0, 5, 10, 20, 40])
def test_stillness_around_a_set_does_not_change_the_count(calm_s):
    acc, swing = lifted(10, 2.5, 0.3, calm_s)
    assert count_in_arrays(acc, turning(swing, 1.5, noise=0.03), RATE_HZ).count == 10


@pytest.mark.parametrize("noise", [0.002, 0.01, 0.02])
@pytest.mark.parametrize("step_g", [0.0, 1 / 32])
def test_plank_of_one_minute_has_no_repetitions(noise, step_g):
    rng = np.random.default_rng(2)
    acc = REST_G + rng.normal(0, noise, (3000, 3))
    if step_g:
        acc = np.round(acc / step_g) * step_g
    moving_in = np.zeros(3000)
    moving_in[:100] = moving_in[-100:] = np.sin(np.arange(100) / 16)
    assert count_in_arrays(acc, turning(0 * moving_in, 0), RATE_HZ).count == 0
    assert count_in_arrays(acc, turning(moving_in, 1.0), RATE_HZ).count == 0
    if noise < 0.02:
        assert count_in_arrays(acc, None, RATE_HZ).count == 0


@pytest.mark.parametrize(
    ("count", "period_s"), [(60, 0.45), (60, 0.5), (60, 0.6), (40, 0.7), (40, 0.9), (30, 1.2)]
)
def test_fast_repetitions_are_not_counted_in_pairs(count, period_s):
    acc, swing = lifted(count, period_s, 0.5)
    assert abs(count_in_arrays(acc, turning(swing, 2.0), RATE_HZ).count - count) <= 1
    assert abs(count_in_arrays(acc, None, RATE_HZ).count - count) <= 1


def swung(angle: Array, noise: float) -> tuple[Array, Array]:
    """Acceleration and rotation of a forearm that swings around one axis; its angle in rad."""
    rng = np.random.default_rng(3)
    acc = np.stack([np.cos(angle), np.sin(angle), np.full(len(angle), 0.1)], axis=1)
    return acc + rng.normal(0, noise, acc.shape), turning(np.gradient(angle) * RATE_HZ, 1.0)


@pytest.mark.parametrize("period_s", [10, 12, 15, 20, 30])
@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_repetitions_of_ten_seconds_and_more_are_counted(count, period_s):
    rng = np.random.default_rng(4)
    lengths = RATE_HZ * period_s * np.exp(rng.normal(0, 0.08, count))
    lifts = [0.6 - 0.6 * np.cos(2 * np.pi * np.arange(int(n)) / int(n)) for n in lengths]
    paused = [np.concatenate([lift, np.zeros(25)]) for lift in lifts]
    acc, gyro = swung(np.concatenate([np.zeros(50), *paused, np.zeros(50)]), 0.01)
    assert count_in_arrays(acc, gyro, RATE_HZ).count == count
    assert count_in_arrays(acc, None, RATE_HZ).count == count


@pytest.mark.parametrize("duration_s", [30, 90, 180])
def test_plank_that_is_entered_slowly_and_sways_has_no_repetitions(duration_s):
    rng = np.random.default_rng(duration_s)
    n = round(duration_s * RATE_HZ)
    ramp = 0.65 + 0.65 * np.cos(np.pi * np.arange(200) / 200)
    sway = 0.3 * np.convolve(rng.normal(0, 1, n + 99), np.full(100, 0.01), "valid")
    sway[:200] += ramp
    sway[-200:] += ramp[::-1]
    acc, gyro = swung(sway, 0.01)
    assert count_in_arrays(acc, gyro, RATE_HZ).count == 0
    assert count_in_arrays(acc, None, RATE_HZ).count == 0
