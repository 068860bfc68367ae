"""Checks a week against its limits, and a greedy planner to compare with."""

from collections.abc import Sequence

from models.week.fit import DEFAULT_OBJECTIVE, value_of
from models.week.model import DAYS, AvailableExercise, Objective, WeekLimits


def violations(
    days: Sequence[Sequence[str]], candidates: Sequence[AvailableExercise], limits: WeekLimits
) -> tuple[str, ...]:
    """Every limit that a week breaks, as sentences; empty: it is allowed."""
    known = {candidate.exercise: candidate for candidate in candidates}
    broken: list[str] = []
    for day, names in enumerate(days):
        minutes = sum(known[name].set_minutes * limits.block_sets for name in names)
        if minutes > limits.minutes[day] + 1e-6:
            broken.append(f"day {day} takes {minutes:.1f} of {limits.minutes[day]:.1f} minutes")
        if len(names) > limits.most_blocks_a_day:
            broken.append(f"day {day} holds {len(names)} exercises")
        if len(set(names)) < len(names):
            broken.append(f"day {day} holds an exercise twice")
    if sum(bool(names) for names in days) > limits.most_days:
        broken.append("too many training days")
    for name in known:
        if sum(name in names for names in days) > limits.most_times:
            broken.append(f"{name} comes up too often")
    return (*broken, *_unrested(days, known, limits))


def _unrested(
    days: Sequence[Sequence[str]], known: dict[str, AvailableExercise], limits: WeekLimits
) -> list[str]:
    broken: list[str] = []
    last = {muscle: -rested for muscle, rested in limits.rested_days.items()}
    for day, names in enumerate(days):
        for muscle in sorted({known[name].muscles[0] for name in names}):
            if muscle in last and day - last[muscle] < limits.recovery_days:
                broken.append(f"{muscle} is not recovered on day {day}")
            last[muscle] = day
    return broken


def greedy_week(
    candidates: Sequence[AvailableExercise],
    limits: WeekLimits,
    objective: Objective = DEFAULT_OBJECTIVE,
) -> tuple[tuple[str, ...], ...]:
    """The baseline: adds, as long as it helps, the exercise and day that help most."""
    days: list[list[str]] = [[] for _ in range(DAYS)]
    value = value_of(days, candidates, limits, objective)
    while True:
        options: list[tuple[float, int, str]] = []
        for day in range(DAYS):
            for candidate in candidates:
                days[day].append(candidate.exercise)
                if not violations(days, candidates, limits):
                    after = value_of(days, candidates, limits, objective)
                    options.append((after, -day, candidate.exercise))
                days[day].pop()
        best = max(options, default=(value, 0, ""))
        if best[0] <= value + 1e-12:
            return tuple(tuple(day) for day in days)
        value = best[0]
        days[-best[1]].append(best[2])
