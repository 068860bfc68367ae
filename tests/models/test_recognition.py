"""Recognition: segments, names, repetitions and form of a recording."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from models.activity.segments import Segment
from models.form.model import CountedSet, fit_form
from models.recognition.counting import repetitions
from models.recognition.live import FINISHED_AFTER_NS, recognise_live
from models.recognition.sets import (
    RecognitionModels,
    measure_set,
    recognise,
    recognise_span,
    segments_of,
)
from models.signal import timing
from models.signal.pieces import Piece, Recording, pack_pieces, unpack_pieces
from models.signal.timeline import timeline
from models.signal.wrist import WristSignal, wrist_signals
from schemas.inputs import ACC3, ACC6
from tests.models.movements import movement
from tests.models.rungs import REST, rung
from tests.pipelines.workouts import S_NS, workout


def test_signals_without_rotation_are_segmented_by_the_acceleration_model():
    turning = replace(REST, gyro_rad_s=np.zeros((500, 3), np.float32))
    signals = [turning, replace(REST, t0_ns=60 * S_NS)]

    @dataclass(frozen=True)
    class SeesAll:
        """Finds one set at the start of every signal."""

        probability: float

        def segments(self, signals):
            return tuple(Segment(s.t0_ns, s.t0_ns + S_NS, self.probability) for s in signals)

    learned = RecognitionModels(activity=SeesAll(0.6), activity_acc_only=SeesAll(0.7))
    assert [segment.probability for segment in segments_of(signals, learned)] == [0.6, 0.7]


def test_signal_of_three_samples_between_gaps_has_no_segment():
    crumb = replace(REST, acc_g=REST.acc_g[:3])
    assert segments_of([crumb, REST], RecognitionModels()) == ()


@dataclass(frozen=True)
class Finds:
    """An activity model that knows where the sets are."""

    spans: tuple[tuple[int, int], ...]

    def segments(self, signals):
        return tuple(Segment(a, b, 1.0) for a, b in self.spans)


def test_every_found_set_is_named_counted_and_scored():
    recording, spans = workout(3)
    finds = Finds(tuple((a, b) for a, b, _ in spans))
    learned = RecognitionModels((rung("user", "curl"),), finds)
    sets = recognise(recording, learned)
    assert [(recognised.start_ns, recognised.end_ns) for recognised in sets] == list(finds.spans)
    for recognised in sets:
        assert recognised.named.prediction.exercise == "curl"
        assert recognised.counted is not None
        assert recognised.counted.count == pytest.approx(
            30 / 2.1, abs=3
        )  # 30 s of 1.8 to 2.4 s each
        assert recognised.form is not None
        assert recognised.form.score is not None
        assert recognised == recognise_span(
            timeline(recording), recognised.start_ns, recognised.end_ns, learned
        )


def test_pieces_of_a_session_are_ordered_once_for_all_its_sets(monkeypatch):
    """The cost of a set must not depend on the length of its session."""
    recording, _ = workout(3)
    whole = tuple(
        tuple(
            replace(piece, t0_ns=piece.t0_ns + n * S_NS, counts=piece.counts[50 * n : 50 * n + 50])
            for n in range(len(piece.counts) // 50)
        )
        for piece in (recording.acc[0], recording.gyro[0])
    )
    clocked: list[int] = []
    ordered = timing._in_order

    def counted(pieces):
        clocked.append(len(pieces))
        return ordered(pieces)

    monkeypatch.setattr(timing, "_in_order", counted)
    t0_ns = recording.acc[0].t0_ns
    read = []
    for sets in (1, 12):
        clocked.clear()
        spans = tuple((t0_ns + n * 11 * S_NS, t0_ns + (n * 11 + 10) * S_NS) for n in range(sets))
        learned = RecognitionModels((rung("user", "curl"),), Finds(spans))
        assert len(recognise(Recording(*whole, "left"), learned)) == sets
        read.append(sum(n for n in clocked if n > 11))
    assert read[0] == read[1]


def test_timeline_cut_equals_cut_pieces():
    """With chunks that overlap, lie far apart, and have several lengths."""
    rng = np.random.default_rng(5)
    starts_s = np.sort(rng.uniform(0, 300, 60))
    acc = tuple(
        Piece(round(at * 1e9), 50.0, "g", 1e-3, rng.integers(900, 1100, (n, 3)).astype(np.int16))
        for at, n in zip(starts_s, rng.integers(1, 1000, 60), strict=True)
    )
    line = timeline(Recording(acc, (), None))
    for start_s in range(0, 300, 7):
        span = start_s * S_NS, (start_s + 5) * S_NS
        parts, wanted = line.cut(*span).acc, timing.cut_pieces(acc, *span)
        assert [part.t0_ns for part in parts] == [part.t0_ns for part in wanted]
        for part, other in zip(parts, wanted, strict=True):
            assert np.array_equal(part.counts, other.counts)


def test_form_uses_the_users_template_of_the_exercise_and_side():
    recording, spans = workout(3)
    start, end, _ = spans[0]
    done = recognise_span(
        timeline(recording), start, end, RecognitionModels((rung("user", "curl"),))
    )
    assert done.counted is not None
    book = fit_form([CountedSet("a", "curl", "left", 0, done.counted.repetitions)] * 3)
    known = recognise_span(
        timeline(recording),
        start,
        end,
        RecognitionModels((rung("user", "curl"),), form={ACC6: book}),
    )
    assert known.form is not None
    assert known.form.parts["likeness"] > 0.9
    other = recognise_span(
        timeline(recording),
        start,
        end,
        RecognitionModels((rung("user", "row"),), form={ACC6: book}),
    )
    assert other.form is not None
    assert "likeness" not in other.form.parts


def test_form_of_a_set_without_rotation_is_compared_with_such_sets():
    """Speeds are then those of tilt, which is not changed by turning about gravity."""
    recording, spans = workout(3)
    start, end, _ = spans[0]
    turning = recording.gyro[0].counts.copy()
    turning[:, 0] += np.rint(4000 * np.sin(np.arange(len(turning)) * np.pi / 25)).astype(np.int16)
    recording = replace(recording, gyro=(replace(recording.gyro[0], counts=turning),))
    off = replace(recording.gyro[0], counts=np.zeros_like(recording.gyro[0].counts))
    lines = {ACC6: timeline(recording), ACC3: timeline(replace(recording, gyro=(off,)))}
    models = RecognitionModels((rung("user", "curl"),))
    form = {}
    for layout, line in lines.items():
        counted = recognise_span(line, start, end, models).counted
        assert counted is not None
        form[layout] = fit_form([CountedSet("a", "curl", "left", 0, counted.repetitions)] * 3)
    both = replace(models, form=form)
    for line in lines.values():
        judged = recognise_span(line, start, end, both).form
        assert judged is not None
        assert judged.parts["likeness_peak_speed"] > 0.9
        assert measure_set(line, start, end, "curl", form).form == judged
    with_rotation = replace(models, form={ACC6: form[ACC6]})
    alone = recognise_span(lines[ACC3], start, end, with_rotation).form
    assert alone is not None
    assert "likeness" not in alone.parts


def test_too_short_span_is_not_counted():
    recording, spans = workout(3)
    start = spans[0][0]
    short = recognise_span(timeline(recording), start, start + 2 * S_NS, RecognitionModels())
    assert (short.counted, short.form, short.named.prediction.reason) == (None, None, "no-model")


@pytest.mark.parametrize("reps", [1, 2])
def test_heavy_single_or_double_is_counted(reps):
    """Of 2 s a repetition, with half a second of rest on either side."""
    t_s = np.arange(-0.5, 2 * reps + 1.5, 0.02)
    lift = 0.7 * (1 - np.cos(np.pi * np.clip(t_s, 0, 2 * reps)))
    acc_g = np.stack([np.cos(lift), np.sin(lift), 0 * lift], axis=1).astype(np.float32)
    gyro = np.stack([0 * lift, 0 * lift, -np.gradient(lift, 0.02)], axis=1).astype(np.float32)
    counted = repetitions([WristSignal(0, acc_g, gyro, "left")])
    assert counted is not None
    assert counted.count == reps


def three_lifts() -> Recording:
    """Of 4 s each, with half a second of rest on either side."""
    t_s = np.arange(-0.5, 12.5, 0.02)
    lift = 0.7 * (1 - np.cos(np.pi / 2 * np.clip(t_s, 0, 12)))
    acc_g = np.stack([np.cos(lift), np.sin(lift), 0 * lift], axis=1)
    gyro = np.stack([0 * lift, 0 * lift, -np.gradient(lift, 0.02)], axis=1)
    acc, turn = (np.rint(1e3 * x).astype(np.int16) for x in (acc_g, gyro))
    return Recording(
        (Piece(0, 50.0, "g", 1e-3, acc),), (Piece(0, 50.0, "rad/s", 1e-3, turn),), "left"
    )


@pytest.mark.parametrize("part", [slice(150, None), slice(None, -150), slice(120, -120)])
def test_set_whose_rotation_starts_late_or_ends_early_is_counted_whole(part):
    whole = three_lifts()
    gyro = whole.gyro[0]
    first = part.start or 0
    shorter = replace(gyro, t0_ns=first * 20_000_000, counts=gyro.counts[part])
    line = timeline(replace(whole, gyro=(shorter,)))
    measured = measure_set(line, 0, 13 * S_NS, "curl", {})
    assert measured is not None
    assert measured.counted is not None
    assert measured.counted.count == 3
    found = recognise_span(line, 0, 13 * S_NS, RecognitionModels()).counted
    assert found is not None
    assert found.count == 3


def test_repetitions_are_timed_from_the_start_of_the_set():
    """Its samples may begin later."""
    later = tuple(replace(p, t0_ns=S_NS) for p in three_lifts().acc)
    line = timeline(Recording(later, (), "left"))
    models = RecognitionModels()
    for start_ns in (S_NS, 0):
        end_ns = 14 * S_NS
        found = recognise_span(line, start_ns, end_ns, models).counted
        measured = measure_set(line, start_ns, end_ns, "curl", {})
        assert measured is not None
        for counted in (found, measured.counted):
            assert counted is not None
            first, *_, last = counted.repetitions
            assert start_ns / S_NS + first.start_s == pytest.approx(1.5, abs=0.4)
            assert start_ns / S_NS + last.end_s == pytest.approx(13.5, abs=0.5)


def test_unit_of_rotation_is_that_of_the_whole_recording():
    """Honest rotation of a fast set, which alone looks like deg/s."""
    dice = np.random.default_rng(0)
    n, reps_hz = 300 * 50, 2.2
    acc_g = np.array([0.3, -0.2, -0.93]) + dice.normal(0, 0.02, (n, 3))
    gyro = dice.normal(0, 0.2, (n, 3))
    phase = 2 * np.pi * reps_hz * np.arange(25 * 50) / 50
    fast = slice(5000, 5000 + len(phase))
    still = np.zeros_like(phase)
    acc_g[fast] += np.stack([0.8 * np.sin(phase), 0.6 * np.cos(2 * phase), still], axis=1)
    gyro[fast] += np.stack([26 * np.sin(phase), 10 * np.cos(phase), still], axis=1)
    recording = Recording(
        (Piece(0, 50.0, "g", 1e-3, np.rint(1e3 * acc_g).astype(np.int16)),),
        (Piece(0, 50.0, "rad/s", 1 / 900, np.rint(900 * gyro).astype(np.int16)),),
        "left",
    )
    line = timeline(recording)
    (whole,) = wrist_signals(recording)
    part = line.cut(100 * S_NS, 125 * S_NS)
    stored = unpack_pieces(pack_pieces(part.acc, part.gyro, part.side))  # as training reads it
    for samples in (part, stored):
        (inside,) = wrist_signals(samples)
        assert inside.notes == ()
        assert inside.gyro_rad_s is not None
        np.testing.assert_array_equal(inside.gyro_rad_s, whole.gyro_rad_s[fast])


def test_set_of_six_minutes_is_counted():
    counted = repetitions([movement("press", 1, 360.0)])  # at .4 Hz
    assert counted is not None
    assert counted.count == pytest.approx(0.4 * 360, rel=0.06)


def test_empty_recording_has_no_sets():
    assert recognise(Recording((), (), None), RecognitionModels()) == ()
    assert wrist_signals(Recording((), (), None)) == []


def test_short_segment_without_repetitions_is_dropped():
    rest = np.tile(np.array([0, 0, 1000], dtype=np.int16), (2000, 1))
    still = Recording((Piece(0, 50.0, "g", 1e-3, rest),), (), "left")
    short, long = (S_NS, 9 * S_NS), (15 * S_NS, 30 * S_NS)
    sets = recognise(still, RecognitionModels(activity=Finds((short, long))))
    assert [(kept.start_ns, kept.end_ns) for kept in sets] == [long]


def test_live_recognition_reports_a_set_once_after_its_end():
    recording, spans = workout(3)
    (first, second) = [(a, b) for a, b, _ in spans]
    learned = RecognitionModels(activity=Finds((first, second)))
    early = recognise_live(recording, learned, (), second[1] + FINISHED_AFTER_NS - 1)
    assert [(done.start_ns, done.end_ns) for done in early.finished] == [first]
    assert early.current is not None
    assert early.current.start_ns == second[0]
    later = recognise_live(recording, learned, early.finished, second[1] + FINISHED_AFTER_NS)
    assert [(done.start_ns, done.end_ns) for done in later.finished] == [second]
    assert later.current is None
    assert (
        recognise_live(
            recording, learned, (*early.finished, *later.finished), second[1] + FINISHED_AFTER_NS
        ).finished
        == ()
    )
