"""Losses that a device fills with zeros or with its last value: repaired like any other loss."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.signal.fillers import without_fillers
from models.signal.pieces import Piece, Recording
from models.signal.stuck import STUCK_S
from models.signal.units import Kind
from models.signal.wrist import FILLED, WristSignal, wrist_signals
from tests.models.streams import SCALE, piece, quickening, sines
from tests.models.test_repeats import chunks, coarse

HZ, N = 50, 1500
LOSSES_S = ((4.1, 4.3), (9.0, 10.0), (17.36, 19.7))


def turning(t_s: np.ndarray) -> np.ndarray:
    """Rotation that never rests, rad/s."""
    return 2 * np.stack([np.sin(5 * t_s), np.cos(3 * t_s), np.sin(2 * t_s + 1)], axis=1)


def sent(values=quickening, unit: str = "g") -> Piece:
    return piece(np.arange(N) / HZ, values=values, unit=unit)


def lost() -> np.ndarray:
    """Which samples did not arrive, (n,)."""
    t_s = np.arange(N) / HZ
    return np.any([(t_s >= a) & (t_s < b) for a, b in LOSSES_S], axis=0)


def filled(whole: Piece, filler: str) -> Piece:
    """A stream in which losses are filled."""
    last = np.maximum.accumulate(np.where(lost(), 0, np.arange(N)))
    counts = whole.counts[last] if filler == "held" else whole.counts * ~lost()[:, None]
    return replace(whole, counts=counts)


def left_out(whole: Piece) -> Piece:
    """The same stream without the lost samples."""
    t_ms = (np.arange(N) * 20)[~lost()].astype(np.int32)
    return replace(whole, counts=whole.counts[~lost()], t_ms=t_ms)


def only_signal(acc: Sequence[Piece], gyro: Sequence[Piece]) -> WristSignal:
    (signal,) = wrist_signals(Recording(tuple(acc), tuple(gyro), "left"))
    return signal


@pytest.mark.parametrize("size", [40, 500, N])
@pytest.mark.parametrize("filler", ["zeros", "held"])
def test_filled_losses_are_read_as_losses(filler: str, size: int) -> None:
    acc, gyro = sent(), sent(turning, "rad/s")
    told = only_signal([left_out(acc)], [left_out(gyro)])
    hidden = only_signal(*(chunks(filled(whole, filler), size) for whole in (acc, gyro)))
    assert hidden.notes == told.notes == (FILLED,)
    assert hidden.filled is not None
    assert told.filled is not None
    np.testing.assert_array_equal(hidden.filled, told.filled)
    np.testing.assert_allclose(hidden.acc_g, told.acc_g, atol=1e-6)
    np.testing.assert_allclose(hidden.gyro_rad_s, told.gyro_rad_s, atol=1e-6)


def test_zeros_at_the_edges_and_at_rest_are_no_acceleration() -> None:
    resting = sent(lambda t_s: sines(0 * t_s))
    counts = resting.counts + np.random.default_rng(0).integers(-2, 3, (N, 3), dtype=np.int16)
    counts[:40] = counts[600:610] = counts[-3:] = 0
    (part,) = without_fillers("acc", [replace(resting, counts=counts)])
    assert part.t_ms is not None
    assert (part.t0_ns, len(part.counts)) == (40 * 20_000_000, N - 53)
    assert part.counts.any(axis=1).all()


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("acc", np.zeros((N, 3))),  # a sensor that is off
        ("acc", np.where(np.arange(N)[:, None] < 800, 0, sent().counts)),  # off for most of it
        ("gyro", np.where(np.arange(N)[:, None] // 100 % 5 == 0, 900, 0)),  # turns now and then
        ("acc", np.where(np.arange(N)[:, None] < 900, sent().counts, sent().counts[900])),  # stops
        ("acc", np.repeat(sent().counts[::30], 30, axis=0)),  # moves in jerks
        ("gyro", np.where(np.abs(np.arange(N) - 700)[:, None] < 25 * STUCK_S, 7, sent().counts)),
    ],
    ids=["off", "mostly off", "at rest", "until the end", "jerks", "stuck for ten seconds"],
)
def test_other_constant_values_are_kept(kind: Kind, counts: np.ndarray) -> None:
    stream = [Piece(0, HZ, "g", SCALE, counts.astype(np.int16))]
    assert without_fillers(kind, stream) is stream


@pytest.mark.parametrize("bits_g", [2, 4, 8, 16])
@pytest.mark.parametrize("size_g", [0.0, 0.1, 0.5, 2.0])
@pytest.mark.parametrize("swing_hz", [0.2, 0.5, 1.0, 3.0])
def test_coarse_sensors_keep_all_their_samples(swing_hz, size_g, bits_g) -> None:
    stream = [coarse(np.arange(N) / HZ, bits_g / 128, swing_hz, size_g)]
    assert without_fillers("acc", stream) is stream
    assert without_fillers("gyro", stream) is stream
