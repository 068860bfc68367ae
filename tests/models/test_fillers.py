"""Losses that a device fills with zeros: repaired like any other loss. Rest is kept."""

from dataclasses import replace

import numpy as np
import pytest

from models.signal.fillers import without_fillers
from models.signal.pieces import Piece
from schemas.notes import FILLED_GAPS, HIGHER_RATE, NO_GRAVITY
from tests.models.repeated_chunks import chunks, coarse
from tests.models.streams import SCALE, only_signal, piece, pieces, quickening, sines

HZ, N = 50, 1500
LOSSES_S = ((4.0, 5.0), (9.0, 10.0), (17.0, 18.0))  # a tenth, in packets of 1 s


def sent() -> Piece:
    return piece(np.arange(N) / HZ, values=quickening)


def lost() -> np.ndarray:
    """Which samples did not arrive, (n,)."""
    t_s = np.arange(N) / HZ
    return np.any([(t_s >= a) & (t_s < b) for a, b in LOSSES_S], axis=0)


def zero_filled(whole: Piece) -> Piece:
    return replace(whole, counts=whole.counts * ~lost()[:, None])


def left_out(whole: Piece) -> Piece:
    """The same stream without the lost samples."""
    t_ms = (np.arange(N) * 20)[~lost()].astype(np.int32)
    return replace(whole, counts=whole.counts[~lost()], t_ms=t_ms)


@pytest.mark.parametrize("size", [40, 500, N])
def test_losses_filled_with_zeros_are_read_as_losses(size: int) -> None:
    told, hidden = only_signal([left_out(sent())]), only_signal(chunks(zero_filled(sent()), size))
    assert hidden.notes == told.notes == (FILLED_GAPS,)
    np.testing.assert_array_equal(hidden.filled, told.filled)
    np.testing.assert_allclose(hidden.acc_g, told.acc_g, atol=1e-6)


def test_zeros_of_both_sensors_leave_rotation_beside_what_was_repaired() -> None:
    gyro = replace(sent(), unit="rad/s")
    hidden = only_signal([zero_filled(sent())], [zero_filled(gyro)])
    told = only_signal([left_out(sent())], [left_out(gyro)])
    np.testing.assert_array_equal(hidden.filled, told.filled)
    assert told.filled is not None
    assert told.gyro_rad_s is not None
    assert hidden.gyro_rad_s is not None
    heard = ~told.filled
    np.testing.assert_allclose(hidden.gyro_rad_s[heard], told.gyro_rad_s[heard], atol=1e-6)


def test_zeros_at_the_edges_and_at_rest_are_no_acceleration() -> None:
    resting = piece(np.arange(N) / HZ, values=lambda t_s: sines(0 * t_s))
    counts = resting.counts + np.random.default_rng(0).integers(-2, 3, (N, 3), dtype=np.int16)
    counts[:40] = counts[600:610] = counts[-3:] = 0
    (part,) = without_fillers([replace(resting, counts=counts)])
    assert part.t_ms is not None
    assert (part.t0_ns, len(part.counts)) == (40 * 20_000_000, N - 53)
    assert part.counts.any(axis=1).all()


def test_two_zeros_in_a_row_and_values_that_are_held_are_samples() -> None:
    counts = sent().counts.copy()
    counts[100:102] = counts[300, :2] = 0
    counts[400:700] = counts[400]
    stream = [replace(sent(), counts=counts)]
    assert without_fillers(stream) is stream
    assert without_fillers([]) == []


@pytest.mark.parametrize("zeros", [N, 1000, 400], ids=["off", "mostly off", "no gravity"])
def test_zeros_without_gravity_are_kept(zeros: int) -> None:
    """A sensor that is off, or one that removes gravity and rests."""
    counts = sent().counts - np.array([0, 0, round(1 / SCALE)], dtype=np.int16)
    counts[:zeros] = 0
    signal = only_signal([replace(sent(), counts=counts)])
    assert signal.notes == (NO_GRAVITY,)
    assert len(signal.acc_g) == N
    assert signal.filled is None


@pytest.mark.parametrize("rate_hz", [10.0, 25.0])
def test_a_plank_keeps_every_sample_of_an_8_bit_sensor(rate_hz: float) -> None:
    """An isometric hold repeats its values, and a still gyroscope of 8 bits reads zero."""
    t_s = np.arange(0, 60, 1 / rate_hz)
    moves = (t_s < 20) | (t_s >= 44)
    acc_g = np.where(moves[:, None], quickening(t_s), [0.0, 0.6, 0.8])
    rad_s = moves[:, None] * 3 * np.stack([np.sin(5 * t_s), np.cos(3 * t_s), np.sin(2 * t_s)], 1)
    acc = Piece(0, rate_hz, "g", 8 / 128, np.rint(acc_g * 128 / 8).astype(np.int16))
    gyro = Piece(0, rate_hz, "rad/s", 35 / 128, np.rint(rad_s * 128 / 35).astype(np.int16))
    signal = only_signal([acc], [gyro])
    assert FILLED_GAPS not in signal.notes
    assert signal.filled is None
    assert len(signal.acc_g) == pytest.approx(3000, abs=6)
    assert signal.gyro_rad_s is not None
    held = slice(21 * 50, 43 * 50)
    assert np.ptp(signal.acc_g[held], axis=0).max() < 1e-3
    assert not signal.gyro_rad_s[held].any()


def test_a_rate_that_was_higher_is_noted_beside_zeros() -> None:
    stream = list(pieces(56.0, 50.0, 60 * 56, 256, quickening))
    counts = stream[3].counts.copy()
    counts[100:110] = 0
    stream[3] = replace(stream[3], counts=counts)
    assert only_signal(stream).notes == (HIGHER_RATE, FILLED_GAPS)


@pytest.mark.parametrize("bits_g", [2, 4, 8, 16])
@pytest.mark.parametrize("size_g", [0.0, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("swing_hz", [0.2, 0.5, 1.0, 3.0])
def test_coarse_sensors_keep_all_their_samples(swing_hz, size_g, bits_g) -> None:
    stream = [coarse(np.arange(N) / HZ, bits_g / 128, swing_hz, size_g)]
    assert without_fillers(stream) is stream
