"""Notes on missing or impossible gravity, and on low rates."""

from dataclasses import replace

import numpy as np
import pytest

from models.signal.pieces import Recording
from models.signal.quality import quality_notes
from models.signal.units import STANDARD_GRAVITY
from models.signal.wrist import wrist_signals
from schemas.notes import LOW_RATE, NO_GRAVITY, UNIT_IMPLAUSIBLE, UNIT_WAS_MS2
from tests.models.streams import SCALE, low_hand, piece, pieces, sines


def test_missing_gravity_and_low_rates_are_noted() -> None:
    t_s = np.arange(500) / 50
    down = np.array([0.0, 0.0, 1.0])
    whole = piece(t_s)
    linear = piece(t_s, values=lambda at_s: sines(at_s) - down)
    slow = piece(np.arange(125) / 12.5, rate_hz=12.5)
    slow_20 = piece(np.arange(200) / 20.0, rate_hz=20.0)  # too slow for sets, too (decision 41)
    fast_enough = piece(np.arange(250) / 25.0, rate_hz=25.0)
    at_own_times = replace(slow, rate_hz=50.0, t_ms=np.arange(125, dtype=np.int32) * 80)
    for sent, notes in (
        (whole, ()),
        (linear, (NO_GRAVITY,)),
        (slow, (LOW_RATE,)),
        (slow_20, (LOW_RATE,)),
        (fast_enough, ()),
        (at_own_times, (LOW_RATE,)),
    ):
        (signal,) = wrist_signals(Recording((sent,), (), None))
        assert signal.notes == notes


@pytest.mark.parametrize(
    ("t_ms", "low"), [([0], False), ([0, 0], False), ([0, 50], True), ([0, 50, 100], True)]
)
def test_rate_of_a_few_samples_is_that_of_their_own_times(t_ms, low) -> None:
    """20 Hz declared as 50; without two times there is only what is declared."""
    sent = piece(np.zeros(len(t_ms)), t_ms=np.array(t_ms, dtype=np.int32))
    assert quality_notes(Recording((sent,), (), None)) == ((LOW_RATE,) if low else ())


def only_sets() -> np.ndarray:
    """Times in ms of samples at 50 Hz, sets of 40 s with two minutes without samples between."""
    return (np.arange(5)[:, None] * 160_000 + np.arange(2000) * 20).ravel()


def with_losses(rate_hz: float, share: float) -> np.ndarray:
    """Times in ms of ten minutes, of which a share is lost, sample by sample."""
    sent_ms = np.rint(np.arange(600 * rate_hz) * 1000 / rate_hz)
    return sent_ms[np.random.default_rng(0).random(len(sent_ms)) >= share]


def with_jitter(rate_hz: float) -> np.ndarray:
    """Times in ms of a minute, each up to a third of a step late."""
    step_ms = 1000 / rate_hz
    late_ms = np.random.default_rng(1).uniform(0, step_ms / 3, round(60 * rate_hz))
    return np.rint(np.arange(len(late_ms)) * step_ms + late_ms)


@pytest.mark.parametrize(
    ("t_ms", "low"),
    [
        (only_sets(), False),
        (with_losses(25.0, 0.15), False),
        (with_losses(12.5, 0.15), True),
        (with_losses(12.5, 0.0), True),
        (with_jitter(25.0), False),
        (with_jitter(20.0), True),
        ((np.arange(100)[:, None] * 200 + np.arange(3)).ravel(), True),  # bursts: 15 a second
    ],
    ids=["only sets", "25 Hz lossy", "12.5 Hz lossy", "12.5 Hz", "25 Hz", "20 Hz", "bursts"],
)
@pytest.mark.parametrize("size", [200, 10**9], ids=["chunks", "whole"])
def test_pauses_and_losses_are_no_low_rate(t_ms: np.ndarray, size: int, *, low: bool) -> None:
    parts = [t_ms[k : k + size] for k in range(0, len(t_ms), size)]
    sent = tuple(
        piece(
            part / 1000,
            t0_ns=int(part[0]) * 10**6,
            t_ms=(part - part[0]).astype(np.int32),
        )
        for part in parts
    )
    assert {LOW_RATE in one.notes for one in wrist_signals(Recording(sent, (), None))} == {low}


@pytest.mark.parametrize(
    ("rates_hz", "low"), [((50, 12.5, 50), False), ((12.5, 50, 12.5), True), ((22, 22), False)]
)
def test_low_rate_is_that_of_most_pieces(rates_hz, low) -> None:
    sent = tuple(piece(np.zeros(100), rate_hz=float(rate_hz)) for rate_hz in rates_hz)
    assert quality_notes(Recording(sent, (), None)) == ((LOW_RATE,) if low else ())


@pytest.mark.parametrize(
    ("unit", "factor", "notes"),
    [
        ("g", 1000.0, (UNIT_IMPLAUSIBLE,)),
        ("m/s2", 1000.0, (UNIT_IMPLAUSIBLE,)),
        ("g", 2.8, ()),  # arms swung in circles
        ("g", 3.1, (UNIT_IMPLAUSIBLE,)),
        ("g", STANDARD_GRAVITY, (UNIT_WAS_MS2,)),  # plausible once corrected
        ("g", 0.3, (NO_GRAVITY,)),
    ],
)
def test_acceleration_that_no_wrist_feels_is_noted(unit, factor, notes) -> None:
    honest = piece(np.arange(1000) / 50, values=low_hand)
    sent = replace(honest, unit=unit, scale=SCALE * factor)
    (signal,) = wrist_signals(Recording((sent,), (), "left"))
    assert signal.notes == notes


@pytest.mark.parametrize("size", [1, 10, 49, 50, 1000])
def test_gravity_is_judged_alike_in_any_size_of_chunks(size) -> None:
    """Half a second forth, half a second back, at .9 g: no sample looks like missing gravity."""

    def shaken(t_s):
        return np.where(t_s % 1 < 0.5, 0.9, -0.9)[:, None] * np.array([1.0, 0.0, 0.0])

    sent = pieces(50.0, 50.0, 1000, size, shaken)
    assert quality_notes(Recording(sent, (), None)) == (NO_GRAVITY,)
