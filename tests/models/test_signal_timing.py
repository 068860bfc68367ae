"""Resampling of pieces of any rate and clock to 50 Hz."""

from dataclasses import replace

import numpy as np
import pytest

from models.signal.pieces import Recording
from models.signal.runs import runs
from models.signal.wrist import wrist_signals
from tests.models.streams import SCALE, error_g, measured, piece, pieces, quickening


def test_stream_of_50_hz_is_not_changed():
    sent = piece(np.arange(500) / 50)
    (signal,) = wrist_signals(Recording((sent,), (), "left"))
    assert np.array_equal(signal.acc_g, sent.counts * np.float32(SCALE))
    assert signal.gyro_rad_s is None


@pytest.mark.parametrize("rate_hz", [20.0, 25.0, 48.9, 52.0, 100.0, 104.0, 416.0, 1000.0])
def test_any_rate_is_resampled_to_50_hz(rate_hz):
    stream = pieces(rate_hz, rate_hz, round(12 * rate_hz), 256)
    (signal,) = wrist_signals(Recording(stream, (), None))
    assert abs(len(signal.acc_g) - 600) <= 3
    assert error_g(signal) < 0.02


def test_frequencies_above_25_hz_are_not_aliased():
    def buzz(t_s):
        return np.stack([np.sin(2 * np.pi * 40 * t_s), 0 * t_s, 1 + 0 * t_s], axis=1)

    sent = piece(np.arange(2000) / 200, rate_hz=200.0, values=buzz)
    (signal,) = wrist_signals(Recording((sent,), (), None))
    assert np.abs(signal.acc_g[20:-20, 0]).max() < 0.02


@pytest.mark.parametrize("own_rate", [False, True])
@pytest.mark.parametrize("size", [49, 489])
def test_clock_drift_is_estimated_from_the_starts_of_the_pieces(size, own_rate):
    """48.9 Hz declared as 50: uncorrected, two minutes would end 2.6 s early."""
    stream = pieces(48.9, 50.0, 5868, size)
    stream = tuple(measured(stream)) if own_rate else stream
    (signal,) = wrist_signals(Recording(stream, (), None))
    assert signal.duration_s == pytest.approx(120, abs=0.05)
    assert error_g(signal) < 0.02


@pytest.mark.parametrize(("rate_hz", "claimed_hz"), [(56.0, 50.0), (60.0, 50.0), (112.0, 100.0)])
@pytest.mark.parametrize("lost", [(), (3,)])
def test_samples_of_a_device_faster_than_declared_keep_their_times(rate_hz, claimed_hz, lost):
    """The starts of the chunks are right, and no sample is repeated."""
    sent = pieces(rate_hz, claimed_hz, round(60 * rate_hz), 256, quickening)
    held = tuple(one for n, one in enumerate(sent) if n not in lost)
    (run,) = runs("acc", held)
    assert len(run.t_s) == sum(len(one.counts) for one in held)
    (signal,) = wrist_signals(Recording(held, (), None))
    assert signal.notes[:1] == ("rate-was-higher",)
    assert signal.duration_s == pytest.approx(60, abs=0.05)
    if not lost:
        assert error_g(signal, quickening) < 0.02


def test_samples_of_overlapping_windows_count_once():
    """Every chunk repeats the second half of the one before; with a true and a slow clock."""
    for rate_hz in (50.0, 48.9):
        n = round(60 * rate_hz)
        whole = pieces(rate_hz, 50.0, n, n, quickening)[0]
        slid = tuple(
            replace(whole, t0_ns=round(at / rate_hz * 1e9), counts=whole.counts[at : at + 200])
            for at in range(0, n - 199, 100)
        )
        (signal,) = wrist_signals(Recording(slid, (), None))
        assert signal.notes == ()
        assert signal.duration_s == pytest.approx(60, abs=2.1)


def test_clock_set_back_once_is_noted_as_overlap():
    """It must not be taken for another rate."""
    sent = pieces(50.0, 50.0, 3000, 500, quickening)
    back = (*sent[:3], *(replace(one, t0_ns=one.t0_ns - 10**9) for one in sent[3:]))
    (signal,) = wrist_signals(Recording(back, (), None))
    assert signal.notes == ("samples-overlapped",)
    assert signal.duration_s == pytest.approx(59, abs=0.05)


@pytest.mark.parametrize("own_rate", [False, True])
def test_arrival_jitter_is_removed(own_rate):
    rng = np.random.default_rng(0)
    stream = tuple(
        replace(p, t0_ns=p.t0_ns + int(rng.uniform(-8e6, 8e6)))
        for p in pieces(50.0, 50.0, 3000, 50)
    )
    stream = tuple(measured(stream)) if own_rate else stream
    (signal,) = wrist_signals(Recording(stream, (), None))
    assert error_g(signal) < 0.05


def test_repeated_chunks_count_once_in_any_order():
    stream = pieces(50.0, 50.0, 1000, 100)
    (plain,) = wrist_signals(Recording(stream, (), None))
    again = (*stream[3:], *stream[:5])
    (signal,) = wrist_signals(Recording(again, (), None))
    assert np.array_equal(signal.acc_g, plain.acc_g)
