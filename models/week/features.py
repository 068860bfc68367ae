"""Inputs of the week plan from a history or from plans: exercises, time, wanted sets, rest."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from models.catalogue import BY_NAME
from models.history import DAY_S, WEEK_S, SetLog
from models.week.model import DAYS, AvailableExercise, WeekLimits, muscle_sets
from schemas.errors import NotEnoughLabels

REP_S = 2.5  # a usual repetition
USUAL_REPS = 10.0
USUAL_REST_S = 90.0
WARM_UP_MIN = 5.0


def muscles_of(exercise: str) -> tuple[str, ...]:
    """Muscles of an exercise, the main one first; one that is not known tires only itself."""
    known = BY_NAME.get(exercise)
    return known.muscles if known else (exercise,)


def candidates_of(log: SetLog, *, most: int = 20) -> tuple[AvailableExercise, ...]:
    """The exercises of a log, the most often done first; liking is relative to that one.

    Raises:
        NotEnoughLabels: the log is empty.
    """
    if not len(log):
        raise NotEnoughLabels("no sets to plan a week from")
    counts = Counter(log.exercise.tolist())
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
    return tuple(
        AvailableExercise(name, muscles_of(name), _set_minutes(log, name), count / ordered[0][1])
        for name, count in ordered
    )


def _set_minutes(log: SetLog, exercise: str) -> float:
    reps = log.reps[(log.exercise == exercise) & np.isfinite(log.reps)]
    return _minutes_of(exercise, float(np.median(reps)) if len(reps) else USUAL_REPS)


def _minutes_of(exercise: str, reps: float) -> float:
    """A set with the pause after it."""
    known = BY_NAME.get(exercise)
    return (reps * REP_S + (known.rest_s if known else USUAL_REST_S)) / 60


def limits_of(log: SetLog, first_day_s: float, *, weeks: int = 8) -> WeekLimits:
    """Limits that follow the user's habits of the last weeks.

    Time on a weekday: the median of its sessions plus a tenth, when there was one in at least a
    quarter of the weeks. A session lasts to the end of its last set, or to the begin of that where
    the end was not read. Wanted sets: what the muscles got in a week in the mean.

    Args:
        log: the user's sets, at the times of the clock on the wall: somebody who trains on Mondays
            at home and in another time zone trains on Mondays.
        first_day_s: 00:00 of the day on which the plan begins, on that clock. Such times are
            counted as if they were UTC, seconds since the epoch.
        weeks: how far back habits are looked for.
    """
    recent = log.before(first_day_s).since(first_day_s - weeks * WEEK_S)
    seen_weeks = max((first_day_s - recent.started_s[0]) / WEEK_S, 1.0) if len(recent) else 1.0
    minutes: list[list[float]] = [[] for _ in range(DAYS)]
    for session in np.unique(recent.session):
        at_s = recent.started_s[recent.session == session]
        until_s = at_s + np.nan_to_num(recent.duration_s[recent.session == session])
        day = int((at_s[0] - first_day_s) // DAY_S) % DAYS
        minutes[day].append(float(until_s.max() - at_s[0]) / 60 + WARM_UP_MIN)
    usual = [1.1 * float(np.median(day)) if len(day) >= seen_weeks / 4 else 0.0 for day in minutes]
    names = recent.exercise.tolist()
    last = {
        muscles_of(name)[0]: -int((at_s - first_day_s) // DAY_S)
        for name, at_s in zip(names, recent.started_s.tolist(), strict=True)
    }
    return WeekLimits(
        minutes=tuple(usual),
        wanted_sets={muscle: sets / seen_weeks for muscle, sets in _sets_of(names).items()},
        rested_days=last,
        most_days=max(sum(time > 0 for time in usual), 1),
    )


def _sets_of(names: Iterable[str]) -> dict[str, float]:
    """Muscle → what it gets of one set of each of these exercises, sorted by muscle."""
    sets: dict[str, float] = {}
    for name in names:
        for muscle, share in muscle_sets(muscles_of(name)):
            sets[muscle] = sets.get(muscle, 0.0) + share
    return dict(sorted(sets.items()))


def candidates_of_plans(plans: Sequence[Sequence[str]]) -> tuple[AvailableExercise, ...]:
    """The exercises of plans, for somebody without a history; all are liked alike.

    Args:
        plans: the exercise of every set, plan by plan.

    Raises:
        NotEnoughLabels: no plan has a set.
    """
    names = sorted({name for plan in plans for name in plan})
    if not names:
        raise NotEnoughLabels("no planned sets to make a week of")
    return tuple(
        AvailableExercise(name, muscles_of(name), _minutes_of(name, USUAL_REPS), 1.0)
        for name in names
    )


def limits_of_plans(plans: Sequence[Sequence[str]]) -> WeekLimits:
    """Limits for somebody who has plans and no history: each plan once, on a day of its own.

    Every day has time for the longest plan; wanted is what all plans together give a muscle.

    Args:
        plans: the exercise of every set, plan by plan; at least one plan.
    """
    longest = max(sum(_minutes_of(name, USUAL_REPS) for name in plan) for plan in plans)
    return WeekLimits(
        minutes=(longest + WARM_UP_MIN,) * DAYS,
        wanted_sets=_sets_of(name for plan in plans for name in plan),
        most_days=min(len(plans), DAYS),
    )
