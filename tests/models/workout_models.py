"""Models of the movements of `workout`."""

from functools import cache, reduce
from operator import add

from models.activity.segments import Segment
from models.exercise.examples import set_statistics
from models.exercise.fit import fit_user
from models.exercise.model import ExerciseModel, Level
from models.recognition.naming import Rung
from models.signal.timeline import cut
from models.signal.wrist import wrist_signals
from tests.pipelines.workouts import workout


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
