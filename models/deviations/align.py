"""Aligns planned sets with done sets.

Three steps, each with one answer for one input:

1. Sets of the same exercise are paired so that the number of planned values that were not kept is
   least (linear assignment); min(planned, done) pairs of each exercise. Ties go to the pair whose
   numbers are closer, then to the order of the plan.
2. Pairs that were done out of the planned order get `order`: the fewest pairs that would have to
   move, i.e. those outside a longest increasing subsequence.
3. Planned sets without a pair are `missed`, done sets without a pair are `extra`. Another exercise
   instead of the planned one is therefore one missed and one extra set.

A number that the plan does not ask for, or that was not recorded, is not a deviation.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from models.arrays import Flags, Floats64
from models.deviations.model import DEFAULT_TOLERANCES, Deviation, DeviationKind, Target, Tolerances

CLOSENESS = 0.25  # a pair's distance adds at most 3 × this < 1: a kept value always counts more
ORDER = 1e-7  # per squared shift of place: only decides between pairs that are equal otherwise
ROUNDING = 1e-9  # 62.5 against 61.875 is within 0.625, whatever binary fractions say
COMPARED: tuple[tuple[DeviationKind, str], ...] = (
    ("reps", "reps"),
    ("weight", "weight_kg"),
    ("intensity", "intensity"),
)
"""The deviation of each compared value, and its name in `Target` and `Tolerances`."""


def align(
    planned: Sequence[Target], done: Sequence[Target], tolerances: Tolerances = DEFAULT_TOLERANCES
) -> tuple[Deviation, ...]:
    """Rows that hold every planned and every done set exactly once.

    Args:
        planned: the sets of the plan, in order.
        done: the sets of the session, in the order in which they began.
        tolerances: how far from the plan is still as planned.

    >>> plan = [Target("squat", 5, 100.0), Target("squat", 5, 100.0), Target("lunge", 10)]
    >>> done = [Target("squat", 5, 100.0), Target("plank")]
    >>> [sorted(row.kinds) for row in align(plan, done)]
    [['as_planned'], ['missed'], ['missed'], ['extra']]
    """
    pairs = _pairs(planned, done, tolerances)
    moved = _moved(pairs)
    rows: list[tuple[int | None, int | None, frozenset[DeviationKind]]] = []
    for number, target in enumerate(planned):
        answer = pairs.get(number)
        if answer is None:
            rows.append((number, None, frozenset({"missed"})))
        else:
            kinds = _kinds(target, done[answer], tolerances, moved=number in moved)
            rows.append((number, answer, kinds))
    answered = set(pairs.values())
    for number in range(len(done)):
        if number not in answered:
            rows.append((None, number, frozenset({"extra"})))
    return tuple(Deviation(position, *row) for position, row in enumerate(rows))


def _kinds(
    planned: Target, done: Target, tolerances: Tolerances, *, moved: bool
) -> frozenset[DeviationKind]:
    kinds: set[DeviationKind] = set(_outside(planned, done, tolerances))
    if moved:
        kinds.add("order")
    return frozenset(kinds or {"as_planned"})


def _outside(planned: Target, done: Target, tolerances: Tolerances) -> list[DeviationKind]:
    """Which of the planned values were not kept."""
    return [
        kind
        for kind, name in COMPARED
        if _is_outside(_number(planned, name) - _number(done, name), getattr(tolerances, name))
    ]


def _is_outside(difference: Floats64 | float, tolerance: float) -> Flags | bool:
    """Whether planned and done values (n, m) lie too far apart; NaN, not known, never does."""
    return np.abs(difference) > tolerance + ROUNDING


def _pairs(
    planned: Sequence[Target], done: Sequence[Target], tolerances: Tolerances
) -> dict[int, int]:
    """Number in the plan → number in what was done."""
    pairs: dict[int, int] = {}
    answers = _by_exercise(done)
    for exercise, wanted in _by_exercise(planned).items():
        got = answers.get(exercise, [])
        cost = _costs([planned[n] for n in wanted], [done[n] for n in got], tolerances)
        rows, columns = linear_sum_assignment(cost)
        pairs |= {wanted[i]: got[j] for i, j in zip(rows.tolist(), columns.tolist(), strict=True)}
    return pairs


def _by_exercise(targets: Sequence[Target]) -> dict[str, list[int]]:
    """The numbers of the sets of each exercise, in order."""
    numbers: dict[str, list[int]] = {}
    for number, target in enumerate(targets):
        numbers.setdefault(target.exercise, []).append(number)
    return numbers


def _costs(planned: Sequence[Target], done: Sequence[Target], tolerances: Tolerances) -> Floats64:
    """What each pair of sets of one exercise costs, (planned, done).

    The cost is first the number of values that were not kept; then how far apart the known values
    are, each as |wanted − got| / (|wanted| + |got|); then the distance in places. It is computed in
    arrays: compared pair by pair, hundreds of planned sets against hundreds of done ones would hold
    up everybody else's requests for a second.
    """
    not_kept, apart = np.zeros((2, len(planned), len(done)))
    for _, name in COMPARED:
        wanted = np.array([_number(target, name) for target in planned])[:, None]
        got = np.array([_number(target, name) for target in done])[None, :]
        difference = np.abs(wanted - got)  # NaN where one of them is not known
        not_kept += _is_outside(difference, getattr(tolerances, name))
        differs = difference > 0
        np.divide(difference, np.abs(wanted) + np.abs(got), out=difference, where=differs)
        apart += np.where(differs, difference, 0.0)
    places = np.arange(len(planned))[:, None] - np.arange(len(done))[None, :]
    return not_kept + CLOSENESS * apart + ORDER * places**2


def _number(target: Target, name: str) -> float:
    """A value of a set, NaN where it was not asked for or not recorded."""
    value = getattr(target, name)
    return math.nan if value is None else float(value)


def _moved(pairs: dict[int, int]) -> set[int]:
    """Planned numbers outside a longest increasing subsequence of the done numbers.

    Of several longest subsequences the one is kept whose done numbers are least, compared from its
    end: what was done early stays in place, and what came late has moved.

    >>> sorted(_moved({0: 2, 1: 0, 2: 1}))
    [0]
    """
    ends: list[int] = []  # ends[k]: least last done number of an increasing run of length k + 1
    holder: list[int] = []  # the planned number that ends it
    before: dict[int, int | None] = {}
    for number in sorted(pairs):
        place = bisect_left(ends, pairs[number])
        before[number] = holder[place - 1] if place else None
        ends[place : place + 1] = [pairs[number]]
        holder[place : place + 1] = [number]
    kept: set[int] = set()
    step = holder[-1] if holder else None
    while step is not None:
        kept.add(step)
        step = before[step]
    return set(pairs) - kept
