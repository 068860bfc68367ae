"""Samples stamped at the arrival of their batch: their true times are reconstructed."""

from dataclasses import replace

import numpy as np
import pytest

from models.signal.batches import undo_batching
from models.signal.pieces import Piece, Recording
from models.signal.timeline import cut
from models.signal.wrist import judge, wrist_signals
from schemas.notes import BATCHED_TIMES, LOW_RATE
from tests.models.batched_stamps import N, stamped
from tests.models.streams import error_g, measured, only_signal, piece, quickening, sines


def chunks(sent: Piece, size: int) -> tuple[Piece, ...]:
    """A piece as chunks with times relative to their first sample, as in the wire format."""
    assert sent.t_ms is not None
    parts: list[Piece] = []
    for first in range(0, len(sent.counts), size):
        t_ms, counts = sent.t_ms[first : first + size], sent.counts[first : first + size]
        t0_ns = int(t_ms[0]) * 10**6
        parts.append(replace(sent, t0_ns=t0_ns, counts=counts, t_ms=t_ms - t_ms[0]))
    return tuple(parts)


@pytest.mark.parametrize("chunk", [50, 512, N])
@pytest.mark.parametrize("apart_ms", [0, 1])
@pytest.mark.parametrize("size", [2, 5, 25])
def test_batch_timestamps_are_replaced_by_sampling_times(size, apart_ms, chunk):
    signal = only_signal(chunks(stamped(size, apart_ms), chunk))
    assert signal.notes == (BATCHED_TIMES,)
    late_s = apart_ms * (size - 1) / 1000  # the last stamp of a batch is late by this
    assert len(signal.acc_g) == N
    assert error_g(signal, lambda t_s: sines(t_s - late_s)) < 0.01


@pytest.mark.parametrize("own_rate", [False, True])
@pytest.mark.parametrize("chunk", [50, 512, N])
def test_true_rate_is_estimated_from_the_batches(chunk, own_rate):
    sent = chunks(stamped(10, 0, rate_hz=48.9), chunk)
    signal = only_signal(tuple(measured(sent)) if own_rate else sent)
    assert signal.duration_s == pytest.approx(N / 48.9, abs=0.05)
    assert error_g(signal, sines) < 0.02


def test_samples_with_one_timestamp_are_spaced_by_the_declared_rate():
    at_once = piece(np.arange(512) / 50, t_ms=np.zeros(512, dtype=np.int32))
    signal = only_signal((at_once,))
    assert (len(signal.acc_g), signal.notes) == (512, (BATCHED_TIMES,))
    assert signal.t0_ns == -round(511 / 50 * 1e9)  # the last one was taken when it arrived
    assert error_g(signal, lambda t_s: sines(t_s + 511 / 50)) < 0.001


def batch_notes(acc: Piece, gyro: Piece) -> list[tuple[str, str]]:
    """The notes on batches; one sensor may have other ones."""
    recording = Recording((acc,), (replace(gyro, unit="rad/s"),), "left")
    assert wrist_signals(recording)[0].notes.count(BATCHED_TIMES) <= 1
    return [(sensor, note) for sensor, note in judge(recording).notes if note == BATCHED_TIMES]


def test_batches_are_noted_with_the_sensor_whose_times_came_in_them():
    even, late = piece(np.arange(N) / 50, values=quickening), stamped(5, 0)
    assert batch_notes(even, late) == [("gyro", BATCHED_TIMES)]
    assert batch_notes(late, even) == [("acc", BATCHED_TIMES)]
    assert batch_notes(late, late) == [("acc", BATCHED_TIMES), ("gyro", BATCHED_TIMES)]


def test_batches_of_rotation_are_not_noted_with_acceleration_that_repeats_itself():
    """Acceleration of 12.5 Hz that is read at 50 Hz is thinned, which gives it times, too."""
    measured_s = np.floor(np.arange(N) / 4) / 12.5
    polled = piece(measured_s, values=quickening)
    assert batch_notes(polled, stamped(5, 0)) == [("gyro", BATCHED_TIMES)]


def test_lost_batch_leaves_a_gap_at_its_time():
    """The batch is half a second inside a chunk."""
    sent = stamped(25, 0)
    assert sent.t_ms is not None
    kept = np.r_[0:1000, 1025:N]
    received = replace(sent, counts=sent.counts[kept], t_ms=sent.t_ms[kept])
    signal = only_signal(chunks(received, 600))
    assert np.flatnonzero(signal.filled).tolist() == list(range(1000, 1025))
    heard = ~signal.filled
    assert np.abs(signal.acc_g - sines(signal.t0_ns / 1e9 + np.arange(N) / 50))[heard].max() < 0.01


def test_late_batches_do_not_shift_their_samples():
    """A tenth of the batches arrives 40 ms late."""
    sent = stamped(10, 0)
    assert sent.t_ms is not None
    late_ms = 40 * (np.arange(N) // 10 % 10 == 3)
    signal = only_signal(chunks(replace(sent, t_ms=(sent.t_ms + late_ms).astype(np.int32)), 500))
    assert error_g(signal) < 0.01


def test_cut_recording_keeps_the_sampling_times():
    sent = Recording(chunks(stamped(25, 0), 500), (), "left")
    (signal,) = wrist_signals(cut(sent, 20 * 10**9, 30 * 10**9))
    assert len(signal.acc_g) == 500
    assert signal.t0_ns == 20 * 10**9
    assert error_g(signal) < 0.01


def test_bursts_with_gaps_between_them_are_not_taken_for_batches():
    t_ms = (np.arange(100)[:, None] * 200 + np.arange(3)).ravel().astype(np.int32)
    assert BATCHED_TIMES not in only_signal((piece(t_ms / 1000, t_ms=t_ms),)).notes


def test_pieces_without_times_are_kept_beside_batched_ones():
    plain = piece(np.arange(100) / 50, t0_ns=100 * 10**9)
    *batched, last = undo_batching([plain, stamped(25, 0)])
    assert last is plain
    assert [part.t_ms for part in batched] == [None] * len(batched)
    assert sum(len(part.counts) for part in batched) == N


@pytest.mark.parametrize("t_ms", [(0, 1, 1, 1), (0, 0, 0, 1)])
def test_samples_close_together_are_no_batch_unless_all_have_one_timestamp(t_ms):
    sent = [piece(np.arange(4) / 50, t_ms=np.array(t_ms, dtype=np.int32))]
    assert undo_batching(sent) is sent


def test_samples_sent_twice_with_one_timestamp_count_once():
    """25 Hz with each sample twice looks like 50 Hz."""
    twice = np.repeat(np.arange(250), 2)
    t_ms = (twice * 40).astype(np.int32)
    signal = only_signal((piece(twice / 25, t_ms=t_ms),))
    assert signal.notes == ()
    assert error_g(signal) < 0.02


def test_rate_counts_samples_with_one_timestamp_once():
    """Three samples per timestamp: 33 a second, but only eleven timestamps."""
    t_ms = np.repeat(np.arange(60) * 90, 3).astype(np.int32)
    assert LOW_RATE in only_signal((piece(np.arange(180) / 33, t_ms=t_ms),)).notes
