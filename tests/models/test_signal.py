"""From raw pieces to true 50 Hz signals: every expected value is made by the test itself."""

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from models.signal.pieces import Piece, Recording
from models.signal.timing import Run, _regular_times_s, runs
from models.signal.truth import LOW_RATE, NO_GRAVITY, WRONG_ROTATION, cut, truthful
from models.signal.units import STANDARD_GRAVITY
from models.signal.windows import window_starts
from models.signal.wrist import _beside, _grid_s, wrist_signals
from schemas.errors import BadSamples

SCALE = 1 / 4096


def sines(t_s: np.ndarray) -> np.ndarray:
    """A wrist that swings at 1 Hz around 1 g, smooth enough for any good resampling."""
    waves = [0.5 * np.sin(2 * np.pi * t_s), 0.3 * np.cos(2 * np.pi * t_s), 1 + 0 * t_s]
    return np.stack(waves, axis=1)


def piece(t_s, *, t0_ns=0, rate_hz=50.0, values=sines, **changes) -> Piece:
    counts = np.rint(values(np.asarray(t_s)) / SCALE).astype(np.int16)
    return replace(Piece(t0_ns, rate_hz, "g", SCALE, counts), **changes)


def quickening(t_s: np.ndarray) -> np.ndarray:
    """A swing that never comes back to where it was: no sample stands twice."""
    return sines(t_s + 0.002 * t_s**2)


def pieces(rate_hz: float, claimed_hz: float, n: int, size: int, values=sines) -> tuple[Piece, ...]:
    """A stream of a device that runs at one rate and claims another."""
    t_s = np.arange(n) / rate_hz
    return tuple(
        piece(t_s[i : i + size], t0_ns=round(t_s[i] * 1e9), rate_hz=claimed_hz, values=values)
        for i in range(0, n, size)
    )


def error_g(signal, values=sines) -> float:
    t_s = signal.t0_ns / 1e9 + np.arange(len(signal.acc_g)) / 50
    return float(np.abs(signal.acc_g - values(t_s))[10:-10].max())


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


def with_hole(n: int, lost: int, **changes) -> Piece:
    """20 s at 50 Hz of which `lost` samples from the 401st on are missing."""
    kept = np.r_[0:400, 400 + lost : n]
    t_s = np.arange(n) / 50
    return piece(t_s[kept], t_ms=np.rint(t_s[kept] * 1000).astype(np.int32), **changes)


@pytest.mark.parametrize(("lost", "filled"), [(3, 0), (20, 20), (100, 100), (298, 298)])
def test_lost_samples_are_filled_on_a_line_and_said_so(lost, filled):
    (signal,) = wrist_signals(Recording((with_hole(1000, lost),), (), None))
    assert len(signal.acc_g) == 1000
    assert signal.heard_s == pytest.approx((1000 - filled) / 50)
    assert signal.notes == (("gaps-were-filled",) if filled else ())
    if filled:
        assert np.flatnonzero(signal.filled).tolist() == list(range(400, 400 + lost))
        ends = signal.acc_g[[399, 400 + lost]]
        line = np.linspace(ends[0], ends[1], lost + 2)
        assert np.abs(signal.acc_g[399 : 401 + lost] - line).max() < 1e-6
    heard = np.ones(1000, bool) if signal.filled is None else ~signal.filled
    assert np.abs(signal.acc_g - sines(np.arange(1000) / 50))[heard].max() < 0.001


def test_a_gap_over_six_seconds_parts_a_recording():
    before, after = wrist_signals(Recording((with_hole(1000, 310),), (), None))
    assert (len(before.acc_g), len(after.acc_g)) == (400, 290)
    assert after.t0_ns == 710 * 20_000_000
    assert before.filled is after.filled is None


def test_rotation_that_is_lost_alone_is_filled_alone():
    acc = piece(np.arange(1000) / 50)
    gyro = with_hole(1000, 100, unit="rad/s")
    (signal,) = wrist_signals(Recording((acc,), (gyro,), "left"))
    assert np.flatnonzero(signal.filled).tolist() == list(range(400, 500))
    assert error_g(signal) < 0.001
    assert np.abs(np.diff(signal.gyro_rad_s[400:500], 2, axis=0)).max() < 1e-5


def test_a_lost_chunk_of_a_fast_device_is_filled():
    sent = pieces(100.0, 100.0, 4000, 100)
    held = tuple(one for n, one in enumerate(sent) if n % 8 != 5)
    (signal,) = wrist_signals(Recording(held, (), None))
    assert signal.heard_s == pytest.approx(35, abs=0.1)
    apart = np.abs(np.subtract.outer(np.arange(2000), np.flatnonzero(signal.filled))).min(axis=1)
    far = apart[: len(signal.acc_g)] > 5  # the low pass smears the line's corners
    assert np.abs(signal.acc_g - sines(np.arange(len(signal.acc_g)) / 50))[far].max() < 0.01


def test_a_slow_device_has_lost_nothing():
    sent = piece(np.arange(125) / 12.5, t_ms=np.arange(125, dtype=np.int32) * 80)
    (signal,) = wrist_signals(Recording((sent,), (), None))
    assert signal.filled is None


def test_windows_with_much_filled_are_left_out():
    filled = np.zeros(500, bool)
    filled[200:251] = True
    assert window_starts(500, 1.0).tolist() == [0, 50, 100, 150, 200, 250, 300]
    assert window_starts(500, 1.0, filled).tolist() == [0, 50, 250, 300]
    filled[250] = False
    assert window_starts(500, 1.0, filled).tolist() == [0, 50, 100, 150, 200, 250, 300]


def at_times(t_ms: np.ndarray, **changes) -> Piece:
    return piece(t_ms / 1000, t_ms=t_ms.astype(np.int32), **changes)


def test_samples_in_bursts_cost_what_samples_cost():
    """Three samples 1 ms apart, again and again after 5.9 s: as it seems, ten minutes of 1 kHz."""
    t_ms = (np.arange(100)[:, None] * 5900 + np.arange(3)).ravel()
    tracemalloc.start()
    (signal,) = wrist_signals(Recording((at_times(t_ms),), (), None))
    most_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(signal.acc_g) == 99 * 295 + 1
    assert most_bytes < 200 * len(signal.acc_g)  # 584,000 even rows took 80 MB


def test_rotation_is_looked_for_only_beside_acceleration():
    """Every sample is a stretch of its own: all of rotation for each would be a million looks."""
    still = np.zeros((2, 3), dtype=np.float32)
    alone = [Run(k * 7 * 10**9, np.array([0.0, 0.02]), still) for k in range(1000)]
    assert _beside(alone[500], alone) == [alone[500]]
    long = Run(0, np.array([0.0, 30.0]), still)
    assert _beside(long, alone) == alone[:5]
    assert _beside(alone[3], [long]) == [long]


def test_stretches_far_apart_each_keep_their_rotation():
    t_ms = np.concatenate([np.arange(250) * 20 + k * 20_000 for k in range(3)])
    acc, gyro = at_times(t_ms), at_times(t_ms, unit="rad/s")
    found = wrist_signals(Recording((acc,), (gyro,), None))
    assert [len(one.acc_g) for one in found] == [250, 250, 250]
    for one in found:
        assert one.gyro_rad_s is not None
        assert np.array_equal(one.gyro_rad_s, one.acc_g)


def test_rotation_is_laid_on_the_grid_of_acceleration():
    acc = piece(np.arange(500) / 50)
    gyro_t = np.arange(1000) / 100 + 0.004
    gyro = piece(gyro_t, t0_ns=4_000_000, rate_hz=100.0, unit="rad/s")
    (signal,) = wrist_signals(Recording((acc,), (gyro,), "right"))
    want = sines(np.arange(500) / 50)
    assert np.abs(signal.gyro_rad_s - want)[10:-10].max() < 0.02


@pytest.mark.parametrize("rate_hz", [25.0, 50.0, 100.0])
def test_sensors_in_step_give_what_they_give_in_two_pieces_each(rate_hz):
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


def test_where_rotation_stops_the_signal_is_split():
    acc = piece(np.arange(1000) / 50)
    gyro = piece(np.arange(500) / 50, unit="rad/s")
    both, bare = wrist_signals(Recording((acc,), (gyro,), None))
    assert both.gyro_rad_s is not None
    assert bare.gyro_rad_s is None
    assert len(both.acc_g) + len(bare.acc_g) == 1000


def low_hand(t_s):
    """A left hand that hangs: gravity along +x, a little along +y."""
    sway = 0.05 * np.sin(2 * np.pi * t_s)
    return np.stack([0.95 + sway, 0.3 + 0 * t_s, 0 * t_s], axis=1)


@pytest.mark.parametrize(("sign", "notes"), [(1, 1), (-1, 2)])
def test_a_wrong_unit_and_turned_axes_are_noticed(sign, notes):
    t_s = np.arange(500) / 50
    honest = piece(t_s, values=low_hand)
    counts = np.rint(honest.counts * SCALE * STANDARD_GRAVITY * sign / 0.002).astype(np.int16)
    lying = replace(honest, counts=counts, scale=0.002)
    (signal,) = wrist_signals(Recording((lying,), (), "left"))
    assert len(signal.notes) == notes
    assert np.abs(signal.acc_g - low_hand(t_s)).max() < 0.002
    part = cut(Recording((lying,), (), "left"), 2 * 10**9, 4 * 10**9)
    assert truthful(part)[1] == ()  # judged once, on the whole
    (short,) = wrist_signals(part)
    assert np.abs(short.acc_g - low_hand(t_s)[100:200]).max() < 0.002


def test_a_wrong_device_is_judged_by_its_own_samples_not_by_its_neighbours():
    """A minute of an honest sensor, then twenty seconds of one in m/s² with all axes turned."""
    honest = piece(np.arange(3000) / 50, values=low_hand)
    at_s = np.arange(1000) / 50
    later = piece(at_s, t0_ns=100 * 10**9, values=low_hand)
    counts = np.rint(-later.counts * SCALE * STANDARD_GRAVITY / 0.002).astype(np.int16)
    turned = replace(later, counts=counts, scale=0.002)
    fixed, notes = truthful(Recording((honest, turned), (), "left"))
    assert notes == ("unit-was-m/s2", "axes-were-turned")
    assert fixed.acc[0] is honest
    back = fixed.acc[1].counts * fixed.acc[1].scale / STANDARD_GRAVITY
    np.testing.assert_allclose(back, low_hand(at_s), atol=0.01)


def jumping_jacks(t_s):
    """A wrist that rests for 40 s, is thrown about at 3 g for 20 s, and rests again."""
    thrown = 3.0 * np.sign(np.sin(2 * np.pi * t_s)) * ((t_s >= 40) & (t_s < 60))
    return low_hand(t_s) + thrown[:, None] * np.array([0.0, 0.3, 1.0])


@pytest.mark.parametrize("own_scale", [False, True])
@pytest.mark.parametrize("size", [50, 128, 256, 512, 5000])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_wrong_unit_is_wrong_in_every_chunk(size, own_scale, sign):
    """By themselves those of the jacks say more than any m/s² at rest; chunks may be scaled."""
    whole = jumping_jacks(np.arange(5000) / 50) * STANDARD_GRAVITY * sign
    chunks = []
    for first in range(0, 5000, size):
        part = whole[first : first + size]
        scale = float(np.abs(part).max()) / 32000 if own_scale else 0.002
        counts = np.rint(part / scale).astype(np.int16)
        chunks.append(Piece(first * 20_000_000, 50.0, "g", scale, counts))
    fixed, notes = truthful(Recording(tuple(chunks), (), "left"))
    assert {one.unit for one in fixed.acc} == {"m/s2"}
    assert len({one.scale > 0 for one in fixed.acc}) == 1
    assert notes[0] == "unit-was-m/s2"
    (signal,) = wrist_signals(fixed)
    assert np.abs(signal.acc_g).max() < 6


def test_an_honest_unit_is_believed():
    t_s = np.arange(300) / 50
    acc = piece(t_s)
    counts = np.rint(acc.counts * SCALE * STANDARD_GRAVITY / 0.002).astype(np.int16)
    (signal,) = wrist_signals(
        Recording((replace(acc, counts=counts, scale=0.002, unit="m/s2"),), (), None)
    )
    assert signal.notes == ()
    assert error_g(signal) < 0.002


@pytest.mark.parametrize("seconds", [100, 8])
def test_g_under_another_name_is_noticed_where_there_is_enough_of_it(seconds):
    sent = tuple(
        replace(one, unit="m/s2") for one in pieces(50.0, 50.0, 50 * seconds, 128, low_hand)
    )
    (signal,) = wrist_signals(Recording(sent, (), "left"))
    if seconds == 8:
        assert signal.notes == (NO_GRAVITY,)
        return
    assert signal.notes == ("unit-was-g",)
    assert error_g(signal, low_hand) < 0.001
    part = cut(Recording(sent, (), "left"), 2 * 10**9, 4 * 10**9)
    assert truthful(part)[1] == ()  # judged once, on the whole
    assert {one.unit for one in part.acc} == {"g"}


def test_what_is_left_without_gravity_stays_what_it_claims():
    """About .1 g in the middle, as g under m/s² is, and far from it every other second."""

    def linear(t_s):
        size_ms2 = 1.0 + 0.9 * np.sin(2 * np.pi * t_s / 9)
        return low_hand(t_s) * size_ms2[:, None]

    sent = piece(np.arange(5000) / 50, values=linear, unit="m/s2")
    (signal,) = wrist_signals(Recording((sent,), (), "left"))
    assert signal.notes == (NO_GRAVITY,)


def test_a_cut_slices_and_never_resamples():
    stream = pieces(50.0, 50.0, 1000, 128)
    found = cut(Recording(stream, (), None), 3 * 10**9, 7 * 10**9)
    counts = np.concatenate([p.counts for p in found.acc])
    assert np.array_equal(counts, np.concatenate([p.counts for p in stream])[150:350])
    assert found.acc[0].t0_ns == 3 * 10**9


@pytest.mark.parametrize("change", [{"unit": "furlong"}, {"rate_hz": float("nan")}, {"scale": 0.0}])
def test_what_no_device_means_is_refused(change):
    sent = replace(piece(np.arange(300) / 50), **change)
    with pytest.raises(BadSamples):
        wrist_signals(Recording((sent,), (), None))


def weeks_in_kilobytes(chunks: int, apart_s: int) -> tuple[Piece, ...]:
    """Chunks of 1 Hz, each 2.3 hours long, zeros that take no room."""
    zeros = np.zeros((8192, 3), dtype=np.int16)
    return tuple(Piece(n * apart_s * 10**9, 1.0, "g", SCALE, zeros) for n in range(chunks))


@pytest.mark.parametrize("apart_s", [8192, 10_000])
def test_of_more_than_a_day_the_first_one_is_looked_at(apart_s):
    """In one stretch, or in several."""
    whole = wrist_signals(Recording(weeks_in_kilobytes(10, apart_s), (), None))
    assert sum(signal.duration_s for signal in whole) > 80_000
    long = weeks_in_kilobytes(12, apart_s)
    found = wrist_signals(Recording(long, (), None))
    assert sum(signal.duration_s for signal in found) == pytest.approx(86_400, abs=len(found))
    assert [signal.t0_ns for signal in found][: len(whole)] == [signal.t0_ns for signal in whole]


def test_rotation_of_more_than_a_day_is_looked_at_as_long():
    long = weeks_in_kilobytes(11, 8192)
    turning = tuple(replace(one, unit="rad/s", counts=one.counts.copy()) for one in long)
    turning[0].counts[0] += 1  # one that never changes would be left out
    short = (piece(np.arange(500) / 50, t0_ns=86_395 * 10**9),)  # its second half is after the day
    first, second = wrist_signals(Recording(short, turning, None))
    assert first.gyro_rad_s is not None
    assert second.gyro_rad_s is None
    assert len(first.acc_g) + len(second.acc_g) == 500


def test_a_few_samples_of_a_fast_device_are_no_gigabyte():
    """Pairs a millisecond apart, 5.9 s between them: the usual step says 1,000 Hz."""
    t_ms = np.cumsum(np.tile([1, 1, 5898], 2400)).astype(np.int32)
    sparse = piece(t_ms / 1e3, rate_hz=1000.0, t_ms=t_ms)
    tracemalloc.start()
    try:
        (signal,) = wrist_signals(Recording((sparse,), (), None))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert signal.duration_s > 14_000
    assert peak_bytes < 300e6


def test_times_of_long_recordings_are_not_kept():
    for n in (8192, 8193, 100_000):
        wrist_signals(Recording((piece(np.arange(n) / 50),), (), None))
    kept = [_grid_s.cache_info(), _regular_times_s.cache_info()]
    wrist_signals(Recording((piece(np.arange(200_000) / 50),), (), None))
    assert [_grid_s.cache_info(), _regular_times_s.cache_info()] == kept


def test_what_models_count_on_is_missed() -> None:
    t_s = np.arange(500) / 50
    down = np.array([0.0, 0.0, 1.0])
    whole = piece(t_s)
    linear = piece(t_s, values=lambda at_s: sines(at_s) - down)
    slow = piece(np.arange(125) / 12.5, rate_hz=12.5)
    at_own_times = replace(slow, rate_hz=50.0, t_ms=np.arange(125, dtype=np.int32) * 80)
    for sent, notes in (
        (whole, ()),
        (linear, (NO_GRAVITY,)),
        (slow, (LOW_RATE,)),
        (at_own_times, (LOW_RATE,)),
    ):
        (signal,) = wrist_signals(Recording((sent,), (), None))
        assert signal.notes == notes


def test_rotation_that_never_changes_is_left_out_and_said_so() -> None:
    t_s = np.arange(500) / 50
    turning = piece(t_s, unit="rad/s")
    off = replace(turning, counts=np.tile(turning.counts[:1], (500, 1)))
    held = replace(off, counts=off.counts[:400]), piece(t_s[400:], t0_ns=8 * 10**9, unit="rad/s")
    for gyro, notes in (((off,), ("rotation-is-constant",)), (held, ()), ((turning,), ())):
        (signal,) = wrist_signals(Recording((piece(t_s),), gyro, None))
        assert signal.notes == notes
        assert (signal.gyro_rad_s is None) == bool(notes)


def test_rotation_in_degrees_is_noticed_whatever_it_says() -> None:
    t_s = np.arange(500) / 50
    turning = piece(t_s, unit="rad/s", scale=1 / 1024)  # up to 4 rad/s
    lies = replace(turning, scale=turning.scale * 180 / np.pi)
    says = replace(lies, unit="deg/s")
    found = [
        wrist_signals(Recording((piece(t_s),), (sent,), "left"))[0]
        for sent in (turning, lies, says)
    ]
    assert [one.notes for one in found] == [(), (WRONG_ROTATION,), ()]
    for one in found:
        assert one.gyro_rad_s is not None
        np.testing.assert_allclose(one.gyro_rad_s, found[0].gyro_rad_s, rtol=1e-5)
