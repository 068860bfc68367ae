"""How a watch is worn: detected by the exercise model, and corrected."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from models.exercise.model import ExerciseModel
from models.exercise.protocols.trials import Movement
from models.exercise.protocols.worn import WEARINGS as PROTOCOL_WEARINGS
from models.exercise.protocols.worn import worn_otherwise
from models.recognition import worn
from models.recognition.naming import FAMILIAR, Rung, Stretch
from models.recognition.sets import RecognitionModels, recognise
from models.recognition.wearing import (
    FRAMES_OF_OTHER_SIGN,
    OTHER_FRAMES,
    OTHER_SIGN,
    OTHER_WRIST,
    ROUND,
    Wearing,
    remap_recording,
)
from models.recognition.worn import Worn, as_worn, name_as_worn
from models.signal.pieces import Recording, Side
from models.signal.timeline import cut, timeline
from models.signal.timing import cut_pieces
from models.signal.units import STANDARD_GRAVITY
from models.signal.wrist import wrist_signals
from schemas.inputs import ACC3
from schemas.notes import AXES_SWAPPED, AXES_TURNED, UNIT_WAS_MS2
from schemas.times import NS_PER_S
from tests.models.workout_models import Finds, ladder, own_model
from tests.pipelines.workouts import workout

WEARINGS = (ROUND, OTHER_WRIST, OTHER_SIGN)


@pytest.mark.parametrize("way", WEARINGS, ids=lambda way: way.note)
def test_differently_worn_watch_is_noted_and_its_sets_are_named(way: Wearing) -> None:
    recording, spans = workout(9)
    learned = RecognitionModels(ladder(), Finds(9))
    sets = recognise(remap_recording(recording, way), learned)
    assert [set_.named.prediction.exercise for set_ in sets] == [name for _, _, name in spans]
    assert {set_.notes for set_ in sets} == {(way.note,)}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("way", [ROUND, OTHER_WRIST], ids=lambda way: way.note)
def test_change_of_wearing_between_sets_is_corrected_per_set(way: Wearing, which: int) -> None:
    """The watch is put on again in the pause."""
    recording, spans = workout(9)
    pause = (spans[0][1] + spans[1][0]) // 2
    parts = [cut(recording, 0, pause), cut(recording, pause, 2**62)]
    parts[which] = remap_recording(parts[which], way)
    sent = replace(recording, acc=parts[0].acc + parts[1].acc, gyro=parts[0].gyro + parts[1].gyro)
    sets = recognise(sent, RecognitionModels(ladder(), Finds(9)))
    assert [set_.named.prediction.exercise for set_ in sets] == [name for _, _, name in spans]
    notes = [(*set_.named.prediction.notes, *set_.notes) for set_ in sets]
    assert notes == [(way.note,) if n == which else () for n in range(2)]


def test_correctly_worn_watch_is_not_changed() -> None:
    recording, _ = workout(9)
    segments = Finds(9).segments(())
    line = timeline(recording)
    assert as_worn(line, segments, ladder()) == Worn(line)


def test_wearing_is_detected_by_the_global_model_without_an_own_model() -> None:
    recording = remap_recording(workout(9)[0], ROUND)
    segments = Finds(9).segments(())
    line = timeline(recording)
    assert as_worn(line, segments, ladder("global")).notes == (ROUND.note,)
    assert as_worn(line, (), ladder()) == Worn(line)
    assert as_worn(line, segments, ()) == Worn(line)


@pytest.mark.parametrize("way", WEARINGS, ids=lambda way: way.note)
def test_single_set_is_named_as_it_was_worn(way: Wearing) -> None:
    recording, spans = workout(9)
    stretches = [
        wrist_signals(cut(remap_recording(recording, way), start, end)) for start, end, _ in spans
    ]
    named = [name_as_worn(signals, ladder()) for signals in stretches]
    assert [result.prediction.exercise for result in named] == [name for _, _, name in spans]
    assert {result.prediction.notes for result in named} == {(way.note,)}
    plain = [wrist_signals(cut(recording, start, end)) for start, end, _ in spans]
    assert {name_as_worn(signals, ladder()).prediction.notes for signals in plain} == {()}


def test_wearing_is_detected_by_the_global_model_if_the_own_one_abstains() -> None:
    """A movement that is unknown in every orientation gives no evidence of the wearing."""
    stranger = Rung("user", "v", replace(own_model(), typical=own_model().typical - 9.0))
    rungs = (stranger, *ladder("global"))
    recording, ((start, end, name), _) = workout(9)
    turned = remap_recording(recording, ROUND)
    named = name_as_worn(wrist_signals(cut(turned, start, end)), rungs)
    assert (named.prediction.exercise, named.prediction.notes) == (name, (ROUND.note,))
    assert named.rung is not None
    assert named.rung.level == "global"
    assert as_worn(timeline(turned), Finds(9).segments(()), rungs).notes == (ROUND.note,)


@pytest.mark.parametrize("sign", [1, -1])
def test_sign_after_a_wrong_unit_is_chosen_by_the_lower_strangeness(
    sign: int,
) -> None:
    """Some phones write m/s² under g, with or without the opposite sign."""
    recording, spans = workout(9)
    lies = replace(recording.acc[0], scale=sign * recording.acc[0].scale * STANDARD_GRAVITY)
    sent = replace(recording, acc=(lies,))
    for start, end, name in spans:
        named = name_as_worn(wrist_signals(cut_raw(sent, start, end)), ladder())
        assert named.prediction.exercise == name
        assert (OTHER_SIGN.note in named.prediction.notes) == (sign == -1)


def cut_raw(recording: Recording, start_ns: int, end_ns: int) -> Recording:
    """Cut as a client does, without the context of the recording."""
    acc, gyro = (cut_pieces(pieces, start_ns, end_ns) for pieces in (recording.acc, recording.gyro))
    return Recording(acc, gyro, recording.side)


@pytest.mark.parametrize("side", ["left", "right", None])
@pytest.mark.parametrize(
    "way",
    OTHER_FRAMES[2::5] + FRAMES_OF_OTHER_SIGN[3::6],
    ids=lambda way: f"{way.axis_map.axes} {way.axis_map.acc}",
)
def test_device_with_swapped_axes_is_remapped_and_noted(way: Wearing, side: Side | None) -> None:
    """On either wrist: `workout` is on the left one; mirrored, it is on the right one."""
    recording, spans = workout(9)
    worn = remap_recording(recording, OTHER_WRIST) if side == "right" else recording
    sent = replace(remap_recording(worn, way), side=side)
    sets = recognise(sent, RecognitionModels(ladder(), Finds(9)))
    assert [set_.named.prediction.exercise for set_ in sets] == [name for _, _, name in spans]
    assert {set_.notes for set_ in sets} == {("axes-were-swapped",)}
    (start, end, name), _ = spans
    alone = name_as_worn(wrist_signals(cut(sent, start, end)), ladder()).prediction
    assert (alone.exercise, alone.notes) == (name, ("axes-were-swapped",))


def test_axes_are_swapped_only_if_the_movement_becomes_familiar() -> None:
    """With so many frames, an unknown movement often looks known in one of them."""
    stranger = replace(own_model(), typical=own_model().typical - 1.2)
    recording, ((start, end, name), _) = workout(9)
    signals = wrist_signals(cut(recording, start, end))
    plain = name_as_worn(signals, (Rung("user", "v", stranger),)).prediction
    assert plain.strangeness is not None
    assert plain.exercise == name
    assert FAMILIAR <= plain.strangeness < stranger.calibration.abstain_above
    sent = wrist_signals(cut(remap_recording(recording, OTHER_FRAMES[0]), start, end))
    assert name_as_worn(sent, (Rung("user", "v", stranger),)).prediction.notes == ()
    assert name_as_worn(sent, ladder()).prediction.notes == ("axes-were-swapped",)


@pytest.mark.parametrize(
    ("of_same_sign", "with_rotation", "found"),
    [(0.34, True, OTHER_FRAMES), (0.36, True, FRAMES_OF_OTHER_SIGN), (0.36, False, None)],
)
def test_frames_of_the_other_sign_are_tried_with_rotation_where_no_other_one_is_familiar(
    monkeypatch: pytest.MonkeyPatch,
    of_same_sign: float,
    with_rotation: bool,
    found: Sequence[Wearing] | None,
) -> None:
    def strangeness(_: ExerciseModel, stretch: Stretch) -> float:
        axis_map = stretch.axis_map
        if axis_map is None or axis_map.axes == (0, 1, 2):
            return 0.8
        return of_same_sign if axis_map.acc == axis_map.gyro else -0.3

    monkeypatch.setattr(worn, "strangeness", strangeness)
    rung = ladder()[0]
    if not with_rotation:
        rung = replace(rung, model=replace(rung.model, model_id=ACC3, low_rate=None))
    line = timeline(workout(9)[0])
    told = as_worn(line, Finds(9).segments(()), (rung,))
    if found is None:
        assert told == Worn(line)
        return
    way = next(way for way in found if way.axis_map.axes != (0, 1, 2))
    assert told.notes == ("axes-were-swapped",)
    sent = remap_recording(line.recording, way)
    assert (told.line.recording.acc[0].counts == sent.acc[0].counts).all()


def test_acceleration_whose_sign_is_turned_twice_is_not_noted_as_turned() -> None:
    known = (UNIT_WAS_MS2, AXES_TURNED)
    assert worn._with_note(known, known, OTHER_SIGN) == (UNIT_WAS_MS2,)
    for way in FRAMES_OF_OTHER_SIGN:
        assert worn._with_note(known, known, way) == (UNIT_WAS_MS2, AXES_SWAPPED)
    for way in OTHER_FRAMES:
        assert worn._with_note(known, known, way) == (*known, AXES_SWAPPED)


def test_axes_are_not_swapped_for_a_single_window() -> None:
    """One of the frames may fit it by chance; with more windows the frame is found."""
    recording, ((start, _, name), _) = workout(9)
    sent = remap_recording(recording, OTHER_FRAMES[0])
    seconds = {n: wrist_signals(cut(sent, start, start + n * NS_PER_S)) for n in (4, 10)}
    predictions = {n: name_as_worn(signals, ladder()).prediction for n, signals in seconds.items()}
    assert [len(prediction.windows) for prediction in predictions.values()] == [1, 7]
    assert predictions[4].notes == ()
    assert (predictions[10].exercise, predictions[10].notes) == (name, ("axes-were-swapped",))


def test_remapping_twice_restores_the_recording() -> None:
    recording, _ = workout(9)
    for way in WEARINGS:
        again = remap_recording(remap_recording(recording, way), way)
        assert (again.acc[0].counts == recording.acc[0].counts).all()
        assert (again.gyro[0].counts == recording.gyro[0].counts).all()


def test_wearing_protocol_counts_right_and_wrong_names() -> None:
    movements = [
        Movement("me", f"day {seed}", name, "", tuple(wrist_signals(cut(recording, start, end))), n)
        for seed in range(4)
        for recording, spans in [workout(seed)]
        for n, (start, end, name) in enumerate(spans)
    ]
    figures = {figure.name: figure for figure in worn_otherwise(movements)}
    assert len(figures) == 2 * len(PROTOCOL_WEARINGS)
    right, wrong = (
        figures.pop("s7_worn_other_frame_right"),
        figures.pop("s7_worn_other_frame_wrong"),
    )
    assert (right.value, wrong.value) == (7 / 8, 0.0)  # one is not familiar enough in any frame
    for name, figure in figures.items():
        assert figure.value == figure.peer_value == (1.0 if name.endswith("right") else 0.0), name
