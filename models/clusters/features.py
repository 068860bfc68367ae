"""Frequency, performance and improvement of a person, from the sets of a stretch of time.

Two steps, so that a person's sets are read once, wherever they lie: `summarise` sees one person
alone; `features` compares the summaries of all.

- frequency: sessions a week.
- capacity of a set: the weight that could be lifted once, weight · (1 + reps / 30) (Epley); for an
  exercise without weight its repetitions.
- performance index: mean over the person's exercises of log(capacity / median over all people).
- improvement index: relative change of capacity in four weeks: the slope of log capacity over
  time, within exercises, all exercises sharing one slope.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64, Ints64
from models.history import WEEK_S, SetLog

FEATURES = ("frequency", "performance", "improvement")
WEEKS = 26.0


@dataclass(frozen=True, slots=True)
class Summary:
    """One person in one stretch of time.

    Attributes:
        sessions_per_week: visits a week, from the first one on or over the whole stretch.
        log_capacity: exercise → median of the log of its sets' capacity.
        improvement: relative change of capacity in four weeks; 0 when nothing can tell.
        sets: how many sets this was taken from.
    """

    sessions_per_week: float
    log_capacity: dict[str, float]
    improvement: float
    sets: int


def capacity(log: SetLog) -> Floats64:
    """Capacity of each set, float64 (n,): kilograms, or repetitions where there is no weight.

    NaN where the repetitions were not recorded.

    >>> from models.population.model import SimulatedSet
    >>> rows = [SimulatedSet("a", 0.0, "squat", 6, 100.0, None),
    ...         SimulatedSet("a", 9.0, "plank", 40, None, None)]
    >>> capacity(SetLog.of(rows)).tolist()
    [120.0, 40.0]
    """
    reps = np.where(log.reps > 0, log.reps, np.nan)
    weighted = np.isfinite(log.weight_kg) & (log.weight_kg > 0)
    weight = np.where(weighted, log.weight_kg, 1.0)
    return np.where(weighted, weight * (1 + reps / 30), reps)


def summarise(log: SetLog, until_s: float) -> Summary:
    """What `features` needs of one person's last `WEEKS`.

    A person who began later is counted from the first visit, over at least two weeks.

    Args:
        log: the person's sets.
        until_s: end of the stretch, seconds since the epoch.
    """
    stretch = log.since(until_s - WEEKS * WEEK_S).before(until_s)
    began_s = max(float(log.started_s[0]), until_s - WEEKS * WEEK_S) if len(log) else until_s
    seen_weeks = max((until_s - began_s) / WEEK_S, 2.0)
    value = capacity(stretch)
    known = np.isfinite(value)
    names, code = np.unique(stretch.exercise[known], return_inverse=True)
    log_value = np.log(value[known])
    return Summary(
        sessions_per_week=len(np.unique(stretch.session)) / seen_weeks,
        log_capacity={
            str(name): float(np.median(log_value[code == number]))
            for number, name in enumerate(names)
        },
        improvement=_slope(stretch.started_s[known] / (4 * WEEK_S), log_value, code),
        sets=len(stretch),
    )


def _slope(time: Floats64, value: Floats64, group: Ints64) -> float:
    """Common slope of `value` over `time` within groups; 0 when no group spreads in time."""
    if not len(time):
        return 0.0
    size = np.bincount(group)
    centred_time = time - (np.bincount(group, time) / size)[group]
    centred_value = value - (np.bincount(group, value) / size)[group]
    spread = float(centred_time @ centred_time)
    # Less than a week's spread of a handful of sets tells of the day, not of progress.
    if spread < 0.25**2 * 4:
        return 0.0
    return float(centred_time @ centred_value) / spread


def reference_capacity(summaries: Sequence[Summary]) -> dict[str, float]:
    """Exercise → median over people of their log capacity."""
    values: dict[str, list[float]] = {}
    for summary in summaries:
        for exercise, value in summary.log_capacity.items():
            values.setdefault(exercise, []).append(value)
    return {exercise: float(np.median(values[exercise])) for exercise in sorted(values)}


def features(summaries: Sequence[Summary], reference: Mapping[str, float]) -> Floats64:
    """Rows of (frequency, performance, improvement), float64 (people, 3).

    A person without any exercise of the reference gets the performance 0: that of the median.
    """
    rows: list[tuple[float, float, float]] = []
    for summary in summaries:
        above = [
            value - reference[exercise]
            for exercise, value in summary.log_capacity.items()
            if exercise in reference
        ]
        performance = float(np.mean(above)) if above else 0.0
        rows.append((summary.sessions_per_week, performance, summary.improvement))
    return np.array(rows, np.float64).reshape(len(rows), len(FEATURES))
