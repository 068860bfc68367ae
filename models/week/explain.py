"""Why a week looks as it does, in sentences for the person who is to train."""

from collections.abc import Mapping, Sequence

from models.week.model import DAYS, AvailableExercise, WeekLimits, WeekPlan
from schemas.plurals import plural


def reasons(
    plan: WeekPlan, candidates: Sequence[AvailableExercise], limits: WeekLimits
) -> tuple[tuple[str, ...], ...]:
    """For every exercise of every day: how rested its muscle is, and what the week wants of it."""
    main = {candidate.exercise: candidate.muscles[0] for candidate in candidates}
    last = {muscle: -days for muscle, days in limits.rested_days.items()}
    reasons_by_day: list[tuple[str, ...]] = []
    for day, names in enumerate(plan.days):
        reasons_by_day.append(tuple(_reason(main[name], day, last, limits) for name in names))
        last |= dict.fromkeys((main[name] for name in names), day)
    return tuple(reasons_by_day)


def _reason(muscle: str, day: int, last: Mapping[str, int], limits: WeekLimits) -> str:
    wanted = limits.wanted_sets.get(muscle, 0.0)
    rested = f"{muscle} has rested"
    if muscle in last:
        rested = f"{muscle} was last trained {plural(day - last[muscle], 'day')} before"
    return f"{rested}; you want {plural(wanted, 'set')} of it a week" if wanted >= 1 else rested


def summary(plan: WeekPlan, candidates: Sequence[AvailableExercise], limits: WeekLimits) -> str:
    """One sentence about the week.

    >>> press = AvailableExercise("press", ("chest",), set_minutes=2.0, liking=1.0)
    >>> limits = WeekLimits((60.0,) * 7, {"chest": 9.0})
    >>> summary(WeekPlan((("press",), *[()] * 6), {"chest": 6.0}, 0.0, 0.0), [press], limits)
    '1 training day; a muscle rests 1 day in between; no room for 6 more sets of chest.'
    """
    days = sum(bool(day) for day in plan.days)
    if not days:
        return _why_nothing(candidates, limits)
    parts = [plural(days, "training day")]
    parts.append(f"a muscle rests {plural(limits.recovery_days - 1, 'day')} in between")
    short = [f"{plural(sets, 'more set')} of {m}" for m, sets in plan.missing.items() if sets >= 1]
    if short:
        parts.append(f"no room for {', '.join(short)}")
    return f"{'; '.join(parts)}."


def _why_nothing(candidates: Sequence[AvailableExercise], limits: WeekLimits) -> str:
    """Why a week is empty: no time, too little of it, or nothing that is rested when there is time.

    >>> press = AvailableExercise("press", ("chest",), set_minutes=2.0, liking=1.0)
    >>> _why_nothing([press], WeekLimits((5.5, *[0.0] * 6), {}))
    'Nothing fits: 3 sets of press take 6.0 minutes, and no day has more than 5.5.'
    """
    most = max(limits.minutes)
    if most <= 0:
        return f"There is no time for training on any of {DAYS} days."
    quickest = min(candidates, key=lambda candidate: candidate.set_minutes)
    minutes = quickest.set_minutes * limits.block_sets
    if minutes <= most:
        return "Nothing fits: what there is time for is not rested on those days."
    sets = plural(limits.block_sets, "set")
    what = f"{sets} of {quickest.exercise} take {minutes:.1f} minutes"
    return f"Nothing fits: {what}, and no day has more than {most:.1f}."
