"""Repetitions that hardly turn the wrist, rest for long, or follow each other fast."""

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
