"""Simple forecasts of a set's weight, repetitions and intensity, each from earlier sets only.

All look at sets of the same exercise. "Repeat" is the number of the set of this exercise within its
session: a third set is compared with third sets.
"""

from dataclasses import dataclass

import numpy as np

from models.arrays import Flags, Floats64
from models.history import SetLog, previous_with

TARGETS = ("weight_kg", "reps", "intensity")
FORECASTS = (
    "last",  # the last set: the baseline
    "same",  # the set with the same repeat in the session before, else the last
    "same_step",  # the last set of this session plus the step that followed it the session before
    "usual",  # exponentially weighted mean of the sets with the same repeat
    "onwards",  # same, plus the mean step of the latest sessions for this repeat
)
LAST = FORECASTS.index("last")
SMOOTHING = 0.35  # weight of the newest set in the exponential means


def later_sets(log: SetLog) -> Flags:
    """Which sets have an earlier one of the same exercise in their session, bool (n,)."""
    _, code = np.unique(log.exercise, return_inverse=True)
    before = previous_with(code.astype(np.int64))
    return (before >= 0) & (log.session[before] == log.session)


@dataclass(slots=True)
class _Repeat:
    """The values remembered for one (exercise, repeat)."""

    value: float
    usual: float
    step: float = 0.0


def forecasts(log: SetLog, target: str) -> Floats64:
    """Every forecast for every set, float64 (n, 5); NaN where the exercise has no earlier value.

    Args:
        log: the sets, oldest first; a set's own value is not used in its row.
        target: one of `TARGETS`.
    """
    values: Floats64 = getattr(log, target)
    table = np.full((len(log), len(FORECASTS)), np.nan)
    histories: dict[str, _ExerciseHistory] = {}
    rows = zip(log.exercise.tolist(), log.session.tolist(), values.tolist(), strict=True)
    for row, (name, session, value) in enumerate(rows):
        history = histories.setdefault(name, _ExerciseHistory())
        table[row] = history.forecast(session)
        history.update(value)
    return table


class _ExerciseHistory:
    """Walks over the sets of one exercise."""

    def __init__(self) -> None:
        self.last = float("nan")
        self.session = -1
        self.repeat = 0
        self.repeats: dict[int, _Repeat] = {}
        self.before: dict[int, float] = {}  # repeat → value in the session before
        self.now: dict[int, float] = {}

    def forecast(self, session: int) -> tuple[float, ...]:
        """Forecasts for the next set, which is done in `session`."""
        if session != self.session:
            self.session, self.repeat = session, 0
            self.before, self.now = (self.now or self.before), {}
        same = self.before.get(self.repeat, self.last)
        step = 0.0
        if self.repeat and self.repeat in self.before and self.repeat - 1 in self.before:
            step = self.before[self.repeat] - self.before[self.repeat - 1]
        known = self.repeats.get(self.repeat)
        usual = known.usual if known else self.last
        onwards = known.value + known.step if known else same
        return self.last, same, self.last + step, usual, onwards

    def update(self, value: float) -> None:
        """Remembers the set that was forecast last; NaN only counts as a repeat."""
        if value == value:  # not NaN
            known = self.repeats.get(self.repeat)
            if known is None:
                self.repeats[self.repeat] = _Repeat(value, value)
            else:
                known.step += SMOOTHING * (value - known.value - known.step)
                known.usual += SMOOTHING * (value - known.usual)
                known.value = value
            self.last = self.now[self.repeat] = value
        self.repeat += 1
