"""One person's days: the plan, what the body can do, and what is done with the plan.

The truth, for a person of strength s in week w at an exercise of ratio r:

    maximum(w) = body weight · r · s · (1 + 12 · gain · (1 − exp(−w / 12))) · day's form
    weight for n reps at effort e = maximum · e / (1 + n / 30)                      (Epley)
    felt intensity = weight / maximum · (1 + n / 30) + fatigue of the sets before + own bias + noise

`12 · gain · (1 − exp(−w / 12))` starts with `gain` a week and levels off after three months.
"""

from dataclasses import dataclass

import numpy as np

from models.catalogue import EXERCISES, Exercise
from models.history import DAY_S, WEEK_S
from models.population.model import SimulatedPlannedSet, Truth

DAYS_OF_SPLIT = 3  # a plan repeats after so many visits
EXERCISES_A_DAY = 5
WEEKS_A_PLAN = 8  # after so many weeks the person makes a new plan
SCHEMES = ((5, 0.86), (8, 0.82), (10, 0.78), (12, 0.74))  # repetitions, effort of the first set
GAIN_HORIZON_WEEKS = 12.0


@dataclass(frozen=True, slots=True)
class Body:
    """What the plan-making person knows, and what the body adds.

    Attributes:
        weight_kg: body weight.
        truth: see `Truth`.
        discipline: probability that a planned set is done.
        fatigue: felt intensity added by each set before.
        bias: the person's own way to use the scale of intensity.
    """

    weight_kg: float
    truth: Truth
    discipline: float
    fatigue: float
    bias: float

    def maximum_kg(self, exercise: Exercise, week: float) -> float:
        """True one-repetition maximum in a week; for exercises without weight, NaN."""
        if exercise.ratio is None:
            return float("nan")
        level = 1 - np.exp(-week / GAIN_HORIZON_WEEKS)
        gain = 1 + self.truth.gain_per_week * GAIN_HORIZON_WEEKS * level
        return float(self.weight_kg * exercise.ratio * self.truth.strength * gain)

    def capacity_reps(self, week: float) -> float:
        """Repetitions that an exercise without weight allows at full effort."""
        gain = 1 + self.truth.gain_per_week * week
        return 22.0 * self.truth.strength * gain


def plates(weight_kg: float) -> float:
    """The nearest weight that a gym has: steps of 2.5 kg, of 1 kg below 20 kg, at least 1 kg.

    >>> plates(61.4), plates(7.6)
    (62.5, 8.0)
    """
    step = 2.5 if weight_kg >= 20 else 1.0
    return max(step * round(weight_kg / step), 1.0)


def make_split(truth: Truth, random: np.random.Generator) -> list[list[tuple[int, int]]]:
    """For each day of the split its (exercise number, scheme number) pairs, drawn by taste."""
    count = DAYS_OF_SPLIT * EXERCISES_A_DAY
    taste = np.array(truth.taste)
    order = np.argsort(np.log(random.random(len(taste))) / taste)[::-1][:count]
    schemes = random.integers(0, len(SCHEMES), count)
    pairs = list(zip(order.tolist(), schemes.tolist(), strict=True))
    return [pairs[day::DAYS_OF_SPLIT] for day in range(DAYS_OF_SPLIT)]


def plan_day(
    day: list[tuple[int, int]], body: Body, week: float
) -> tuple[SimulatedPlannedSet, ...]:
    """The plan of one visit: three sets of each exercise, each a little harder."""
    planned: list[SimulatedPlannedSet] = []
    for number, scheme in day:
        exercise = EXERCISES[number]
        reps, effort = SCHEMES[scheme]
        maximum = body.maximum_kg(exercise, week)
        for step in range(3):
            intensity = effort + 0.04 * step
            if exercise.ratio is None:
                wanted = max(int(body.capacity_reps(week) * intensity), 3)
                planned.append(
                    SimulatedPlannedSet(exercise.name, wanted, None, round(intensity, 2))
                )
            else:
                weight = plates(maximum * intensity / (1 + reps / 30))
                planned.append(
                    SimulatedPlannedSet(exercise.name, reps, weight, round(intensity, 2))
                )
    return tuple(planned)


def visits(body: Body, weeks: int, random: np.random.Generator) -> list[float]:
    """When the person trains, ascending: at most one visit a day.

    In seconds that the person's own clock shows since midnight of the first day. With the same
    random numbers, fewer weeks give the first visits of more weeks.
    """
    favourite = random.permutation(7)
    hour = float(np.clip(random.normal(17.5, 2.5), 6, 21))
    starts: list[float] = []
    for week in range(weeks):
        count = min(int(random.poisson(body.truth.sessions_per_week)), 7)
        shift = random.random(7) < 0.2
        days = sorted(np.where(shift, random.permutation(7), favourite)[:count].tolist())
        for day in dict.fromkeys(days):
            minute = random.normal(60 * hour, 35)
            starts.append(week * WEEK_S + day * DAY_S + round(60 * minute))
    return starts
