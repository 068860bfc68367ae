"""Recordings of which nobody said on which wrist they were made: both are tried."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.activity.segments import Segment
from models.exercise.axis_map import MIRROR
from models.exercise.features import mirrored
from models.exercise.model import ExerciseModel
from models.form.model import CountedSet, fit_form
from models.recognition import worn
from models.recognition.live import recognise_live
from models.recognition.naming import Rung, Stretch
from models.recognition.sets import RecognitionModels, recognise
from models.recognition.wearing import OTHER_WRIST, ROUND, remap_recording
from models.recognition.worn import Worn, as_worn
from models.signal.pieces import Recording, Side
from models.signal.timeline import timeline
from models.signal.wrist import WristSignal
from schemas.inputs import ACC6
from schemas.times import NS_PER_S
from tests.models.workout_models import Finds, ladder, own_model
from tests.pipelines.workouts import workout


class FindsOnTheLeft:
    """An activity model of the left wrist's frame, where x of a hanging arm is 1 g, not -1 g.

    In the mirrored frame its borders are 5 s off. It counts its searches.
    """

    def __init__(self, seed: int) -> None:
        self._spans = workout(seed)[1]
        self.searches = 0

    def segments(self, signals: Sequence[WristSignal]) -> tuple[Segment, ...]:
        self.searches += 1
        x_g = [mirrored(s.acc_g, MIRROR.acc, s.side)[:, 0].mean() for s in signals]
        late_ns = 0 if np.mean(x_g) > 0 else 5 * NS_PER_S
        return tuple(Segment(start + late_ns, end, 1.0) for start, end, _ in self._spans)


def undeclared(recording: Recording, side: Side) -> Recording:
    """A workout on one wrist, which is not declared; `workout` is on the left one."""
    worn = recording if side == "left" else remap_recording(recording, OTHER_WRIST)
    return replace(worn, side=None)


@pytest.mark.parametrize(("side", "searches"), [("left", 1), ("right", 2)])
def test_sets_are_searched_on_the_wrist_that_is_not_declared(side: Side, searches: int) -> None:
    recording, spans = workout(9)
    activity = FindsOnTheLeft(9)
    models = RecognitionModels(ladder(), activity)
    sets = recognise(undeclared(recording, side), models)
    assert [(s.start_ns, s.end_ns, s.named.prediction.exercise) for s in sets] == spans
    assert {(*s.notes, *s.named.prediction.notes) for s in sets} == {()}
    assert activity.searches == searches
    live = recognise_live(undeclared(recording, side), models, (), 2**62)
    assert live.finished == sets


@pytest.mark.parametrize("side", ["left", "right"])
def test_undeclared_wrist_of_a_watch_turned_round_is_found(side: Side) -> None:
    recording, spans = workout(9)
    sent = remap_recording(undeclared(recording, side), ROUND)
    sets = recognise(sent, RecognitionModels(ladder(), FindsOnTheLeft(9)))
    assert [(s.start_ns, s.end_ns, s.named.prediction.exercise) for s in sets] == spans
    assert {s.notes for s in sets} == {(ROUND.note,)}


def test_undeclared_wrist_is_unknown_without_a_model_of_exercises() -> None:
    line = timeline(undeclared(workout(9)[0], "right"))
    assert as_worn(line, Finds(9).segments(()), ()) == Worn(line)
    assert as_worn(line, (), ladder()) == Worn(line)


def test_form_of_an_undeclared_wrist_is_compared_with_sets_of_no_side() -> None:
    """Confirmed sets of such recordings are learned without a side."""
    recording = undeclared(workout(9)[0], "right")
    models = RecognitionModels(ladder(), FindsOnTheLeft(9))
    counted = [(s.named.prediction.exercise, s.counted) for s in recognise(recording, models)]
    templates = fit_form(
        CountedSet(f"{n}", exercise, None, 0, set_.repetitions)
        for exercise, set_ in counted
        if exercise is not None and set_ is not None
        for n in range(3)
    )
    for set_ in recognise(recording, replace(models, form={ACC6: templates})):
        assert set_.form is not None
        assert set_.form.parts["likeness"] > 0.9


@pytest.mark.parametrize(
    ("left", "right", "side"),
    [
        (0.5, 0.34, "right"),
        (0.5, 0.35, None),  # neither familiar nor clearly better
        (0.75, 0.45, "right"),
        (0.74, 0.45, None),
        (0.1, 0.2, None),
        (0.2, 0.2, None),
    ],
)
def test_undeclared_wrist_is_the_right_one_where_movement_is_familiar_or_clearly_less_strange(
    monkeypatch: pytest.MonkeyPatch, left: float, right: float, side: Side | None
) -> None:
    def strangeness(_: ExerciseModel, stretch: Stretch) -> float:
        wrists = [on_right for signal in stretch.windows.signals for on_right in signal.mirrored]
        return min(right if on_right else left for on_right in wrists)

    monkeypatch.setattr(worn, "strangeness", strangeness)
    for frames in ("OTHER_FRAMES", "FRAMES_OF_OTHER_SIGN"):
        monkeypatch.setattr(worn, frames, ())
    line = timeline(replace(workout(9)[0], side=None))
    assert as_worn(line, Finds(9).segments(()), ladder()).undeclared_side == side


def test_undeclared_wrist_is_that_of_the_first_model_that_knows_the_movement() -> None:
    stranger = Rung("user", "v", replace(own_model(), typical=own_model().typical - 9.0))
    line = timeline(undeclared(workout(9)[0], "right"))
    segments = Finds(9).segments(())
    assert as_worn(line, segments, (stranger,)).undeclared_side is None
    assert as_worn(line, segments, (stranger, *ladder("global"))).undeclared_side == "right"
