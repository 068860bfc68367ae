"""A device that delivers fewer samples than it claims, and losses that must not look like one."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ingest.importers.imported import ImportedRecording
from ingest.quantise import quantised
from models.recognition.sets import measure_set
from models.signal.corrections import corrected
from models.signal.pieces import Piece, Recording
from models.signal.quality import quality_notes
from models.signal.slower import with_true_rates
from models.signal.timeline import timeline
from models.signal.windows import window_starts
from models.signal.wrist import wrist_signals
from muvr.evaluation.devices import as_recorded_by, drifting, with_packet_loss, zeros_for_losses
from schemas.notes import LOW_RATE, LOWER_RATE
from tests.models.streams import pieces, quickening
from tests.pipelines.workouts import S_NS, workout


def in_chunks(piece: Piece, n: int, lost: int = 0) -> tuple[Piece, ...]:
    """A stream in chunks of n samples, after each of which some are lost."""
    return tuple(
        replace(
            piece,
            t0_ns=piece.t0_ns + round(first / piece.rate_hz * 1e9),
            counts=piece.counts[first : first + n],
        )
        for first in range(0, len(piece.counts) - n + 1, n + lost)
    )


def claimed(recording: Recording, rate_hz: float, n: int) -> Recording:
    """A recording of 50 Hz in chunks that claim another rate."""
    acc, gyro = (
        tuple(replace(p, rate_hz=rate_hz) for p in in_chunks(stream[0], n))
        for stream in (recording.acc, recording.gyro)
    )
    return replace(recording, acc=acc, gyro=gyro)


def windows(recording: Recording) -> int:
    signals = wrist_signals(recording)
    return sum(len(window_starts(len(signal.acc_g), 1.0, signal.filled)) for signal in signals)


@pytest.mark.parametrize("n", [50, 256])
@pytest.mark.parametrize("claimed_hz", [62.5, 75.0, 100.0, 200.0])
def test_device_slower_than_it_claims_is_read_at_its_own_rate(n: int, claimed_hz: float) -> None:
    recording, spans = workout(9)
    sent = claimed(recording, claimed_hz, n)
    (signal,) = wrist_signals(sent)
    assert signal.notes == (LOWER_RATE,)
    assert signal.filled is None
    assert timeline(sent).notes == (LOWER_RATE,)
    full = wrist_signals(replace(recording, acc=in_chunks(recording.acc[0], n)))[0]
    assert signal.duration_s == pytest.approx(full.duration_s, abs=0.1)
    assert windows(sent) == pytest.approx(windows(recording), abs=n / 50 + 1)
    for start_ns, end_ns, _ in spans:
        (inside,) = wrist_signals(timeline(sent).cut(start_ns, end_ns))
        assert inside.recorded_s == pytest.approx((end_ns - start_ns) / S_NS, abs=0.1)


def test_sets_of_a_slow_device_are_counted() -> None:
    recording, spans = workout(9)
    lines = timeline(recording), timeline(claimed(recording, 100.0, 50))
    for start_ns, end_ns, name in spans:
        wanted, measured = (measure_set(line, start_ns, end_ns, name, {}) for line in lines)
        assert wanted is not None
        assert measured is not None
        assert wanted.counted is not None
        assert measured.counted is not None
        assert measured.counted.count == wanted.counted.count


def test_slow_device_whose_chunks_have_a_scale_each_is_read_at_its_own_rate() -> None:
    """As those of JSON: each is as fine as its largest value allows."""
    sent = claimed(workout(9)[0], 100.0, 50)
    each = [quantised(piece.counts * piece.scale) for piece in sent.acc]
    acc = [
        replace(piece, scale=scale, counts=counts)
        for piece, (scale, counts) in zip(sent.acc, each, strict=True)
    ]
    assert len({piece.scale for piece in acc}) > 10
    assert {piece.rate_hz for piece in with_true_rates(acc)[0]} == {50.0}


def test_what_one_sensor_of_a_slow_device_shows_is_believed_of_the_other() -> None:
    """Acceleration at rest does not tell alone, and rotation of another period is not it."""
    sent = claimed(workout(9)[0], 100.0, 50)
    still = [replace(piece, counts=np.zeros_like(piece.counts)) for piece in sent.acc]
    assert with_true_rates(still)[0] is still
    both = with_true_rates(still, sent.gyro)
    assert [{piece.rate_hz for piece in stream} for stream in both] == [{50.0}, {50.0}]
    assert corrected(replace(sent, acc=tuple(still)))[1][-2:] == (
        ("acc", LOWER_RATE),
        ("gyro", LOWER_RATE),
    )
    slower_still = [replace(piece, rate_hz=150.0) for piece in still]
    assert with_true_rates(slower_still, sent.gyro)[0] is slower_still


def test_slow_device_that_loses_a_chunk_now_and_then_is_read_at_its_own_rate() -> None:
    recording, _ = workout(9)
    sent = claimed(recording, 100.0, 50)
    lossy = [piece for k, piece in enumerate(sent.acc) if k % 12]
    assert {piece.rate_hz for piece in with_true_rates(lossy)[0]} == {50.0}


def test_low_rate_of_a_slow_device_is_noted() -> None:
    sent = Recording(pieces(20.0, 50.0, 4000, 50, quickening), (), "left")
    line = timeline(sent)
    assert line.notes == (LOWER_RATE,)
    assert quality_notes(line.recording) == (LOW_RATE,)


@pytest.mark.parametrize("lost", [0.25, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("n", [25, 50, 100, 250])
def test_regular_losses_are_no_slow_device(n: int, lost: float) -> None:
    """After each chunk as large a part of one is lost: the starts are those of a slow device."""
    for seed in (9, 10, 11):
        recording, _ = workout(seed)
        for stream in (recording.acc[0], recording.gyro[0]):
            sent = in_chunks(stream, n, round(lost * n))
            assert with_true_rates(sent)[0] is sent


def test_losses_at_rest_are_no_slow_device() -> None:
    """Noise is as large across a loss as it is within chunks: it does not tell."""
    noise = np.random.default_rng(1).normal(0, 20, (9000, 3)) + np.array([0, 0, 1000])
    sent = in_chunks(Piece(0, 50.0, "g", 1e-3, np.rint(noise).astype(np.int16)), 50, 50)
    assert with_true_rates(sent)[0] is sent
    still = [replace(piece, counts=np.zeros_like(piece.counts)) for piece in sent]
    assert with_true_rates(still)[0] is still


LOSSES = ((0.2, 0.2), (0.5, 0.2), (1.0, 0.2), (2.0, 0.15), (0.5, 0.5), (1.0, 0.5))


@pytest.mark.parametrize(("packet_s", "share"), LOSSES)
def test_lost_packets_are_no_slow_device(packet_s: float, share: float) -> None:
    """With times, with zeros in their place, and as chunks of which some never came."""
    recording, _ = workout(9)
    whole = ImportedRecording("somebody", None, recording, ())
    for change in (with_packet_loss(packet_s, share), zeros_for_losses(packet_s, share)):
        assert unchanged(as_recorded_by(whole, change).recording.acc)
    chunks = in_chunks(recording.acc[0], round(packet_s * 50))
    came = np.random.default_rng(3).random(len(chunks)) >= share
    assert unchanged([piece for piece, is_here in zip(chunks, came, strict=True) if is_here])


@pytest.mark.parametrize("rates_hz", [(48.9, 50.0), (56.0, 50.0), (50.0, 50.0)])
def test_drift_and_a_faster_device_are_no_slow_device(rates_hz: tuple[float, float]) -> None:
    whole = ImportedRecording("somebody", None, workout(9)[0], ())
    assert unchanged(as_recorded_by(whole, drifting(*rates_hz)).recording.acc)
    assert unchanged(pieces(*rates_hz, 6000, 50, quickening))


def test_chunks_with_minutes_between_them_are_no_slow_device() -> None:
    recording, _ = workout(9)
    sent = [
        replace(piece, t0_ns=piece.t0_ns + k * 10 * S_NS)
        for k, piece in enumerate(in_chunks(recording.acc[0], 50))
    ]
    assert unchanged(sent)


def unchanged(sent: Sequence[Piece]) -> bool:
    return with_true_rates(sent)[0] is sent
