"""Simulated devices: recordings of other devices must keep the signals of the movement."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import Mock

import cbor2
import numpy as np
import pytest

from examples.client import Client
from ingest.importers.imported import ImportedRecording, ImportedSet
from models.recognition.evaluate import Tally
from models.signal.timing import cut_pieces
from models.signal.units import STANDARD_GRAVITY
from models.signal.wrist import wrist_signals
from muvr.evaluation.devices import (
    TILT,
    PieceChange,
    as_recorded_by,
    at_rate,
    bare_sensor,
    clipped_at,
    drifting,
    in_8_bits,
    in_ms2,
    ms2_labelled_g,
    on_other_axes,
    other_sign,
    other_wrist,
    other_wrist_without_side,
    tilted,
    turned_round,
    with_jitter,
    with_packet_loss,
    without_rotation,
    without_side,
    zeros_for_losses,
)
from muvr.evaluation.sessions import (
    DEVICES,
    days_moved,
    days_of,
    evaluate_recording,
    figures_of,
    named_alone,
    parsed_set,
    shifted,
)
from muvr.importing import DAY_NS
from schemas.errors import BadInput
from tests.pipelines.workouts import workout


@pytest.fixture(scope="module")
def done() -> ImportedRecording:
    recording, spans = workout(1)
    sets = tuple(ImportedSet(name, a, b) for a, b, name in spans)
    return ImportedRecording("somebody", "today", recording, sets)


@pytest.mark.parametrize(
    ("change", "near_g"),
    [
        (at_rate(100.0), 0.02),
        (at_rate(200.0), 0.02),
        (drifting(48.9, 50.0), 0.08),
        (drifting(56.0, 50.0), 0.08),
        (with_jitter(4.0), 0.08),
        (in_8_bits(4.0), 0.02),
        (in_ms2, 0.002),
        (ms2_labelled_g, 0.002),
    ],
)
def test_device_changes_preserve_the_movement_signal(
    done: ImportedRecording, change: PieceChange, near_g: float
):
    (before,) = wrist_signals(done.recording)
    (after,) = wrist_signals(as_recorded_by(done, change).recording)
    n = min(len(before.acc_g), len(after.acc_g))
    assert n >= len(before.acc_g) - 50
    off = np.abs(before.acc_g[:n] - after.acc_g[:n])
    assert np.quantile(off, 0.95) <= near_g
    assert after.gyro_rad_s is not None


def test_ms2_labelled_g_changes_the_unit_but_not_the_values(done: ImportedRecording):
    (honest,), (lies,) = (
        as_recorded_by(done, change).recording.acc for change in (in_ms2, ms2_labelled_g)
    )
    assert (honest.unit, lies.unit) == ("m/s2", "g")
    np.testing.assert_array_equal(honest.counts * honest.scale, lies.counts * lies.scale)


def test_a_drifting_device_claims_its_nominal_rate(done: ImportedRecording):
    sent = as_recorded_by(done, drifting(48.9, 50.0)).recording.acc
    assert {piece.rate_hz for piece in sent} == {50.0}
    took_s = (sent[-1].t0_ns - sent[0].t0_ns) / 1e9
    assert sum(len(piece.counts) for piece in sent[:-1]) / took_s == pytest.approx(48.9)


def test_classified_sets_are_sent_in_the_devices_own_unit_and_scale(done: ImportedRecording):
    """A device that labels m/s² as g with inverted sign sends exactly that."""
    scale = -STANDARD_GRAVITY * done.recording.acc[0].scale
    counts = -done.recording.acc[0].counts
    lies = replace(done.recording.acc[0], scale=-scale, counts=counts)
    sent: list[dict[str, object]] = []

    class Hears:
        def classify(self, bodies: dict[str, bytes], side: str, *, reps: bool) -> dict[str, object]:
            sent.append(cbor2.loads(bodies["acc"]))
            return {"exercise": done.sets[len(sent) - 1].exercise}

    recording = replace(done, recording=replace(done.recording, acc=(lies,)))
    known = {set_.exercise for set_ in done.sets}
    assert named_alone(Hears(), recording, known) == len(done.sets) == len(sent)
    assert {(chunk["unit"], chunk["scale"]) for chunk in sent} == {("g", lies.scale)}
    assert lies.scale > 0


def test_clipping_limits_values_to_the_device_range(done: ImportedRecording):
    clipped = as_recorded_by(done, clipped_at(1.0)).recording
    before, after = done.recording.acc[0], clipped.acc[0]
    most_g = np.abs(before.counts).max() * before.scale
    assert most_g > 1.0
    assert np.abs(after.counts).max() * after.scale == pytest.approx(1.0, abs=after.scale)
    inside = np.abs(before.counts * before.scale) < 1.0
    np.testing.assert_array_equal(after.counts[inside], before.counts[inside])
    assert clipped.gyro == done.recording.gyro


def test_eight_bit_samples_have_steps_of_1_32_g(done: ImportedRecording):
    coarse = as_recorded_by(done, in_8_bits(4.0)).recording
    before, after = done.recording.acc[0], coarse.acc[0]
    assert after.scale == 1 / 32
    assert -128 <= after.counts.min() <= after.counts.max() <= 127
    assert np.abs(before.counts * before.scale - after.counts / 32).max() <= 1 / 64
    assert coarse.gyro == done.recording.gyro


def test_jittered_timestamps_are_bounded_ordered_and_deterministic(done: ImportedRecording):
    jittered, again = (as_recorded_by(done, with_jitter(4.0)).recording.acc[0] for _ in range(2))
    assert jittered.t_ms is not None
    assert again.t_ms is not None
    np.testing.assert_array_equal(jittered.t_ms, again.t_ms)
    assert (np.diff(jittered.t_ms) >= 0).all()
    off_ms = jittered.t_ms - np.arange(len(jittered.t_ms)) * 1000 / jittered.rate_hz
    assert 2 < np.abs(off_ms).max() <= 4.5
    np.testing.assert_array_equal(jittered.counts, done.recording.acc[0].counts)


def test_a_recording_without_a_side_has_the_same_samples(done: ImportedRecording):
    unsaid = without_side(done).recording
    assert unsaid.side is None
    assert (unsaid.acc, unsaid.gyro) == (done.recording.acc, done.recording.gyro)


def test_the_other_wrist_is_mirrored(done: ImportedRecording):
    once = as_recorded_by(done, other_wrist)
    assert (done.recording.side, once.recording.side) == ("left", "right")
    twice = as_recorded_by(once, other_wrist)
    assert twice.recording.side == "left"
    np.testing.assert_array_equal(twice.recording.acc[0].counts, done.recording.acc[0].counts)
    assert (once.recording.acc[0].counts[:, 0] == -done.recording.acc[0].counts[:, 0]).all()


def test_the_other_wrist_without_a_side_is_mirrored(done: ImportedRecording):
    unsaid, declared = other_wrist_without_side(done).recording, as_recorded_by(done, other_wrist)
    assert unsaid.side is None
    np.testing.assert_array_equal(unsaid.acc[0].counts, declared.recording.acc[0].counts)
    np.testing.assert_array_equal(unsaid.gyro[0].counts, declared.recording.gyro[0].counts)


def test_a_watch_turned_round_negates_two_axes(done: ImportedRecording):
    turned = as_recorded_by(done, turned_round).recording
    assert turned.side == done.recording.side
    for before, after in ((done.recording.acc, turned.acc), (done.recording.gyro, turned.gyro)):
        np.testing.assert_array_equal(after[0].counts, before[0].counts * [-1, -1, 1])


def test_a_device_with_other_axes_measures_the_same_movement(done: ImportedRecording):
    other = as_recorded_by(done, on_other_axes).recording
    assert other.side == done.recording.side
    for before, after in ((done.recording.acc, other.acc), (done.recording.gyro, other.gyro)):
        for axis, of in enumerate((1, 2, 0)):
            np.testing.assert_array_equal(after[0].counts[:, axis], before[0].counts[:, of])


def test_removing_rotation_leaves_acceleration_only(done: ImportedRecording):
    bare = as_recorded_by(done, without_rotation).recording
    assert (bare.acc, bare.gyro) == (done.recording.acc, ())


def test_the_other_sign_is_that_of_acceleration_alone(done: ImportedRecording):
    changed = as_recorded_by(done, other_sign).recording
    np.testing.assert_array_equal(changed.acc[0].counts, -done.recording.acc[0].counts)
    assert changed.gyro == done.recording.gyro


def test_a_bare_sensor_has_other_axes_and_the_other_sign_of_acceleration(done: ImportedRecording):
    bare = as_recorded_by(done, bare_sensor).recording
    moved = as_recorded_by(done, on_other_axes).recording
    np.testing.assert_array_equal(bare.acc[0].counts, -moved.acc[0].counts)
    np.testing.assert_array_equal(bare.gyro[0].counts, moved.gyro[0].counts)


def test_a_tilted_device_measures_the_same_lengths_on_right_handed_axes(done: ImportedRecording):
    askew = as_recorded_by(done, tilted).recording
    for before, after in ((done.recording.acc, askew.acc), (done.recording.gyro, askew.gyro)):
        first, second = (piece.counts.astype(float) for piece in (before[0], after[0]))
        lengths = np.linalg.norm(first, axis=1)
        np.testing.assert_allclose(np.linalg.norm(second, axis=1), lengths, atol=1)
        turned = np.cross(second[0], second[9])
        np.testing.assert_allclose(
            turned, TILT @ np.cross(first[0], first[9]), atol=lengths.max() * 3
        )


def test_zeros_for_losses_have_the_signal_of_the_same_losses(done: ImportedRecording):
    filling = zeros_for_losses(0.5, 0.1)
    assert len(filling("acc", done.recording.acc[0])[0].counts) == len(done.recording.acc[0].counts)
    (filled,), (lost,) = (
        wrist_signals(as_recorded_by(done, change).recording)
        for change in (filling, with_packet_loss(0.5, 0.1))
    )
    n = min(len(filled.acc_g), len(lost.acc_g))
    off = np.abs(filled.acc_g[:n] - lost.acc_g[:n])
    assert np.quantile(off, 0.95) <= 0.02
    assert filled.filled is not None


def test_shifting_moves_samples_and_sets_in_time(done: ImportedRecording):
    moved = shifted(done, 3600 * 10**9)
    assert moved.recording.acc[0].t0_ns - done.recording.acc[0].t0_ns == 3600 * 10**9
    assert moved.sets[0].start_ns - done.sets[0].start_ns == 3600 * 10**9


def test_device_figures_are_compared_with_the_unchanged_device():
    plain = Tally(done=10, found=10, possible=10, named=9)
    totals = {device: plain for device in DEVICES} | {"_25hz": Tally(done=10, found=5, possible=10)}
    figures = {figure.name: figure for figure in figures_of(totals, "1 of 8 days")}
    assert (figures["sessions_found"].value, figures["sessions_found"].peer) == (1.0, None)
    slow = figures["sessions_found_25hz"]
    assert (slow.value, slow.peer_value, slow.ratio) == (0.5, 1.0, 0.5)
    assert figures["sessions_named"].value == 0.9


def test_a_set_in_the_service_response_is_parsed():
    answer = {
        "started_at": "2026-01-01T00:00:00Z",
        "ended_at": "2026-01-01T00:00:30.500000Z",
        "exercise": "curl",
        "reps": 12,
    }
    parsed = parsed_set(answer)
    assert parsed.end_ns - parsed.start_ns == 30_500_000_000
    assert (parsed.exercise, parsed.reps) == ("curl", 12)


def test_recordings_of_one_day_cannot_be_evaluated_by_the_others(done: ImportedRecording) -> None:
    folder = Path("/somewhere/gym")
    with pytest.raises(BadInput, match=r"/somewhere/gym holds 1: today\. Add the recordings"):
        days_of([done, done], folder)
    assert days_of([done, replace(done, day="before")], folder) == ["before", "today"]


def test_a_recording_of_which_no_packet_arrived_counts_as_not_found(
    done: ImportedRecording,
) -> None:
    nothing = as_recorded_by(done, with_packet_loss(1.0, 1.0))
    assert nothing.recording.acc == ()
    known = {done.sets[0].exercise}
    counted = evaluate_recording(Mock(spec=Client), nothing, 0, known)
    possible = sum(set_.exercise in known for set_ in done.sets)
    assert counted == Tally(done=len(done.sets), possible=possible)


def test_a_set_whose_acceleration_was_lost_is_not_named(done: ImportedRecording) -> None:
    first, *others = done.sets
    whole = done.recording
    cut = replace(whole, acc=cut_pieces(whole.acc, first.end_ns, whole.acc[0].end_ns))
    known = {set_.exercise for set_ in done.sets}
    client = Mock(spec=Client)
    client.classify.side_effect = [{"exercise": set_.exercise} for set_ in others]
    assert named_alone(client, replace(done, recording=cut), known) == len(others)


def test_a_set_that_the_service_does_not_count_is_found_but_not_counted(
    done: ImportedRecording,
) -> None:
    set_ = replace(done.sets[0], reps=8)
    client = Mock(spec=Client)
    times = {
        name: datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat()
        for name, at_ns in (("started_at", set_.start_ns), ("ended_at", set_.end_ns))
    }
    client.session.return_value = {"sets": [{**times, "exercise": set_.exercise, "reps": None}]}
    client.put_chunk.return_value = {"sha256": "", "samples": 1}
    counted = evaluate_recording(client, replace(done, sets=(set_,)), 0, set())
    assert (counted.done, counted.found, counted.countable, counted.reps_near) == (1, 1, 1, 0)


def test_days_that_do_not_fit_into_a_year_together_are_moved_each_by_itself(
    done: ImportedRecording,
) -> None:
    now_ns = int(datetime.now(UTC).timestamp()) * 10**9

    def on(day: str, days_ago: int) -> ImportedRecording:
        at_ns = now_ns - days_ago * DAY_NS
        return replace(shifted(done, at_ns - done.recording.acc[0].t0_ns), day=day)

    assert days_moved([on("a", 700), on("b", 370)]) == {"a": 364, "b": 364}  # as they are together
    assert days_moved([on("a", 900), on("b", 370)]) == {"a": 728, "b": 364}
