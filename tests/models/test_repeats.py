"""Samples that a slow sensor repeats: left out, so that a staircase is no movement."""

from dataclasses import replace

import numpy as np
import pytest

from ingest.quantise import quantised
from models.signal.pieces import Piece, Recording
from models.signal.repeats import without_repeats
from models.signal.wrist import wrist_signals
from schemas.notes import LOW_RATE
from tests.models.repeated_chunks import chunks, coarse
from tests.models.streams import SCALE, error_g, only_signal, piece, quickening

SECONDS = 20


def polled(
    sensor_hz: float, polled_hz: float, values=quickening, *, stamped: bool = False
) -> Piece:
    """A sensor that is asked more often than it measures, and answers with its last value."""
    t_s = np.arange(round(SECONDS * polled_hz)) / polled_hz
    measured_s = np.floor(t_s * sensor_hz + 1e-9) / sensor_hz
    t_ms = np.rint(t_s * 1000).astype(np.int32) if stamped else None
    return piece(measured_s, rate_hz=polled_hz, values=values, t_ms=t_ms)


@pytest.mark.parametrize("size", [25, 50, 512, 2000])
@pytest.mark.parametrize("stamped", [False, True])
@pytest.mark.parametrize("polled_hz", [50.0, 100.0])
@pytest.mark.parametrize("sensor_hz", [12.5, 20.0, 25.0])
def test_repeated_samples_give_the_signal_of_the_sensor(sensor_hz, polled_hz, stamped, size):
    t_s = np.arange(round(SECONDS * sensor_hz)) / sensor_hz
    own = only_signal([piece(t_s, rate_hz=sensor_hz, values=quickening)])
    signal = only_signal(chunks(polled(sensor_hz, polled_hz, stamped=stamped), size))
    assert signal.notes == own.notes == ((LOW_RATE,) if sensor_hz < 22 else ())
    n = min(len(own.acc_g), len(signal.acc_g))
    assert abs(len(own.acc_g) - len(signal.acc_g)) <= 5
    late_s = (
        0.0 if (polled_hz / sensor_hz).is_integer() else 1 / polled_hz
    )  # asked after it measured
    assert np.abs(signal.acc_g[:n] - own.acc_g[:n])[10:-10].max() < 3.5 * late_s + 0.005


def test_repeated_rotation_is_thinned_like_acceleration():
    gyro = replace(polled(12.5, 50.0), unit="rad/s")
    (signal,) = wrist_signals(Recording((piece(np.arange(1000) / 50),), (gyro,), "left"))
    assert signal.notes == ()
    assert signal.gyro_rad_s is not None
    t_s = np.arange(1000) / 50
    assert np.abs(signal.gyro_rad_s - quickening(t_s))[10:-10].max() < 0.1  # a staircase: .25


def test_drifting_clock_of_a_polled_sensor_is_corrected_before():
    whole = polled(12.5, 50.0)
    sent = [
        replace(p, t0_ns=round(p.t0_ns * 50 / 48.9)) for p in chunks(replace(whole), 50)
    ]  # 48.9 Hz
    signal = only_signal(sent)
    assert signal.notes == (LOW_RATE,)
    assert error_g(signal, lambda t_s: quickening(t_s * 48.9 / 50)) < 0.1


def test_rest_between_movements_is_no_loss():
    def bouts(t_s):
        return quickening(np.where((t_s > 8) & (t_s < 13), 8.0, t_s))

    signal = only_signal([polled(12.5, 50.0, bouts)])
    assert signal.notes == (LOW_RATE,)
    assert signal.filled is None
    assert signal.duration_s == pytest.approx(SECONDS, abs=0.1)


@pytest.mark.parametrize("bits_g", [2, 4, 8, 16])
@pytest.mark.parametrize("size_g", [0.0, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("swing_hz", [0.2, 0.5, 1.0, 3.0])
def test_coarse_sensors_keep_all_their_samples(swing_hz, size_g, bits_g):
    sent = (coarse(np.arange(3000) / 50, bits_g / 128, swing_hz, size_g),)
    assert without_repeats(sent) is sent


@pytest.mark.parametrize("counts_a_step", [2, 256])
@pytest.mark.parametrize("period_s", [2.0, 3.0, 4.0])
def test_coarse_sensors_keep_their_samples_where_a_step_is_many_counts(period_s, counts_a_step):
    t_s = np.arange(1500) / 50
    tilt = 0.8 * np.sin(2 * np.pi * t_s / period_s)
    acc_g = np.column_stack([np.sin(tilt), 0.2 * np.cos(tilt), np.cos(tilt)])
    steps = np.rint(acc_g * 16 + np.random.default_rng(3).normal(0, 0.06, acc_g.shape))
    shifted = (Piece(0, 50.0, "g", 1 / 16 / counts_a_step, (steps * counts_a_step).astype("<i2")),)
    assert without_repeats(shifted) is shifted
    in_json = []
    for first in range(0, 1500, 50):
        scale, counts = quantised(steps[first : first + 50] / 16)
        in_json.append(Piece(first * 20_000_000, 50.0, "g", scale, counts))
    assert without_repeats(in_json) is in_json


def test_taps_on_a_coarse_sensor_at_rest_are_no_repeats():
    still = np.tile(np.array([0, 0, 16], dtype=np.int16), (3000, 1))
    still[::25, 0] += 12
    sent = (Piece(0, 50.0, "g", 1 / 16, still),)
    assert without_repeats(sent) is sent


def test_stuck_sensor_keeps_its_samples():
    sent = (Piece(0, 50.0, "g", SCALE, np.ones((3000, 3), dtype=np.int16)),)
    assert without_repeats(sent) is sent
    assert without_repeats(()) == ()


def test_few_seconds_are_not_judged():
    sent = chunks(polled(12.5, 50.0), 150)[:1]
    assert without_repeats(sent) is sent
