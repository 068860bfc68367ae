"""Counting of repetitions, on synthetic signals with known counts."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.reps.confidence import Confidence, fit_confidence
from models.reps.count import SETTINGS, Repetitions, count_in_arrays, count_repetitions
from models.reps.explain import inner_likeness
from models.reps.periods import autocorrelation, candidate_periods
from models.reps.prepare import prepare
from models.reps.stretches import joined
from models.reps.tiling import Tiling
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal
from tests.models.curls import SECOND_NS, curl


def turned(signal: WristSignal, about: NDArray[np.float64]) -> WristSignal:
    """The same movement with the watch strapped on at another angle (Rodrigues)."""
    angle = float(np.linalg.norm(about))
    x, y, z = about / max(angle, 1e-9)
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + math.sin(angle) * k + (1 - math.cos(angle)) * k @ k
    gyro = signal.gyro_rad_s
    assert gyro is not None
    return replace(
        signal,
        acc_g=(signal.acc_g @ turn.T).astype(np.float32),
        gyro_rad_s=(gyro @ turn.T).astype(np.float32),
    )


def without_rotation(signal: WristSignal) -> WristSignal:
    return replace(signal, gyro_rad_s=None)


@pytest.mark.parametrize("count", [3, 5, 8, 12, 20, 30])
@pytest.mark.parametrize("period_s", [1.2, 2.0, 4.5])
def test_count_equals_the_number_of_repetitions(count: int, period_s: float) -> None:
    signal = curl(count, period_s=period_s)
    assert count_repetitions(signal).count == count
    assert count_repetitions(without_rotation(signal)).count == count


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(4, 16),
    period_s=st.floats(1.2, 4.0),
    swing_rad=st.floats(0.5, 2.2),
    pause_share=st.floats(0.0, 0.5),
    noise=st.floats(0.0, 0.03),
    about=st.tuples(*[st.floats(-3, 3)] * 3).map(np.array),
)
def test_count_is_right_for_any_tempo_size_pause_noise_and_orientation(
    count: int,
    period_s: float,
    swing_rad: float,
    pause_share: float,
    noise: float,
    about: NDArray[np.float64],
) -> None:
    signal = curl(
        count, period_s=period_s, swing_rad=swing_rad, pause_s=pause_share * period_s, noise=noise
    )
    assert count_repetitions(turned(signal, about)).count == count


@pytest.mark.parametrize(("count", "period_s", "pause_share"), [(4, 2.0, 0.5), (6, 2.9, 0.45)])
def test_repetitions_with_pauses_are_not_counted_in_pairs(
    count: int, period_s: float, pause_share: float
) -> None:
    """Pairs of such repetitions are as similar to each other as single ones."""
    signal = curl(count, period_s=period_s, swing_rad=1.8, pause_s=pause_share * period_s, noise=0)
    assert count_repetitions(signal).count == count


def test_inner_likeness_detects_copies_that_hold_two_periods() -> None:
    """Copies of two periods of a sine hold it twice, copies of one period do not."""
    y = np.sin(2 * np.pi * np.arange(240) / 12)[:, None]
    pairs = Tiling(np.arange(0, 240, 24), np.full(10, 24), np.ones(10), np.zeros(10))
    single = Tiling(np.arange(0, 240, 12), np.full(20, 12), np.ones(20), np.zeros(20))
    assert inner_likeness(y, pairs) == pytest.approx(1.0, abs=0.05)
    assert inner_likeness(y, single) < 0.0


def test_repetitions_have_the_true_start_and_duration() -> None:
    period_s, rest_s, count = 2.5, 3.0, 8
    found = count_repetitions(curl(count, period_s=period_s, rest_s=rest_s)).repetitions
    assert len(found) == count
    for k, repetition in enumerate(found):
        assert repetition.start_s == pytest.approx(rest_s + k * period_s, abs=0.4 * period_s)
        assert repetition.duration_s == pytest.approx(period_s, rel=0.25)


def test_range_and_peak_speed_equal_those_of_the_swing() -> None:
    """The arm goes up by 1.5 rad; the steepest point of a raised cosine is pi·swing/period."""
    swing_rad, period_s = 1.5, 4.0
    done = count_repetitions(curl(8, swing_rad=swing_rad, period_s=period_s, noise=0.0))
    middle = done.repetitions[2:-2]
    assert np.median([r.range_rad for r in middle]) == pytest.approx(swing_rad, rel=0.15)
    fastest = math.pi * swing_rad / period_s
    assert np.median([r.peak_speed for r in middle]) == pytest.approx(fastest, rel=0.15)


def test_pauses_between_repetitions_are_measured() -> None:
    steady = count_repetitions(curl(8, period_s=2.0, pause_s=0.0)).repetitions
    paused = count_repetitions(curl(8, period_s=2.0, pause_s=1.5)).repetitions
    longer = np.median([r.pause_s for r in paused]) - np.median([r.pause_s for r in steady])
    assert longer == pytest.approx(1.5, abs=0.4)


def test_repetitions_are_sorted_and_within_the_signal() -> None:
    signal = curl(10)
    found = count_repetitions(signal).repetitions
    assert all(r.end_s > r.start_s >= 0 for r in found)
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in zip(found, found[1:], strict=False))
    assert found[-1].end_s <= signal.duration_s


def test_wrist_at_rest_has_no_repetitions() -> None:
    rng = np.random.default_rng(1)
    acc = np.array([0.0, 0.0, 1.0]) + rng.normal(0, 0.003, (1500, 3))
    gyro = rng.normal(0, 0.01, (1500, 3))
    assert count_in_arrays(acc, gyro, RATE_HZ) == Repetitions(0, 0.0, ())
    assert count_in_arrays(acc, None, RATE_HZ).count == 0


def test_too_short_signal_has_no_repetitions() -> None:
    signal = curl(1)
    short = replace(signal, acc_g=signal.acc_g[:60], gyro_rad_s=None)
    assert count_repetitions(short) == Repetitions(0, 0.0, ())
    assert count_repetitions([]) == Repetitions(0, 0.0, ())


def test_lost_packets_are_bridged() -> None:
    whole = curl(12, period_s=2.5)
    assert count_repetitions(pieces_of(whole, [(400, 440), (900, 935)])).count == 12


def test_repetitions_on_both_sides_of_a_long_gap_are_counted() -> None:
    first = curl(6)
    gap_s = 10
    start_ns = round((first.duration_s + gap_s) * SECOND_NS)
    second = replace(curl(5, seed=2), t0_ns=start_ns)
    found = count_repetitions([second, first])
    assert found.count == 11
    assert found.repetitions[6].start_s > first.duration_s + gap_s


def pieces_of(signal: WristSignal, holes: list[tuple[int, int]]) -> list[WristSignal]:
    """The signal with samples lost."""
    borders = [0, *(at for hole in holes for at in hole), len(signal.acc_g)]
    spans = zip(borders[::2], borders[1::2], strict=True)
    gyro = signal.gyro_rad_s
    assert gyro is not None
    return [
        WristSignal(round(a / RATE_HZ * SECOND_NS), signal.acc_g[a:b], gyro[a:b], "left")
        for a, b in spans
    ]


def test_joined_pieces_share_one_clock_and_gaps_are_interpolated() -> None:
    whole = curl(3, noise=0.0)
    (stretch,) = joined(pieces_of(whole, [(100, 110)])[::-1], 3.0)
    assert stretch.acc_g.shape == whole.acc_g.shape
    np.testing.assert_array_equal(stretch.acc_g[:100], whole.acc_g[:100])
    np.testing.assert_array_equal(stretch.acc_g[110:], whole.acc_g[110:])
    line = np.linspace(whole.acc_g[99], whole.acc_g[110], 12)[1:-1]
    np.testing.assert_allclose(stretch.acc_g[100:110], line, atol=1e-6)


def test_autocorrelation_of_a_sine_peaks_at_its_period() -> None:
    wave = np.sin(2 * np.pi * np.arange(400) / 40)[:, None]
    curve = autocorrelation(wave)
    assert curve[0] == pytest.approx(1.0)
    assert 30 + int(np.argmax(curve[30:50])) == 40


def test_the_true_period_is_a_candidate() -> None:
    signal = curl(10, period_s=3.0)
    prepared = prepare(signal.acc_g.astype(np.float64), None, RATE_HZ, SETTINGS)
    assert prepared is not None
    periods = candidate_periods(prepared, SETTINGS)
    assert min(abs(math.log(p / 3.0)) for p in periods) < SETTINGS.merge_share
    assert len(periods) <= SETTINGS.most_candidates


def test_confidence_of_a_steady_set_exceeds_that_of_aimless_movement() -> None:
    steady = count_repetitions(curl(12, period_s=2.5))
    rng = np.random.default_rng(4)
    walk = np.cumsum(rng.normal(0, 1, (1600, 3)), axis=0)
    smooth = np.apply_along_axis(np.convolve, 0, walk, np.ones(50) / 50, mode="same")
    aimless = smooth / np.linalg.norm(smooth, axis=1, keepdims=True)
    assert 0.0 <= count_in_arrays(aimless, None, RATE_HZ).confidence < steady.confidence <= 1.0


def test_fit_confidence_recovers_the_log_odds() -> None:
    """The first trait has the log odds 2·trait; the others are noise."""
    rng = np.random.default_rng(0)
    traits = rng.normal(size=(4000, 5))
    exact = (rng.random(4000) < 1 / (1 + np.exp(-2 * traits[:, 0]))).astype(np.float64)
    learned = fit_confidence(traits, exact)
    assert learned.weights[0] == pytest.approx(2.0, abs=0.2)
    assert np.abs(learned.weights[1:]).max() < 0.2
    assert Confidence(learned.weights, learned.bias).of(np.zeros(5)) == pytest.approx(0.5, abs=0.05)
