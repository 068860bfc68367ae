"""The exercises, limits and objective of a week, and the plan for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DAYS = 7
SECONDARY = 0.5  # of a set, for muscles that only help


def muscle_sets(muscles: Sequence[str]) -> list[tuple[str, float]]:
    """What one set counts for each muscle, the main one first.

    >>> muscle_sets(("quads", "core"))
    [('quads', 1.0), ('core', 0.5)]
    """
    return [(muscle, SECONDARY if place else 1.0) for place, muscle in enumerate(muscles)]


@dataclass(frozen=True, slots=True)
class AvailableExercise:
    """One exercise that the plan may use.

    Attributes:
        exercise: its name.
        muscles: what it trains, the main muscle first; at least one.
        set_minutes: time of one set with the pause after it.
        liking: 0 to 1.
    """

    exercise: str
    muscles: tuple[str, ...]
    set_minutes: float
    liking: float


@dataclass(frozen=True, slots=True)
class WeekLimits:
    """What the week allows and what is wanted of it.

    Attributes:
        minutes: time for training on each of the seven days; 0: no training.
        wanted_sets: muscle → sets a week, counted as `muscle_sets` does.
        rested_days: muscle → days since it was last the main muscle, on the first day of the plan
            (1: yesterday); muscles that are not named are rested.
        recovery_days: days from one training of a main muscle to the next: 2 leaves one day free.
        block_sets: an exercise is done in so many sets.
        most_days: training days in the week.
        most_blocks_a_day: exercises in one day.
        most_times: how often one exercise may come up in the week.
    """

    minutes: tuple[float, ...]
    wanted_sets: Mapping[str, float]
    rested_days: Mapping[str, int] = field(default_factory=dict[str, int])
    recovery_days: int = 2
    block_sets: int = 3
    most_days: int = 5
    most_blocks_a_day: int = 7
    most_times: int = 2


@dataclass(frozen=True, slots=True)
class Objective:
    """Weights of the objective: − missing · missing sets + liking · Σ liking − minute · minutes.

    Attributes:
        missing: cost of each wanted set that a muscle does not get.
        liking: gain of a fully liked exercise.
        minute: cost of a minute: of plans that are equal otherwise the shorter one wins.
    """

    missing: float = 1.0
    liking: float = 0.5
    minute: float = 0.002


@dataclass(frozen=True, slots=True)
class WeekPlan:
    """The week.

    Attributes:
        days: for each of the seven days the exercises in the order of doing, each in
            `block_sets` sets.
        missing: muscle → wanted sets that the limits left no room for; 0s are left out.
        value: see `Objective`; no plan under these limits has a greater one, up to `gap`.
        gap: proven distance to the best possible value; 0: it is the best.
    """

    days: tuple[tuple[str, ...], ...]
    missing: dict[str, float]
    value: float
    gap: float
