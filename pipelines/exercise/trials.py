"""Two rungs on users' later sets: shares, and whether these differ by more than chance. Pure.

A model errs on one person's one exercise as a whole, so sets are not independent: five sets of one
exercise are won by one piece of luck, not by five. What several people's sets say about others is
therefore counted in *units* that win or lose as a whole: people, or where there are few of them,
each person's exercises. What a user's sets say about that user's next sets is counted in sets: a
model that errs on an exercise of theirs will go on doing so (decision 80).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Any, Literal, NamedTuple

MIN_PEOPLE = 8
"""From so many people on, people are counted: all but one of eight decide (p = .035), while of five
to seven all would have to agree, and four never could."""

Unit = Literal["people", "exercises", "sets"]

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
        unit: what was counted.
        asked: how many people have a set on which both were asked.
        compared: how many units have one.
        units: how many of them have more sets that only the challenger, only the other named right.
        people: how many people have.
        sets: how many sets only the challenger, only the other named right.
    """

    unit: Unit
    asked: int
    compared: int
    units: Outcome
    people: Outcome
    sets: Outcome

    @property
    def chance_to_win(self) -> float:
        """The chance of winning as clearly, if both were equally good.

        Who won more units but not more sets is not better, nor is who won with one of several
        people alone, whose watch may sit otherwise. Few exercises cannot tell, be all of them won:
        four give 1/16. But that equals differ in half of all, all in one direction, is rare as
        well; there the sets decide.
        """
        if self.sets.won <= self.sets.lost or self.people.won < min(2, self.asked):
            return 1.0
        chance, balance = sign_test(*self.units), self.units.won - self.units.lost
        if self.unit == "exercises" and balance >= max(2, self.compared / 2):
            return min(chance, sign_test(*self.sets))
        return chance

    @property
    def chance_to_lose(self) -> float:
        """The chance of losing as clearly, if both were equally good."""
        units, people, sets = (
            Outcome(won=counted.lost, lost=counted.won)
            for counted in (self.units, self.people, self.sets)
        )
        return replace(self, units=units, people=people, sets=sets).chance_to_win

    @property
    def loss(self) -> str:
        """What the challenger lost, for the reasons of runs.

        >>> nine = Outcome(1, 9)
        >>> Disagreements("people", 12, 12, nine, nine, Outcome(2, 30)).loss
        'for 9 of 12 people, better for 1 (later sets: 30 lost, 2 won)'
        """
        people = "one person" if self.asked == 1 else f"{self.asked} people"
        where, of = {
            "people": ("for", "people"),
            "exercises": ("in", f"exercises of {people}"),
            "sets": ("on", "later sets"),
        }[self.unit]
        loss = f"{where} {self.units.lost} of {self.compared} {of}, better {where} {self.units.won}"
        if self.unit == "sets":
            return loss
        return f"{loss} (later sets: {self.sets.lost} lost, {self.sets.won} won)"


def disagreements(trials: Sequence[UserTrial], unit: Unit | None = None) -> Disagreements:
    """Count what the challengers won and lost beside what serves, pooled over users.

    Args:
        trials: of any number of users.
        unit: what to count; by default what tells of other people too: people, or each person's
            exercises where fewer than `MIN_PEOPLE` have sets on which both were asked.

    >>> right, wrong = {"s": True, "t": True}, {"s": False, "t": True}
    >>> done = {"s": "curl", "t": "press"}
    >>> counted = disagreements([UserTrial("a", 9, right, wrong, {}, done)])
    >>> counted.unit, counted.compared, counted.units
    ('exercises', 2, Outcome(won=1, lost=0))
    """
    people, exercises, sets = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for trial in trials:
        for name in trial.challenger.keys() & trial.serving.keys():
            difference = trial.challenger[name] - trial.serving[name]
            people[trial.owner] += difference
            exercises[trial.owner, trial.exercises[name]] += difference
            sets[trial.owner, name] += difference
    unit = unit or ("people" if len(people) >= MIN_PEOPLE else "exercises")
    balances = {"people": people, "exercises": exercises, "sets": sets}[unit]
    return Disagreements(
        unit=unit,
        asked=len(people),
        compared=len(balances),
        units=_outcome(balances),
        people=_outcome(people),
        sets=_outcome(sets),
    )


def _outcome(balances: Mapping[Any, int]) -> Outcome:
    """How many of these have won, and lost, more sets than the other."""
    values = balances.values()
    return Outcome(sum(n > 0 for n in values), sum(n < 0 for n in values))


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
