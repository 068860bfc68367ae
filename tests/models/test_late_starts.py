"""Chunks whose start is when they arrived: put where they were taken, real losses kept."""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.signal.late_starts import undo_delays
from models.signal.pieces import Piece
from schemas.notes import BATCHED_TIMES
from tests.models.streams import error_g, measured, only_signal, pieces, quickening

NS = 10**9
CLOSE = 0.12  # of the longest delay: so near are the starts of two minutes put
FASTEST_G_S = 4.7  # of `quickening` in two minutes


def delayed(sent: Sequence[Piece], most_s: float, seed: int = 0) -> list[Piece]:
    """Every piece stamped up to `most_s` late, and none before the one before it."""
    dice = np.random.default_rng(seed)
    stamps_ns = [piece.t0_ns + int(dice.uniform(0, most_s) * NS) for piece in sent]
    in_order = np.maximum.accumulate(stamps_ns).tolist()
    return [replace(piece, t0_ns=t_ns) for piece, t_ns in zip(sent, in_order, strict=True)]


def without(sent: Sequence[Piece], lost: Collection[int]) -> list[Piece]:
    return [piece for n, piece in enumerate(sent) if n not in lost]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("rate_hz", [50.0, 49.6, 50.7])
@pytest.mark.parametrize("most_s", [0.05, 0.15, 0.3])
def test_late_chunks_of_both_sensors_are_put_where_they_were_taken(most_s, rate_hz, seed):
    whole = pieces(rate_hz, 50.0, 6000, 50, quickening)
    acc, gyro = (delayed(whole, most_s, 2 * seed + n) for n in range(2))
    signal = only_signal(acc, [replace(piece, unit="rad/s") for piece in gyro])
    assert signal.notes == (BATCHED_TIMES,)
    assert signal.gyro_rad_s is not None
    assert signal.duration_s == pytest.approx(6000 / rate_hz, abs=2 * CLOSE * most_s + 0.02)
    assert error_g(signal, quickening) < CLOSE * most_s * FASTEST_G_S + 0.02
    assert np.abs(signal.acc_g - signal.gyro_rad_s).max() < 2 * CLOSE * most_s * FASTEST_G_S + 0.02


@pytest.mark.parametrize("own_rate", [False, True])
def test_late_chunks_may_have_measured_rates(own_rate):
    whole = pieces(49.2, 50.0, 6000, 50, quickening)
    sent = delayed(measured(whole) if own_rate else whole, 0.3)
    assert error_g(only_signal(sent), quickening) < CLOSE * 0.3 * FASTEST_G_S + 0.02


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("most_s", [0.15, 0.3])
@pytest.mark.parametrize(
    "lost", [{40}, {5}, {40, 41, 42}, {30, 60, 61, 62}, {20, 28, 90}, set(range(50, 55)), {116}]
)
def test_losses_between_late_chunks_stay_where_they_are(lost, most_s, seed):
    whole = pieces(50.0, 50.0, 6000, 50)
    true = without(whole, lost)
    found = undo_delays(delayed(true, most_s, seed))
    shifts_s = np.abs([a.t0_ns - b.t0_ns for a, b in zip(found, true, strict=True)]) / NS
    assert np.median(shifts_s) < CLOSE * most_s
    assert shifts_s.max() < most_s  # a few chunks between two losses may all be late
    signal = only_signal(found)
    assert signal.recorded_s == pytest.approx(120 - len(lost), abs=most_s)
    assert signal.duration_s == pytest.approx(120, abs=most_s)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pause_s", [2.35, 30.0])
def test_pause_between_late_chunks_stays_where_it_is(pause_s, seed):
    whole = pieces(50.0, 50.0, 6000, 50)
    true = [
        replace(p, t0_ns=p.t0_ns + round(pause_s * NS) * (n >= 70)) for n, p in enumerate(whole)
    ]
    found = undo_delays(delayed(true, 0.3, seed))
    shifts_s = np.abs([a.t0_ns - b.t0_ns for a, b in zip(found, true, strict=True)]) / NS
    assert shifts_s.max() < 2 * CLOSE * 0.3  # of a minute each


@pytest.mark.parametrize(("size", "most_s"), [(10, 0.3), (25, 0.3), (25, 1.0)])
def test_short_chunks_lost_between_late_ones_stay_lost(size, most_s):
    """Of chunks shorter than their delays."""
    whole = pieces(50.0, 50.0, 9000, size)
    n = 3 * 50 // size
    lost = range(4500 // size, 4500 // size + n)  # three seconds
    true = without(whole, lost)
    found = undo_delays(delayed(true, most_s))
    gaps_s = np.diff([piece.t0_ns for piece in found]) / NS - size / 50
    assert gaps_s.max() == pytest.approx(3.0, abs=0.2)
    assert np.sort(gaps_s)[-2] < 0.05


def test_chunks_sent_twice_count_once():
    whole = pieces(50.0, 50.0, 6000, 50, quickening)
    sent = delayed(whole, 0.3)
    signal = only_signal([*sent, *sent[40:50]])
    assert signal.notes == (BATCHED_TIMES,)
    assert error_g(signal, quickening) < CLOSE * 0.3 * FASTEST_G_S + 0.02


def starts_of(change) -> list[Piece]:
    return [change(n, piece) for n, piece in enumerate(pieces(50.0, 50.0, 6000, 50, quickening))]


def moved(piece: Piece, by_s: float) -> Piece:
    return replace(piece, t0_ns=piece.t0_ns + round(by_s * NS))


@pytest.mark.parametrize(
    "sent",
    [
        pieces(50.0, 50.0, 6000, 50),
        pieces(48.0, 50.0, 6000, 50),
        pieces(52.0, 50.0, 6000, 512),
        pieces(52.0, 50.0, 16000, 512),
        pieces(56.0, 50.0, 6000, 50, quickening),
        pieces(56.0, 50.0, 16000, 512, quickening),
        without(pieces(50.0, 50.0, 6000, 50), range(3, 120, 7)),
        starts_of(lambda n, p: moved(p, 0.009 * (n % 3))),
        starts_of(lambda n, p: moved(p, 5.0 * (n > 50))),  # a pause
        starts_of(lambda n, p: moved(p, -1.0 * (n > 50))),  # a clock set back
        starts_of(lambda n, p: moved(p, -0.4 * (n > 50) - 0.4 * (n > 80))),
        starts_of(lambda n, p: moved(p, 0.002 * (n % 50))),  # a clock set right now and then
        [p for p in pieces(50.0, 50.0, 6000, 50, quickening) for _ in range(2)],  # sent twice
    ],
)
def test_chunks_that_are_not_late_are_not_moved(sent):
    assert undo_delays(sent) is sent


def test_chunks_of_two_clocks_are_not_moved():
    """A clock set back by half a minute: for as long, chunks of both alternate."""
    whole = pieces(50.0, 50.0, 6000, 50, quickening)
    sent = [moved(piece, -30.4 * (n >= 60)) for n, piece in enumerate(whole)]
    assert undo_delays(sent) is sent


def test_chunks_with_random_starts_take_bounded_time():
    dice = np.random.default_rng(0)
    whole = pieces(50.0, 50.0, 2000 * 5, 5)
    sent = [moved(piece, dice.uniform(0, 100)) for piece in whole]
    undo_delays(sent)
