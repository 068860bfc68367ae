"""Two rungs on users' later sets: shares, and whether these differ by more than chance. Pure.

A model errs on one person's one exercise as a whole, so sets are not independent: five sets of one
exercise are won by one piece of luck, not by five. Chance is therefore counted in *units* that win
or lose as a whole: people, or where there are few of them, each person's exercises (decision 80).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Literal, NamedTuple

MIN_PEOPLE = (
    8  # the fewest of whom all but one decide (p = .035); of fewer nearly all would have to
)

SetHits = Mapping[str, bool]
"""Set id to whether a rung named the set right."""


@dataclass(frozen=True, slots=True)
class UserTrial:
    """Each rung's hits on one user's later sets.

    Attributes:
        owner: the user.
        labelled_sets: how many labelled sets the user has in all; decides the stratum.
        challenger: hits of the new model.
        serving: of the serving model, on sets after *its* training data.
        majority: of always naming the user's most frequent exercise.
        exercises: set id to the exercise that was done, of all these sets.
    """

    owner: str
    labelled_sets: int
    challenger: SetHits
    serving: SetHits
    majority: SetHits
    exercises: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CommonShares:
    """Two rungs on the sets on which both were asked.

    Attributes:
        sets: how many these are, at least one.
        challenger, other: shares that each named right.
    """

    sets: int
    challenger: float
    other: float


def common_shares(pairs: Iterable[tuple[SetHits, SetHits]]) -> CommonShares | None:
    """Shares pooled over users, each with the hits of two rungs; None where no set is common.

    >>> common_shares([({"s": True, "t": False}, {"s": True, "u": False}), ({}, {"s": True})])
    CommonShares(sets=1, challenger=1.0, other=1.0)
    """
    common = [
        (hit, other[name]) for hits, other in pairs for name, hit in hits.items() if name in other
    ]
    if not common:
        return None
    right, other_right = (sum(hits) for hits in zip(*common, strict=True))
    return CommonShares(len(common), right / len(common), other_right / len(common))


class Outcome(NamedTuple):
    """What the challenger won and lost of something: sets, or units of sets."""

    won: int
    lost: int


@dataclass(frozen=True, slots=True)
class Disagreements:
    """Where the challenger and the serving model disagree, counted in what errs as a whole.

    Attributes:
        unit: what was counted: people, or where fewer than `MIN_PEOPLE` were asked each person's
            exercises.
        compared: how many units have a set on which both were asked.
        units: how many of them have more sets that only the challenger, only the other named right.
        sets: how many sets only the challenger, only the other named right.
    """

    unit: Literal["people", "exercises"]
    compared: int
    units: Outcome
    sets: Outcome

    @property
    def chance_to_win(self) -> float:
        """The chance of winning as clearly, if both were equally good (`_chance`)."""
        return _chance(self.compared, self.units, self.sets)

    @property
    def chance_to_lose(self) -> float:
        """The chance of losing as clearly, if both were equally good."""
        return _chance(self.compared, Outcome(*self.units[::-1]), Outcome(*self.sets[::-1]))

    @property
    def loss(self) -> str:
        """The units that the challenger lost, for the reasons of runs.

        >>> Disagreements("people", 12, Outcome(1, 9), Outcome(2, 30)).loss
        'for 9 of 12 people, better for 1'
        """
        preposition = "for" if self.unit == "people" else "in"
        won, lost = self.units
        return f"{preposition} {lost} of {self.compared} {self.unit}, better {preposition} {won}"


def disagreements(trials: Sequence[UserTrial]) -> Disagreements:
    """Count what the challengers won and lost beside what serves, pooled over users.

    >>> right, wrong = {"s": True, "t": True}, {"s": False, "t": True}
    >>> done = {"s": "curl", "t": "press"}
    >>> counted = disagreements([UserTrial("a", 9, right, wrong, {}, done)])
    >>> counted.unit, counted.compared, counted.units
    ('exercises', 2, Outcome(won=1, lost=0))
    """
    asked = [trial for trial in trials if trial.challenger.keys() & trial.serving.keys()]
    by_people = len(asked) >= MIN_PEOPLE
    net: Counter[tuple[str, str]] = Counter()  # sets won minus sets lost, of each unit
    won = lost = 0
    for trial in asked:
        for name in trial.challenger.keys() & trial.serving.keys():
            difference = trial.challenger[name] - trial.serving[name]
            net[trial.owner, "" if by_people else trial.exercises[name]] += difference
            won, lost = won + (difference > 0), lost + (difference < 0)
    units = Outcome(sum(n > 0 for n in net.values()), sum(n < 0 for n in net.values()))
    unit = "people" if by_people else "exercises"
    return Disagreements(unit, len(net), units, Outcome(won, lost))


def _chance(compared: int, units: Outcome, sets: Outcome) -> float:
    """The chance of at least so many units won between equals.

    Few units cannot tell, be all of them won: four give 1/16. But that two or more equals differ
    in half of all units, all in one direction, is rare as well; there the sets decide. Who won more
    units but not more sets is not better.
    """
    if sets.won <= sets.lost:
        return 1.0
    chance = sign_test(*units)
    if units.won - units.lost >= max(compared / 2, min(2, compared)):
        return min(chance, sign_test(*sets))
    return chance


def sign_test(hits: int, others: int) -> float:
    """One-sided sign test: chance of at least `hits` of `hits + others` between equals.

    It is at least a half where there are no more `hits` than `others`.

    >>> sign_test(5, 0)
    0.03125
    """
    n = hits + others
    ways = total = comb(n, hits)
    for k in range(hits, n):  # each from the one before: `comb` of every number takes hours
        ways = ways * (n - k) // (k + 1)
        total += ways
    return total / 2**n
