"""The week's plan as a mixed-integer linear program, solved by HiGHS.

Variables: x[e, d] = 1: exercise e on day d; t[m, d] = 1: m is a main muscle on day d; u[d] = 1:
day d is a training day; s[m] ≥ 0: wanted sets that m does not get.

    maximise  Σ x[e, d] · (liking − minutes) − missing · Σ s[m]
    time      Σ_e minutes_e · x[e, d] ≤ minutes[d]
    blocks    Σ_e x[e, d] ≤ most_blocks_a_day · u[d],  Σ_d u[d] ≤ most_days
    variety   Σ_d x[e, d] ≤ most_times
    recovery  x[e, d] ≤ t[main(e), d];  Σ t[m, d ... d + recovery_days − 1] ≤ 1
              t[m, d] = 0 while d + rested_days(m) < recovery_days
    volume    Σ share(e, m) · block_sets · x[e, d] + s[m] ≥ wanted[m]
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from models.arrays import Floats64, Ints64
from models.week.model import (
    DAYS,
    AvailableExercise,
    Objective,
    WeekLimits,
    WeekPlan,
    muscle_sets,
)
from schemas.errors import BadInput

DEFAULT_OBJECTIVE = Objective()
GAP = 0.05  # of the best possible value: the last percents cost most of the time
NODES = 200  # a limit that, other than seconds, gives the same plan on every machine


def plan_week(
    candidates: Sequence[AvailableExercise],
    limits: WeekLimits,
    objective: Objective = DEFAULT_OBJECTIVE,
    *,
    gap: float = GAP,
) -> WeekPlan:
    """The best week under the limits; a week without training when nothing fits.

    Args:
        candidates: exercises that may be used.
        limits: see `WeekLimits`.
        objective: see `Objective`.
        gap: the search ends when the plan is proven to be within this share of the best value.

    Raises:
        BadInput: not seven days, an exercise without muscles or twice.

    A muscle trained yesterday rests one more day:

    >>> squat = AvailableExercise("squat", ("quads",), set_minutes=5.0, liking=1.0)
    >>> limits = WeekLimits((20.0, 20.0, 0.0, 0.0, 0.0, 0.0, 0.0), {"quads": 3.0}, {"quads": 1})
    >>> plan_week([squat], limits).days[:3]
    ((), ('squat',), ())
    """
    _check(candidates, limits)
    if not candidates:
        return WeekPlan(((),) * DAYS, _missing([()] * DAYS, candidates, limits), 0.0, 0.0)
    program = _Program(candidates, limits)
    solution = milp(
        -program.gains(objective),
        constraints=program.constraints(),
        bounds=program.bounds(),
        integrality=program.integrality(),
        options={"node_limit": NODES, "mip_rel_gap": gap},
    )
    if solution.x is None:
        raise BadInput(f"no week fits these limits: {solution.message}")
    days = program.days(solution.x)
    value = value_of(days, candidates, limits, objective)
    bound = -float(solution.mip_dual_bound)
    return WeekPlan(days, _missing(days, candidates, limits), value, max(bound - value, 0.0))


def _check(candidates: Sequence[AvailableExercise], limits: WeekLimits) -> None:
    if len(limits.minutes) != DAYS:
        raise BadInput(f"{len(limits.minutes)} days instead of 7", field="minutes")
    names = [candidate.exercise for candidate in candidates]
    for candidate in candidates:
        if not candidate.muscles or names.count(candidate.exercise) > 1:
            raise BadInput("an exercise without muscles, or twice", value=candidate.exercise)


def volume(
    days: Sequence[Sequence[str]], candidates: Sequence[AvailableExercise], limits: WeekLimits
) -> dict[str, float]:
    """Muscle → sets that a week gives it."""
    known = {candidate.exercise: candidate for candidate in candidates}
    sets: dict[str, float] = {}
    for name in (name for day in days for name in day):
        for muscle, share in muscle_sets(known[name].muscles):
            sets[muscle] = sets.get(muscle, 0.0) + share * limits.block_sets
    return sets


def _missing(
    days: Sequence[Sequence[str]], candidates: Sequence[AvailableExercise], limits: WeekLimits
) -> dict[str, float]:
    volumes = volume(days, candidates, limits)
    short = {m: wanted - volumes.get(m, 0.0) for m, wanted in sorted(limits.wanted_sets.items())}
    return {muscle: sets for muscle, sets in short.items() if sets > 1e-9}


def value_of(
    days: Sequence[Sequence[str]],
    candidates: Sequence[AvailableExercise],
    limits: WeekLimits,
    objective: Objective = DEFAULT_OBJECTIVE,
) -> float:
    """What any week is worth, see `Objective`."""
    known = {candidate.exercise: candidate for candidate in candidates}
    gain = sum(_gain(known[name], limits, objective) for day in days for name in day)
    return gain - objective.missing * sum(_missing(days, candidates, limits).values())


def _gain(candidate: AvailableExercise, limits: WeekLimits, objective: Objective) -> float:
    minutes = candidate.set_minutes * limits.block_sets
    return objective.liking * candidate.liking - objective.minute * minutes


Row = tuple[list[tuple[int, float]], float]  # ([(number of x, a), ...], b): Σ a · x ≤ b


class _Program:
    """Numbers the variables and writes the rows of the program."""

    def __init__(self, candidates: Sequence[AvailableExercise], limits: WeekLimits) -> None:
        self.candidates, self.limits = candidates, limits
        main = {candidate.muscles[0] for candidate in candidates}
        self.muscles = sorted(main)
        self.wanted = sorted(limits.wanted_sets)
        self.first_t = len(candidates) * DAYS
        self.first_u = self.first_t + len(self.muscles) * DAYS
        self.first_s = self.first_u + DAYS
        self.size = self.first_s + len(self.wanted)

    def x(self, exercise: int, day: int) -> int:
        """Number of the variable x[e, d]; `exercise` is a place in `candidates`."""
        return exercise * DAYS + day

    def t(self, muscle: str, day: int) -> int:
        """Number of the variable t[m, d]; `muscle` is the main one of a candidate."""
        return self.first_t + self.muscles.index(muscle) * DAYS + day

    def gains(self, objective: Objective) -> Floats64:
        """What each variable adds to the value, (size,): to be maximised, where milp minimises."""
        gains = np.zeros(self.size)
        each = [_gain(candidate, self.limits, objective) for candidate in self.candidates]
        gains[: self.first_t] = np.repeat(each, DAYS)
        gains[self.first_s :] = -objective.missing
        return gains

    def bounds(self) -> Bounds:
        """0 to 1, and 0 for t[m, d] while m still rests; a shortage s[m] has no upper bound."""
        upper = np.ones(self.size)
        upper[self.first_s :] = np.inf
        for muscle in self.muscles:
            rested = self.limits.rested_days.get(muscle, self.limits.recovery_days)
            for day in range(DAYS):
                upper[self.t(muscle, day)] = float(day + rested >= self.limits.recovery_days)
        return Bounds(0, upper)

    def integrality(self) -> Ints64:
        """(size,) 1: a whole number (x, t, u); 0: any (s)."""
        return (np.arange(self.size) < self.first_s).astype(np.int64)

    def constraints(self) -> LinearConstraint:
        """All rows, Σ a · x ≤ b, with a sparse matrix (rows, size)."""
        rows = list(self._rows())
        entries = [(row, column, a) for row, (terms, _) in enumerate(rows) for column, a in terms]
        row, column, a = (np.array(part) for part in zip(*entries, strict=True))
        matrix = coo_array((a, (row, column)), shape=(len(rows), self.size))
        most = np.array([b for _, b in rows])
        return LinearConstraint(matrix.tocsc(), -np.inf, most)

    def _rows(self) -> Iterator[Row]:
        for day in range(DAYS):
            yield from self._day(day)
        for exercise in range(len(self.candidates)):
            yield [(self.x(exercise, day), 1.0) for day in range(DAYS)], self.limits.most_times
        yield [(self.first_u + day, 1.0) for day in range(DAYS)], self.limits.most_days
        yield from self._recovery()
        yield from self._volume()

    def _day(self, day: int) -> Iterator[Row]:
        blocks = [(self.x(exercise, day), 1.0) for exercise in range(len(self.candidates))]
        time = [
            (self.x(exercise, day), candidate.set_minutes * self.limits.block_sets)
            for exercise, candidate in enumerate(self.candidates)
        ]
        yield time, self.limits.minutes[day]
        yield [*blocks, (self.first_u + day, -float(self.limits.most_blocks_a_day))], 0.0
        for exercise, candidate in enumerate(self.candidates):
            yield [(self.x(exercise, day), 1.0), (self.t(candidate.muscles[0], day), -1.0)], 0.0

    def _recovery(self) -> Iterator[Row]:
        for muscle in self.muscles:
            for day in range(DAYS - 1):
                window = range(day, min(day + self.limits.recovery_days, DAYS))
                yield [(self.t(muscle, other_day), 1.0) for other_day in window], 1.0

    def _volume(self) -> Iterator[Row]:
        for number, muscle in enumerate(self.wanted):
            terms = [(self.first_s + number, -1.0)]
            for exercise, candidate in enumerate(self.candidates):
                for trained, share in muscle_sets(candidate.muscles):
                    if trained == muscle:
                        sets = -share * self.limits.block_sets
                        terms += [(self.x(exercise, day), sets) for day in range(DAYS)]
            yield terms, -self.limits.wanted_sets[muscle]

    def days(self, solution: Floats64) -> tuple[tuple[str, ...], ...]:
        """Names per day; exercises of many muscles first, while one is fresh."""
        chosen = solution[: self.first_t].reshape(-1, DAYS) > 0.5
        order = sorted(
            range(len(self.candidates)),
            key=lambda e: (-len(self.candidates[e].muscles), self.candidates[e].exercise),
        )
        return tuple(
            tuple(self.candidates[e].exercise for e in order if chosen[e, day])
            for day in range(DAYS)
        )
