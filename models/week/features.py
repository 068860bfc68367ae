"""What a user's own history says about the week: exercises, time, wanted sets, rest so far."""

from collections import Counter

import numpy as np

from models.catalogue import BY_NAME
from models.history import DAY_S, WEEK_S, SetLog
from models.week.model import DAYS, SECONDARY, Candidate, WeekLimits
from schemas.errors import NotEnoughLabels

REP_S = 2.5  # a usual repetition
WARM_UP_MIN = 5.0


def muscles_of(exercise: str) -> tuple[str, ...]:
    """Muscles of an exercise, the main one first; one that is not known tires only itself."""
    known = BY_NAME.get(exercise)
    return known.muscles if known else (exercise,)


def candidates_of(log: SetLog, *, most: int = 20) -> tuple[Candidate, ...]:
    """The exercises of a log, the most often done first; liking is relative to that one.

    Raises:
        NotEnoughLabels: the log is empty.
    """
    if not len(log):
        raise NotEnoughLabels("no sets to plan a week from")
    counts = Counter(log.exercise.tolist())
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
    return tuple(
        Candidate(name, muscles_of(name), _set_minutes(log, name), count / ordered[0][1])
        for name, count in ordered
    )


def _set_minutes(log: SetLog, exercise: str) -> float:
    reps = log.reps[(log.exercise == exercise) & np.isfinite(log.reps)]
    known = BY_NAME.get(exercise)
    rest_s = known.rest_s if known else 90.0
    return ((float(np.median(reps)) if len(reps) else 10.0) * REP_S + rest_s) / 60


def limits_of(
    log: SetLog, first_day_s: float, *, utc_offset_s: float = 0.0, weeks: int = 8
) -> WeekLimits:
    """Limits that follow the user's habits of the last weeks.

    Time on a weekday: the median of its sessions plus a tenth, when there was one in at least a
    quarter of the weeks. Wanted sets: what the muscles got in a week in the mean.

    Args:
        log: the user's sets.
        first_day_s: 00:00 UTC of the local date on which the plan begins, seconds since
            the epoch.
        utc_offset_s: local time minus UTC.
        weeks: how far back habits are looked for.
    """
    begin_s = first_day_s - utc_offset_s
    recent = log.before(begin_s).since(begin_s - weeks * WEEK_S)
    seen_weeks = max((begin_s - recent.started_s[0]) / WEEK_S, 1.0) if len(recent) else 1.0
    minutes: list[list[float]] = [[] for _ in range(DAYS)]
    for session in np.unique(recent.session):
        at_s = recent.started_s[recent.session == session]
        day = int((at_s[0] - begin_s) // DAY_S) % DAYS
        minutes[day].append(float(at_s[-1] - at_s[0]) / 60 + WARM_UP_MIN)
    usual = [1.1 * float(np.median(day)) if len(day) >= seen_weeks / 4 else 0.0 for day in minutes]
    wanted: dict[str, float] = {}
    last: dict[str, int] = {}
    for name, at_s in zip(recent.exercise.tolist(), recent.started_s.tolist(), strict=True):
        for place, muscle in enumerate(muscles_of(name)):
            share = 1.0 if place == 0 else SECONDARY
            wanted[muscle] = wanted.get(muscle, 0.0) + share
        last[muscles_of(name)[0]] = int((begin_s - at_s) // DAY_S) + 1
    return WeekLimits(
        minutes=tuple(usual),
        wanted_sets={muscle: wanted[muscle] / seen_weeks for muscle in sorted(wanted)},
        rested_days=last,
        most_days=max(sum(time > 0 for time in usual), 1),
    )
