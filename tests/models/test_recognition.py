"""Recognition: segments, names, repetitions and form of a recording."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from models.activity.segments import Segment
from models.form.model import CountedSet, fit_form
from models.recognition.evaluate import Tally, TimedSet, tally
from models.recognition.live import FINISHED_AFTER_NS, recognise_live
from models.recognition.sets import RecognitionModels, recognise, recognise_span, segments_of
from models.signal import timing
from models.signal.corrections import timeline
from models.signal.pieces import Piece, Recording
from models.signal.wrist import wrist_signals
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

    learned = RecognitionModels(activity=SeesAll(0.6), activity_acc_only=SeesAll(0.7))  # type: ignore[arg-type]
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
    learned = RecognitionModels((rung("user", "curl"),), finds)  # type: ignore[arg-type]
    found = recognise(recording, learned)
    assert [(one.start_ns, one.end_ns) for one in found] == list(finds.spans)
    for one in found:
        assert one.named.prediction.exercise == "curl"
        assert one.counted is not None
        assert one.counted.count == pytest.approx(30 / 2.1, abs=3)  # 30 s of 1.8 to 2.4 s each
        assert one.form is not None
        assert one.form.score is not None
        assert one == recognise_span(timeline(recording), one.start_ns, one.end_ns, learned)


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
        learned = RecognitionModels((rung("user", "curl"),), Finds(spans))  # type: ignore[arg-type]
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
        found, wanted = line.cut(*span).acc, timing.cut_pieces(acc, *span)
        assert [one.t0_ns for one in found] == [one.t0_ns for one in wanted]
        for one, other in zip(found, wanted, strict=True):
            assert np.array_equal(one.counts, other.counts)


def test_form_uses_the_users_template_of_the_exercise_and_side():
    recording, spans = workout(3)
    start, end, _ = spans[0]
    done = recognise_span(
        timeline(recording), start, end, RecognitionModels((rung("user", "curl"),))
    )
    assert done.counted is not None
    book = fit_form([CountedSet("a", "curl", "left", 0, done.counted.repetitions)] * 3)
    known = recognise_span(
        timeline(recording), start, end, RecognitionModels((rung("user", "curl"),), form=book)
    )
    assert known.form is not None
    assert known.form.parts["likeness"] > 0.9
    other = recognise_span(
        timeline(recording), start, end, RecognitionModels((rung("user", "row"),), form=book)
    )
    assert other.form is not None
    assert "likeness" not in other.form.parts


def test_too_short_span_is_not_counted():
    recording, spans = workout(3)
    start = spans[0][0]
    one = recognise_span(timeline(recording), start, start + 5 * S_NS, RecognitionModels())
    assert (one.counted, one.form, one.named.prediction.reason) == (None, None, "no-model")


def test_empty_recording_has_no_sets():
    assert recognise(Recording((), (), None), RecognitionModels()) == ()
    assert wrist_signals(Recording((), (), None)) == []


def test_short_segment_without_repetitions_is_dropped():
    rest = np.tile(np.array([0, 0, 1000], dtype=np.int16), (2000, 1))
    still = Recording((Piece(0, 50.0, "g", 1e-3, rest),), (), "left")
    short, long = (S_NS, 9 * S_NS), (15 * S_NS, 30 * S_NS)
    found = recognise(still, RecognitionModels(activity=Finds((short, long))))  # type: ignore[arg-type]
    assert [(one.start_ns, one.end_ns) for one in found] == [long]


def test_live_recognition_reports_a_set_once_after_its_end():
    recording, spans = workout(3)
    (first, second) = [(a, b) for a, b, _ in spans]
    learned = RecognitionModels(activity=Finds((first, second)))  # type: ignore[arg-type]
    early = recognise_live(recording, learned, (), second[1] + FINISHED_AFTER_NS - 1)
    assert [(one.start_ns, one.end_ns) for one in early.finished] == [first]
    assert early.current is not None
    assert early.current.start_ns == second[0]
    later = recognise_live(recording, learned, early.finished, second[1] + FINISHED_AFTER_NS)
    assert [(one.start_ns, one.end_ns) for one in later.finished] == [second]
    assert later.current is None
    assert (
        recognise_live(
            recording, learned, (*early.finished, *later.finished), second[1] + FINISHED_AFTER_NS
        ).finished
        == ()
    )


def test_tally_compares_recognised_sets_with_the_true_ones():
    def timed(start_s, end_s, exercise, reps):
        return TimedSet(start_s * S_NS, end_s * S_NS, exercise, reps)

    done = [timed(0, 30, "curl", 10), timed(60, 90, "row", 8), timed(120, 150, "new", 8)]
    told = [timed(1, 36, "curl", 11), timed(118, 150, "row", 8), timed(200, 210, None, None)]
    found = tally(done, told, {"curl", "row"})
    assert (found.done, found.found, found.invented) == (3, 2, 1)
    assert (found.possible, found.named) == (
        2,
        1,
    )  # the row was missed, the new exercise is unknown
    assert (found.reps_near, found.reps_exact) == (2, 1)
    assert (found.start, found.end, found.both) == (2, 1, 1)
    assert (found + Tally()).figures()["named"] == 0.5
    assert tally([], told[:1], set()).invented == 1
