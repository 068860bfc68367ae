"""From pieces of any rate and clock to 50 Hz: every sample at its time, once."""

from dataclasses import replace

import numpy as np
import pytest

from models.signal.pieces import Recording
from models.signal.timing import runs
from models.signal.wrist import wrist_signals
from tests.models.streams import SCALE, error_g, piece, pieces, quickening


def test_a_50_hz_stream_is_not_touched():
    sent = piece(np.arange(500) / 50)
    (signal,) = wrist_signals(Recording((sent,), (), "left"))
    assert np.array_equal(signal.acc_g, sent.counts * np.float32(SCALE))
    assert signal.gyro_rad_s is None


@pytest.mark.parametrize("rate_hz", [20.0, 25.0, 48.9, 52.0, 100.0, 104.0, 416.0, 1000.0])
def test_any_rate_becomes_50_hz(rate_hz):
    stream = pieces(rate_hz, rate_hz, round(12 * rate_hz), 256)
    (signal,) = wrist_signals(Recording(stream, (), None))
    assert abs(len(signal.acc_g) - 600) <= 3
    assert error_g(signal) < 0.02


def test_faster_than_25_hz_is_not_folded_back():
    def buzz(t_s):
        return np.stack([np.sin(2 * np.pi * 40 * t_s), 0 * t_s, 1 + 0 * t_s], axis=1)

    sent = piece(np.arange(2000) / 200, rate_hz=200.0, values=buzz)
    (signal,) = wrist_signals(Recording((sent,), (), None))
    assert np.abs(signal.acc_g[20:-20, 0]).max() < 0.02


def test_drift_is_read_from_the_starts_of_the_pieces():
    """48.9 Hz that claims 50: without it the end of two minutes would lie 2.6 s early."""
    stream = pieces(48.9, 50.0, 5868, 489)
    (signal,) = wrist_signals(Recording(stream, (), None))
    assert signal.duration_s == pytest.approx(120, abs=0.05)
    assert error_g(signal) < 0.02


@pytest.mark.parametrize(("rate_hz", "claimed_hz"), [(56.0, 50.0), (60.0, 50.0), (112.0, 100.0)])
@pytest.mark.parametrize("lost", [(), (3,)])
def test_a_device_faster_than_it_says_keeps_every_sample_at_its_time(rate_hz, claimed_hz, lost):
    """The starts of a minute's chunks are right, and nothing was sent twice."""
    sent = pieces(rate_hz, claimed_hz, round(60 * rate_hz), 256, quickening)
    held = tuple(one for n, one in enumerate(sent) if n not in lost)
    (run,) = runs("acc", held)
    assert len(run.t_s) == sum(len(one.counts) for one in held)
    (signal,) = wrist_signals(Recording(held, (), None))
    assert signal.notes[:1] == ("rate-was-higher",)
    assert signal.duration_s == pytest.approx(60, abs=0.05)
    if not lost:
        assert error_g(signal, quickening) < 0.02


def test_windows_that_slide_over_each_other_are_sent_twice():
    """Every chunk holds the second half of the one before, by a true clock and by a late one."""
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


def test_chunks_that_disagree_about_the_rate_overlap_and_say_so():
    """A clock that is set back a second once is no device of another rate."""
    sent = pieces(50.0, 50.0, 3000, 500, quickening)
    back = (*sent[:3], *(replace(one, t0_ns=one.t0_ns - 10**9) for one in sent[3:]))
    (signal,) = wrist_signals(Recording(back, (), None))
    assert signal.notes == ("samples-overlapped",)
    assert signal.duration_s == pytest.approx(59, abs=0.05)


def test_jitter_of_arrival_is_taken_off():
    rng = np.random.default_rng(0)
    stream = tuple(
        replace(p, t0_ns=p.t0_ns + int(rng.uniform(-8e6, 8e6)))
        for p in pieces(50.0, 50.0, 3000, 50)
    )
    (signal,) = wrist_signals(Recording(stream, (), None))
    assert error_g(signal) < 0.05


def test_what_was_sent_twice_counts_once_and_order_does_not_matter():
    stream = pieces(50.0, 50.0, 1000, 100)
    (plain,) = wrist_signals(Recording(stream, (), None))
    again = (*stream[3:], *stream[:5])
    (signal,) = wrist_signals(Recording(again, (), None))
    assert np.array_equal(signal.acc_g, plain.acc_g)
