"""Frequency, performance and improvement of a person, from the sets of a stretch of time.

Two steps, so that a person's sets are read once, wherever they lie: `summarise` sees one person
alone; `features` compares the summaries of all.

- frequency: sessions a week.
- capacity of a set: the weight that could be lifted once, weight · (1 + reps / 30) (Epley); for an
  exercise that a person does without weight its repetitions. The two are not compared: sets without
  a weight do not count where the person's other sets of the exercise have one, and the median over
  people is that of kilograms or of repetitions.
- performance index: mean over the person's exercises of log(capacity / median over all people).
- improvement index: relative change of capacity in four weeks: the slope of log capacity over
  time, within exercises, all exercises sharing one slope.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from models.arrays import Flags, Floats64, Ints64
from models.history import WEEK_S, SetLog

FEATURES = ("frequency", "performance", "improvement")
WEEKS = 26.0
ROUNDING = 1e-9  # values that differ by no more than this are the same


class Measure(NamedTuple):
    """What a capacity is of: an exercise, in kilograms or in repetitions."""

    exercise: str
    unit: Literal["kg", "repetitions"]


@dataclass(frozen=True, slots=True)
class Summary:
    """One person in one stretch of time.

    Attributes:
        sessions_per_week: visits a week, from the first one on or over the whole stretch.
        log_capacity: median of the log of the capacity of each exercise's sets, in the unit that
            the person's sets of the exercise have.
        improvement: relative change of capacity in four weeks; 0 when nothing can tell.
        sets: how many sets this was taken from.
    """

    sessions_per_week: float
    log_capacity: dict[Measure, float]
    improvement: float
    sets: int


def capacity(log: SetLog) -> Floats64:
    """Capacity of each set, float64 (n,): kilograms, or repetitions where there is no weight.

    NaN where the repetitions were not recorded.

    >>> from models.history import DoneSet
    >>> rows = [DoneSet("a", 0.0, "squat", 6, 100.0, None),
    ...         DoneSet("a", 9.0, "plank", 40, None, None)]
    >>> capacity(SetLog.of(rows)).tolist()
    [120.0, 40.0]
    """
    reps, weighted = np.where(log.reps > 0, log.reps, np.nan), _weighted(log)
    weight = np.where(weighted, log.weight_kg, 1.0)
    return np.where(weighted, weight * (1 + reps / 30), reps)


def _weighted(log: SetLog) -> Flags:
    return np.isfinite(log.weight_kg) & (log.weight_kg > 0)


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
    known, weighted = np.isfinite(value), _weighted(stretch)
    in_kg = np.isin(stretch.exercise, stretch.exercise[known & weighted])
    known &= weighted | ~in_kg
    names, code = np.unique(stretch.exercise[known], return_inverse=True)
    log_value = np.log(value[known])
    measures = [
        Measure(str(name), "kg" if in_kg[stretch.exercise == name].all() else "repetitions")
        for name in names
    ]
    return Summary(
        sessions_per_week=len(np.unique(stretch.session)) / seen_weeks,
        log_capacity={
            measure: float(np.median(log_value[code == number]))
            for number, measure in enumerate(measures)
        },
        improvement=_slope(stretch.started_s[known] / (4 * WEEK_S), log_value, code),
        sets=len(stretch),
    )


def _slope(time: Floats64, value: Floats64, group: Ints64) -> float:
    """Common slope of `value` over `time` within groups.

    Exactly 0 where no group spreads in time, and where all values of each group are the same: the
    1e-29 that rounding leaves would be the spread of people most of whom never change a weight.
    """
    if not len(time):
        return 0.0
    size = np.bincount(group)
    centred_time = time - (np.bincount(group, time) / size)[group]
    centred_value = value - (np.bincount(group, value) / size)[group]
    if np.abs(centred_value).max() <= ROUNDING:
        return 0.0
    spread = float(centred_time @ centred_time)
    # Less than a week's spread of a handful of sets tells of the day, not of progress.
    if spread < 0.25**2 * 4:
        return 0.0
    return float(centred_time @ centred_value) / spread


def reference_capacity(summaries: Sequence[Summary]) -> dict[Measure, float]:
    """Median over people of their log capacity, of each exercise and unit."""
    values: dict[Measure, list[float]] = {}
    for summary in summaries:
        for measure, value in summary.log_capacity.items():
            values.setdefault(measure, []).append(value)
    return {measure: float(np.median(values[measure])) for measure in sorted(values)}


def features(summaries: Sequence[Summary], reference: Mapping[Measure, float]) -> Floats64:
    """Rows of (frequency, performance, improvement), float64 (people, 3).

    A person without any exercise of the reference gets the performance 0: that of the median.
    """
    rows: list[tuple[float, float, float]] = []
    for summary in summaries:
        above = [
            value - reference[measure]
            for measure, value in summary.log_capacity.items()
            if measure in reference
        ]
        performance = float(np.mean(above)) if above else 0.0
        rows.append((summary.sessions_per_week, performance, summary.improvement))
    return np.array(rows, np.float64).reshape(len(rows), len(FEATURES))
