"""Signals of a wrist: filled gaps, rotation aligned with acceleration, bounded memory."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from models.signal import wrist
from models.signal.pieces import Piece, Recording
from models.signal.runs import GaplessRun, _regular_times_s
from models.signal.windows import window_starts
from models.signal.wrist import _grid_s, _overlapping_runs, wrist_signals
from schemas.errors import BadSamples
from tests.models.streams import SCALE, error_g, piece, pieces, sines
from tests.peak_memory import peak_bytes


def with_hole(n: int, lost: int, **changes) -> Piece:
    """20 s at 50 Hz of which `lost` samples from the 401st on are missing."""
    kept = np.r_[0:400, 400 + lost : n]
    t_s = np.arange(n) / 50
    return piece(t_s[kept], t_ms=np.rint(t_s[kept] * 1000).astype(np.int32), **changes)


@pytest.mark.parametrize(("lost", "filled"), [(3, 0), (20, 20), (100, 100), (298, 298)])
def test_lost_samples_are_interpolated_and_noted(lost, filled):
    (signal,) = wrist_signals(Recording((with_hole(1000, lost),), (), None))
    assert len(signal.acc_g) == 1000
    assert signal.recorded_s == pytest.approx((1000 - filled) / 50)
    assert signal.notes == (("gaps-were-filled",) if filled else ())
    if filled:
        assert np.flatnonzero(signal.filled).tolist() == list(range(400, 400 + lost))
        ends = signal.acc_g[[399, 400 + lost]]
        line = np.linspace(ends[0], ends[1], lost + 2)
        assert np.abs(signal.acc_g[399 : 401 + lost] - line).max() < 1e-6
    heard = np.ones(1000, bool) if signal.filled is None else ~signal.filled
    assert np.abs(signal.acc_g - sines(np.arange(1000) / 50))[heard].max() < 0.001


def test_gap_over_six_seconds_splits_a_recording():
    before, after = wrist_signals(Recording((with_hole(1000, 310),), (), None))
    assert (len(before.acc_g), len(after.acc_g)) == (400, 290)
    assert after.t0_ns == 710 * 20_000_000
    assert before.filled is after.filled is None


def test_gap_in_rotation_alone_is_filled_and_acceleration_kept():
    acc = piece(np.arange(1000) / 50)
    gyro = with_hole(1000, 100, unit="rad/s")
    (signal,) = wrist_signals(Recording((acc,), (gyro,), "left"))
    assert np.flatnonzero(signal.filled).tolist() == list(range(400, 500))
    assert error_g(signal) < 0.001
    assert np.abs(np.diff(signal.gyro_rad_s[400:500], 2, axis=0)).max() < 1e-5


def test_lost_chunks_of_a_100_hz_device_are_filled():
    sent = pieces(100.0, 100.0, 4000, 100)
    held = tuple(one for n, one in enumerate(sent) if n % 8 != 5)
    (signal,) = wrist_signals(Recording(held, (), None))
    assert signal.recorded_s == pytest.approx(35, abs=0.1)
    apart = np.abs(np.subtract.outer(np.arange(2000), np.flatnonzero(signal.filled))).min(axis=1)
    far = apart[: len(signal.acc_g)] > 5  # the low pass smears the line's corners
    assert np.abs(signal.acc_g - sines(np.arange(len(signal.acc_g)) / 50))[far].max() < 0.01


def test_slow_device_has_no_filled_samples():
    sent = piece(np.arange(125) / 12.5, t_ms=np.arange(125, dtype=np.int32) * 80)
    (signal,) = wrist_signals(Recording((sent,), (), None))
    assert signal.filled is None


def test_windows_with_many_filled_samples_are_left_out():
    filled = np.zeros(500, bool)
    filled[200:251] = True
    assert window_starts(500, 1.0).tolist() == [0, 50, 100, 150, 200, 250, 300]
    assert window_starts(500, 1.0, filled).tolist() == [0, 50, 250, 300]
    filled[250] = False
    assert window_starts(500, 1.0, filled).tolist() == [0, 50, 100, 150, 200, 250, 300]


def at_times(t_ms: np.ndarray, **changes) -> Piece:
    return piece(t_ms / 1000, t_ms=t_ms.astype(np.int32), **changes)


def test_bursts_of_samples_use_memory_of_the_resampled_signal_only():
    """Three samples 1 ms apart every 5.9 s look like ten minutes at 1 kHz."""
    t_ms = (np.arange(100)[:, None] * 5900 + np.arange(3)).ravel()
    recording, rows = Recording((at_times(t_ms),), (), None), 99 * 295 + 1
    limit_bytes = 200 * rows  # 584,000 even rows took 80 MB
    (signal,), most_bytes = peak_bytes(lambda: wrist_signals(recording), limit_bytes)
    assert len(signal.acc_g) == rows
    assert most_bytes < limit_bytes


def test_overlapping_runs_of_rotation_are_found():
    """Among many short runs; comparing all pairs would take a million steps."""
    still = np.zeros((2, 3), dtype=np.float32)
    alone = [GaplessRun(k * 7 * 10**9, np.array([0.0, 0.02]), still) for k in range(1000)]
    assert _overlapping_runs(alone[500], alone) == [alone[500]]
    long = GaplessRun(0, np.array([0.0, 30.0]), still)
    assert _overlapping_runs(long, alone) == alone[:5]
    assert _overlapping_runs(alone[3], [long]) == [long]


def test_distant_runs_each_keep_their_rotation():
    t_ms = np.concatenate([np.arange(250) * 20 + k * 20_000 for k in range(3)])
    acc, gyro = at_times(t_ms), at_times(t_ms, unit="rad/s")
    found = wrist_signals(Recording((acc,), (gyro,), None))
    assert [len(one.acc_g) for one in found] == [250, 250, 250]
    for one in found:
        assert one.gyro_rad_s is not None
        assert np.array_equal(one.gyro_rad_s, one.acc_g)


def test_rotation_is_resampled_to_the_times_of_acceleration():
    acc = piece(np.arange(500) / 50)
    gyro_t = np.arange(1000) / 100 + 0.004
    gyro = piece(gyro_t, t0_ns=4_000_000, rate_hz=100.0, unit="rad/s")
    (signal,) = wrist_signals(Recording((acc,), (gyro,), "right"))
    want = sines(np.arange(500) / 50)
    assert np.abs(signal.gyro_rad_s - want)[10:-10].max() < 0.02


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 100.0])
def test_signal_does_not_depend_on_how_samples_are_split_into_pieces(rate_hz):
    rng = np.random.default_rng(3)
    acc, gyro = (rng.integers(-2000, 2000, (400, 3)).astype(np.int16) for _ in range(2))

    def pieces(counts, unit, at):
        return tuple(
            Piece(round(first / rate_hz * 1e9), rate_hz, unit, 0.001, counts[first:end])
            for first, end in pairwise((0, *at, len(counts)))
        )

    [once] = wrist_signals(Recording(pieces(acc, "g", ()), pieces(gyro, "rad/s", ()), "left"))
    [twice] = wrist_signals(
        Recording(pieces(acc, "g", (200,)), pieces(gyro, "rad/s", (100,)), "left")
    )
    assert once.t0_ns == twice.t0_ns
    assert once.notes == twice.notes
    assert np.array_equal(once.acc_g, twice.acc_g)
    assert np.array_equal(once.gyro_rad_s, twice.gyro_rad_s)


def test_signal_is_split_where_rotation_ends():
    acc = piece(np.arange(1000) / 50)
    gyro = piece(np.arange(500) / 50, unit="rad/s")
    both, bare = wrist_signals(Recording((acc,), (gyro,), None))
    assert both.gyro_rad_s is not None
    assert bare.gyro_rad_s is None
    assert len(both.acc_g) + len(bare.acc_g) == 1000


@pytest.mark.parametrize("bare_s", [1.0, 3.0])
def test_acceleration_is_kept_where_rotation_starts_late_or_ends_early(bare_s):
    """Up to 4 s it has no window, but it may hold a repetition."""
    n = round(bare_s * 50)
    acc = piece(np.arange(1000) / 50)
    late = piece(np.arange(n + 5, 1000) / 50, t0_ns=(n + 5) * 20_000_000, unit="rad/s")
    bare, both = wrist_signals(Recording((acc,), (late,), None))
    assert (bare.gyro_rad_s, len(bare.acc_g), bare.t0_ns) == (None, n, 0)
    assert (both.gyro_rad_s is not None, len(both.acc_g)) == (True, 1000 - n)
    early = piece(np.arange(1000 - n - 5) / 50, unit="rad/s")
    both, bare = wrist_signals(Recording((acc,), (early,), None))
    assert (bare.gyro_rad_s, len(bare.acc_g)) == (None, n)
    assert (both.gyro_rad_s is not None, len(both.acc_g)) == (True, 1000 - n)


@pytest.mark.parametrize("bare_s", [0.06, 0.5, 0.9])
def test_signal_begins_and_ends_with_rotation_that_lacks_for_less_than_a_second(bare_s):
    """A set would else be counted without its rotation."""
    n = round(bare_s * 50) + 5
    acc = piece(np.arange(1000) / 50)
    gyro = piece(np.arange(n, 1000 - n) / 50, t0_ns=n * 20_000_000, unit="rad/s")
    (both,) = wrist_signals(Recording((acc,), (gyro,), None))
    assert both.gyro_rad_s is not None
    assert len(both.acc_g) == 1000 - 2 * (n - 5)


@pytest.mark.parametrize("change", [{"unit": "furlong"}, {"rate_hz": float("nan")}, {"scale": 0.0}])
def test_invalid_unit_rate_and_scale_are_refused(change):
    sent = replace(piece(np.arange(300) / 50), **change)
    with pytest.raises(BadSamples):
        wrist_signals(Recording((sent,), (), None))


def slow_pieces(chunks: int, apart_s: int) -> tuple[Piece, ...]:
    """Chunks of zeros at 1 Hz, each 341 s long."""
    zeros = np.zeros((341, 3), dtype=np.int16)
    return tuple(Piece(n * apart_s * 10**9, 1.0, "g", SCALE, zeros) for n in range(chunks))


@pytest.fixture
def short_day(monkeypatch):
    """Days of an hour."""
    assert wrist.MAX_RECORDING_S == 24 * 3600
    monkeypatch.setattr(wrist, "MAX_RECORDING_S", 3600.0)


@pytest.mark.usefixtures("short_day")
@pytest.mark.parametrize("apart_s", [341, 417])
def test_recordings_are_limited_to_their_first_day(apart_s):
    """In one run, or in several."""
    whole = wrist_signals(Recording(slow_pieces(10, apart_s), (), None))
    assert sum(signal.duration_s for signal in whole) > 3300
    long = slow_pieces(12, apart_s)
    found = wrist_signals(Recording(long, (), None))
    assert sum(signal.duration_s for signal in found) == pytest.approx(3600, abs=len(found))
    assert [signal.t0_ns for signal in found][: len(whole)] == [signal.t0_ns for signal in whole]


@pytest.mark.usefixtures("short_day")
def test_rotation_is_limited_to_the_first_day():
    long = slow_pieces(11, 341)
    back_and_forth = long[0].counts.copy()
    back_and_forth[::2] += 1  # one that does not change is left out
    turning = tuple(replace(one, unit="rad/s", counts=back_and_forth) for one in long)
    short = (piece(np.arange(500) / 50, t0_ns=3595 * 10**9),)  # its second half is after the day
    first, second = wrist_signals(Recording(short, turning, None))
    assert first.gyro_rad_s is not None
    assert second.gyro_rad_s is None
    assert len(first.acc_g) + len(second.acc_g) == 500


def test_sparse_samples_of_a_1_khz_device_use_bounded_memory():
    """Samples a millisecond apart with gaps of 5.9 s: the median step is that of 1,000 Hz."""
    t_ms = np.cumsum(np.tile([1, 1, 5898], 2400)).astype(np.int32)
    sparse = piece(t_ms / 1e3, rate_hz=1000.0, t_ms=t_ms)
    recording = Recording((sparse,), (), None)
    (signal,), most_bytes = peak_bytes(lambda: wrist_signals(recording), 300e6)
    assert signal.duration_s > 14_000
    assert most_bytes < 300e6


def test_times_of_long_recordings_are_not_cached():
    for n in (8192, 8193, 100_000):
        wrist_signals(Recording((piece(np.arange(n) / 50),), (), None))
    kept = [_grid_s.cache_info(), _regular_times_s.cache_info()]
    wrist_signals(Recording((piece(np.arange(200_000) / 50),), (), None))
    assert [_grid_s.cache_info(), _regular_times_s.cache_info()] == kept
