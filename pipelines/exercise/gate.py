"""May a challenger go live? Pure: from what each rung answered on sets that it never saw.

Two levels, because a user has too few sets for a test of their own:

- the *recipe* is judged per stratum (users with about as many labelled sets), pooled over users:
  it must not be worse than what serves these users now by more than a margin that chance does not
  explain, and it must beat always saying the user's most frequent exercise;
- each *user* has a veto: a model that is clearly worse for them than what serves them now is kept
  back, whatever the recipe is worth to others.

A stratum with few later sets decides only for the users whose sets those are: one set says nothing
about a person of whom no set was asked.

"What serves them now" is the incumbent where there is one, else the global model, else nothing.
Every rung is scored on sets after its own cut-off only, and a comparison uses the sets on which
both rungs may be scored. Guesses that a user merely accepted never count.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import comb

STRATA = (5, 10, 20, 50)
COUNTED_SOURCES = frozenset({"typed", "corrected", "plan"})
VETO_CHANCE = 0.05
LEAST_SETS = 10  # later ones of a stratum, before it speaks for users without any of their own


@dataclass(frozen=True, slots=True)
class Trial:
    """One user's later sets, answered by each rung.

    Attributes:
        owner: who.
        labelled_sets: how many labelled sets the user has in all; decides the stratum.
        challenger: set id to whether the new model was right.
        serving: the same for what serves the user now, on sets after *its* cut-off.
        majority: the same for always saying the user's most frequent exercise.
    """

    owner: str
    labelled_sets: int
    challenger: Mapping[str, bool]
    serving: Mapping[str, bool]
    majority: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the gate says about one stratum.

    Attributes:
        stratum: such as "10-19" labelled sets.
        passes: whether its users' challengers may go live.
        reason: why not, "" when they may.
        users, sets: how many were judged.
        challenger, serving, majority: share of right answers; None where nothing was comparable.
    """

    stratum: str
    passes: bool
    reason: str
    users: int
    sets: int
    challenger: float | None
    serving: float | None
    majority: float | None


@dataclass(frozen=True, slots=True)
class Contest:
    """Two recipes for everybody, asked about people whom neither has seen.

    Attributes:
        people, sets: how many were asked about.
        challenger, serving, majority: share of sets named right; None where nobody was asked.
        won, lost: sets that only the challenger, only the other named right.
        luck: chance of at least so many won sets if both were equally good.
    """

    people: int
    sets: int
    challenger: float | None
    serving: float | None
    majority: float | None
    won: int
    lost: int
    luck: float

    @property
    def takes_over(self) -> bool:
        """Whether the challenger is better by more than luck, and better than a constant."""
        better = self.won > self.lost and self.luck < VETO_CHANCE
        return better and (self.challenger or 0) > (self.majority or 0)


def contest(trials: Sequence[Trial]) -> Contest:
    """Compare two recipes, pooled over all people.

    >>> right, wrong = ({str(n): hit for n in range(9)} for hit in (True, False))
    >>> found = contest([Trial("a", 9, right, wrong, wrong)])
    >>> found.challenger, found.serving, found.won, found.takes_over
    (1.0, 0.0, 9, True)
    """
    challenger, serving = _shares(trials, "serving")
    _, majority = _shares(trials, "majority")
    lost, won = (sum(counts) for counts in zip((0, 0), *map(_disagreements, trials), strict=True))
    sets = sum(len(trial.challenger) for trial in trials)
    luck = sign_test(won, lost)
    return Contest(len(trials), sets, challenger, serving, majority, won, lost, luck)


def stratum_of(labelled_sets: int) -> str:
    """The stratum of a user.

    >>> [stratum_of(n) for n in (1, 5, 19, 50)]
    ['1-4', '5-9', '10-19', '50+']
    """
    for low, high in zip((1, *STRATA), STRATA, strict=False):
        if labelled_sets < high:
            return f"{low}-{high - 1}"
    return f"{STRATA[-1]}+"


def judge(trials: Iterable[Trial], *, margin: float) -> dict[str, Verdict]:
    """Judge the recipe in every stratum.

    Args:
        trials: one per user with a challenger.
        margin: how much worse than what serves now a stratum may be, as a share of sets.

    Returns:
        stratum to verdict. A stratum without a single later set passes nobody: nothing is known.
    """
    strata: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        strata[stratum_of(trial.labelled_sets)].append(trial)
    return {name: _verdict(name, strata[name], margin) for name in sorted(strata)}


def veto(trial: Trial) -> str:
    """Why this user's challenger is kept back, "" when it is not.

    A sign test on the sets where the two disagree: the challenger must not be worse by more than
    chance explains.

    >>> worse = {str(n): n > 4 for n in range(10)}
    >>> veto(Trial("a", 30, worse, dict.fromkeys(worse, True), {}))
    'worse than what serves now on 5 of 10 later sets'
    """
    lost, won = _disagreements(trial)
    if lost > won and sign_test(lost, won) < VETO_CHANCE:
        common = trial.challenger.keys() & trial.serving.keys()
        return f"worse than what serves now on {lost} of {len(common)} later sets"
    return ""


def unasked(trial: Trial, verdict: Verdict) -> str:
    """Why the verdict of a stratum that passes does not cover this user, "" when it does.

    >>> asked, passed = {"s": True}, Verdict("1-4", True, "", 4, 1, 1.0, None, 0.0)
    >>> unasked(Trial("a", 3, asked, {}, {}), passed)
    ''
    >>> unasked(Trial("b", 3, {}, {}, {}), passed)
    'no later set of this user, and 1 of others are too few'
    """
    if trial.challenger or verdict.sets >= LEAST_SETS:
        return ""
    return f"no later set of this user, and {verdict.sets} of others are too few"


def setback(trials: Sequence[Trial], margin: float) -> str:
    """How much worse a challenger is than what serves now, as a sentence; "" if it is not.

    By more than the margin, and by more than chance explains, on sets that both answered.

    >>> right, wrong = ({str(n): hit for n in range(9)} for hit in (True, False))
    >>> setback([Trial("a", 9, wrong, right, {})], 0.01)
    'right in 0.000 of sets, what serves now in 1.000'
    >>> setback([Trial("a", 9, right, wrong, {})], 0.01)
    ''
    """
    challenger, serving = _shares(trials, "serving")
    if challenger is None or serving is None or challenger >= serving - margin:
        return ""
    lost, won = (sum(counts) for counts in zip(*map(_disagreements, trials), strict=True))
    if sign_test(lost, won) >= VETO_CHANCE:
        return ""
    return f"right in {challenger:.3f} of sets, what serves now in {serving:.3f}"


def sign_test(lost: int, won: int) -> float:
    """Chance of at least `lost` losses among `lost + won` if both were equally good.

    >>> sign_test(5, 0)
    0.03125
    """
    n = lost + won
    return sum(comb(n, k) for k in range(lost, n + 1)) / 2**n


def _verdict(name: str, trials: Sequence[Trial], margin: float) -> Verdict:
    sets = sum(len(trial.challenger) for trial in trials)
    _, serving = _shares(trials, "serving")
    alone, majority = _shares(trials, "majority")
    reason = ""
    if alone is None or majority is None:
        reason = "no later set to judge by"
    elif alone <= majority:
        reason = f"right in {alone:.3f} of sets, always saying the most frequent in {majority:.3f}"
    else:
        reason = setback(trials, margin)
    return Verdict(name, not reason, reason, len(trials), sets, alone, serving, majority)


def _disagreements(trial: Trial) -> tuple[int, int]:
    """Common sets that only what serves now named right, and those that only the challenger did."""
    common = trial.challenger.keys() & trial.serving.keys()
    lost = sum(trial.serving[one] and not trial.challenger[one] for one in common)
    won = sum(trial.challenger[one] and not trial.serving[one] for one in common)
    return lost, won


def _shares(trials: Sequence[Trial], other: str) -> tuple[float | None, float | None]:
    """Share of right answers of the challenger and the other, on sets that both answered."""
    pairs = [
        (trial.challenger[one], getattr(trial, other)[one])
        for trial in trials
        for one in sorted(trial.challenger.keys() & getattr(trial, other).keys())
    ]
    if not pairs:
        return None, None
    return sum(a for a, _ in pairs) / len(pairs), sum(b for _, b in pairs) / len(pairs)
