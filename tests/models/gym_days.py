"""Days in a gym whose movements are known."""

from collections.abc import Sequence

from models.exercise.protocols.trials import (
    Movement,
)
from models.signal.timeline import cut
from models.signal.wrist import wrist_signals
from tests.pipelines.workouts import workout


def gym_day(seed: int, names: Sequence[str] = ("curl", "row")) -> list[Movement]:
    """The two sets of a day, each cut into two; of another name where `names` says so."""
    recording, spans = workout(seed)
    sets: list[Movement] = []
    for (start, end, _), name in zip(spans, names, strict=True):
        middle = (start + end) // 2
        for part, borders in enumerate(((start, middle), (middle, end))):
            signals = tuple(wrist_signals(cut(recording, *borders)))
            sets.append(Movement("me", f"day {seed}", name, f"{name}-1", signals, part))
    return sets


def gym_days(number: int) -> list[Movement]:
    return [movement for seed in range(number) for movement in gym_day(seed)]
