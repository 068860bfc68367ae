"""How a watch is worn: detected by the exercise model, and corrected."""

from dataclasses import replace
from functools import cache, reduce
from operator import add

import pytest

from models.activity.segments import Segment
from models.exercise.examples import set_statistics
from models.exercise.fit import fit_user
from models.exercise.model import ExerciseModel, Level
from models.exercise.protocols.trials import Movement
from models.exercise.protocols.worn import WEARINGS as PROTOCOL_WEARINGS
from models.exercise.protocols.worn import worn_otherwise
from models.recognition.naming import FAMILIAR, Rung
from models.recognition.sets import RecognitionModels, recognise
from models.recognition.wearing import (
    OTHER_FRAMES,
    OTHER_SIGN,
    OTHER_WRIST,
    ROUND,
    Wearing,
    as_worn,
    name_as_worn,
    remap_recording,
)
from models.signal.corrections import cut, timeline
from models.signal.pieces import Recording, Side
from models.signal.timing import cut_pieces
from models.signal.units import STANDARD_GRAVITY
from models.signal.wrist import wrist_signals
from schemas.times import NS_PER_S
from tests.pipelines.workouts import workout

WEARINGS = (ROUND, OTHER_WRIST, OTHER_SIGN)


@cache
def own_model() -> ExerciseModel:
    """The model of the sets of three workouts."""
    sets = [(workout(seed)[0], span) for seed in range(3) for span in workout(seed)[1]]
    parts = [
        set_statistics(wrist_signals(cut(recording, start, end)), exercise, seed=n)
        for n, (recording, (start, end, exercise)) in enumerate(sets)
    ]
    return fit_user(reduce(add, parts))


def ladder(level: Level = "user") -> tuple[Rung, ...]:
    return (Rung(level, "v", own_model()),)


class Finds:
    """An activity model that knows where the sets are."""

    def __init__(self, seed: int) -> None:
        self._spans = workout(seed)[1]

    def segments(self, signals: object) -> tuple[Segment, ...]:
        return tuple(Segment(start, end, 1.0) for start, end, _ in self._spans)


@pytest.mark.parametrize("way", WEARINGS, ids=lambda way: way.note)
def test_differently_worn_watch_is_noted_and_its_sets_are_named(way: Wearing) -> None:
    recording, spans = workout(9)
    learned = RecognitionModels(ladder(), Finds(9))  # type: ignore[arg-type]
    found = recognise(remap_recording(recording, way), learned)
    assert [one.named.prediction.exercise for one in found] == [name for _, _, name in spans]
    assert {one.notes for one in found} == {(way.note,)}


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("way", [ROUND, OTHER_WRIST], ids=lambda way: way.note)
def test_change_of_wearing_between_sets_is_corrected_per_set(way: Wearing, which: int) -> None:
    """The watch is put on again in the pause."""
    recording, spans = workout(9)
    pause = (spans[0][1] + spans[1][0]) // 2
    parts = [cut(recording, 0, pause), cut(recording, pause, 2**62)]
    parts[which] = remap_recording(parts[which], way)
    sent = replace(recording, acc=parts[0].acc + parts[1].acc, gyro=parts[0].gyro + parts[1].gyro)
    found = recognise(sent, RecognitionModels(ladder(), Finds(9)))  # type: ignore[arg-type]
    assert [one.named.prediction.exercise for one in found] == [name for _, _, name in spans]
    notes = [(*one.named.prediction.notes, *one.notes) for one in found]
    assert notes == [(way.note,) if n == which else () for n in range(2)]


def test_correctly_worn_watch_is_not_changed() -> None:
    recording, _ = workout(9)
    segments = Finds(9).segments(())
    line = timeline(recording)
    assert as_worn(line, segments, ladder()) == (line, ())


def test_wearing_is_detected_by_the_global_model_without_an_own_model() -> None:
    recording = remap_recording(workout(9)[0], ROUND)
    segments = Finds(9).segments(())
    line = timeline(recording)
    assert as_worn(line, segments, ladder("global"))[1] == (ROUND.note,)
    assert as_worn(line, (), ladder()) == (line, ())
    assert as_worn(line, segments, ()) == (line, ())


@pytest.mark.parametrize("way", WEARINGS, ids=lambda way: way.note)
def test_single_set_is_named_as_it_was_worn(way: Wearing) -> None:
    recording, spans = workout(9)
    stretches = [
        wrist_signals(cut(remap_recording(recording, way), start, end)) for start, end, _ in spans
    ]
    found = [name_as_worn(signals, ladder()) for signals in stretches]
    assert [one.prediction.exercise for one in found] == [name for _, _, name in spans]
    assert {one.prediction.notes for one in found} == {(way.note,)}
    plain = [wrist_signals(cut(recording, start, end)) for start, end, _ in spans]
    assert {name_as_worn(signals, ladder()).prediction.notes for signals in plain} == {()}


def test_wearing_is_detected_by_the_global_model_if_the_own_one_abstains() -> None:
    """A movement that is unknown in every orientation gives no evidence of the wearing."""
    stranger = Rung("user", "v", replace(own_model(), typical=own_model().typical - 9.0))
    rungs = (stranger, *ladder("global"))
    recording, ((start, end, name), _) = workout(9)
    turned = remap_recording(recording, ROUND)
    found = name_as_worn(wrist_signals(cut(turned, start, end)), rungs)
    assert (found.prediction.exercise, found.prediction.notes) == (name, (ROUND.note,))
    assert found.rung is not None
    assert found.rung.level == "global"
    assert as_worn(timeline(turned), Finds(9).segments(()), rungs)[1] == (ROUND.note,)


@pytest.mark.parametrize("sign", [1, -1])
def test_sign_after_a_wrong_unit_is_chosen_by_the_lower_strangeness(
    sign: int,
) -> None:
    """Some phones write m/s² under g, with or without the opposite sign."""
    recording, spans = workout(9)
    lies = replace(recording.acc[0], scale=sign * recording.acc[0].scale * STANDARD_GRAVITY)
    sent = replace(recording, acc=(lies,))
    for start, end, name in spans:
        found = name_as_worn(wrist_signals(cut_raw(sent, start, end)), ladder())
        assert found.prediction.exercise == name
        assert (OTHER_SIGN.note in found.prediction.notes) == (sign == -1)


def cut_raw(recording: Recording, start_ns: int, end_ns: int) -> Recording:
    """Cut as a client does, without the context of the recording."""
    acc, gyro = (cut_pieces(pieces, start_ns, end_ns) for pieces in (recording.acc, recording.gyro))
    return Recording(acc, gyro, recording.side)


@pytest.mark.parametrize("side", ["left", "right", None])
@pytest.mark.parametrize("way", OTHER_FRAMES[2::5], ids=lambda way: str(way.axis_map.axes))
def test_device_with_swapped_axes_is_remapped_and_noted(way: Wearing, side: Side | None) -> None:
    """On either wrist: `workout` is on the left one; mirrored, it is on the right one."""
    recording, spans = workout(9)
    worn = remap_recording(recording, OTHER_WRIST) if side == "right" else recording
    sent = replace(remap_recording(worn, way), side=side)
    found = recognise(sent, RecognitionModels(ladder(), Finds(9)))  # type: ignore[arg-type]
    assert [one.named.prediction.exercise for one in found] == [name for _, _, name in spans]
    assert {one.notes for one in found} == {("axes-were-swapped",)}
    (start, end, name), _ = spans
    alone = name_as_worn(wrist_signals(cut(sent, start, end)), ladder()).prediction
    assert (alone.exercise, alone.notes) == (name, ("axes-were-swapped",))


def test_axes_are_swapped_only_if_the_movement_becomes_familiar() -> None:
    """With 24 frames, an unknown movement often looks known in one of them."""
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


def test_axes_are_not_swapped_for_a_single_window() -> None:
    """One of the 24 frames may fit it by chance; with more windows the frame is found."""
    recording, ((start, _, name), _) = workout(9)
    sent = remap_recording(recording, OTHER_FRAMES[0])
    seconds = {n: wrist_signals(cut(sent, start, start + n * NS_PER_S)) for n in (4, 10)}
    found = {n: name_as_worn(signals, ladder()).prediction for n, signals in seconds.items()}
    assert [len(one.windows) for one in found.values()] == [1, 7]
    assert found[4].notes == ()
    assert (found[10].exercise, found[10].notes) == (name, ("axes-were-swapped",))


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
    found = {figure.name: figure for figure in worn_otherwise(movements)}
    assert len(found) == 2 * len(PROTOCOL_WEARINGS)
    right, wrong = found.pop("s7_worn_other_frame_right"), found.pop("s7_worn_other_frame_wrong")
    assert (right.value, wrong.value) == (7 / 8, 0.0)  # one is not familiar enough in any frame
    for name, figure in found.items():
        assert figure.value == figure.peer_value == (1.0 if name.endswith("right") else 0.0), name
