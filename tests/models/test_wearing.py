"""How a watch is worn: found by the person's own model, and never where nothing is wrong."""

from functools import cache, reduce
from operator import add

import pytest

from models.activity.segments import Segment
from models.exercise.examples import set_statistics
from models.exercise.fit import fit_user
from models.exercise.model import ExerciseModel, Level
from models.recognition.naming import Rung
from models.recognition.sets import Learned, recognise
from models.recognition.wearing import OTHER_SIGN, OTHER_WRIST, ROUND, Wearing, as_worn, turn
from models.signal.truth import cut
from models.signal.wrist import wrist_signals
from tests.pipelines.workouts import workout

WAYS = (ROUND, OTHER_WRIST, OTHER_SIGN)


@cache
def own_model() -> ExerciseModel:
    """Of the sets of three workouts."""
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


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.note)
def test_a_watch_that_is_worn_otherwise_is_noticed_and_its_sets_are_named(way: Wearing) -> None:
    recording, spans = workout(9)
    learned = Learned(ladder(), Finds(9))  # type: ignore[arg-type]
    found = recognise(turn(recording, way), learned)
    assert [one.named.answer.exercise for one in found] == [name for _, _, name in spans]
    assert {one.notes for one in found} == {(way.note,)}


def test_a_watch_that_is_worn_as_it_says_is_left_alone() -> None:
    recording, _ = workout(9)
    segments = Finds(9).segments(())
    assert as_worn(recording, segments, ladder()) == (recording, ())


def test_only_the_persons_own_model_may_turn_a_watch() -> None:
    recording = turn(workout(9)[0], ROUND)
    segments = Finds(9).segments(())
    assert as_worn(recording, segments, ladder("global")) == (recording, ())
    assert as_worn(recording, (), ladder()) == (recording, ())
    assert as_worn(recording, segments, ()) == (recording, ())


def test_turning_twice_is_not_turning() -> None:
    recording, _ = workout(9)
    for way in WAYS:
        again = turn(turn(recording, way), way)
        assert (again.acc[0].counts == recording.acc[0].counts).all()
        assert (again.gyro[0].counts == recording.gyro[0].counts).all()
