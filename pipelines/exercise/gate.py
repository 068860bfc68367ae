"""The gate: may a challenger go live? Pure.

A *rung* is one way to answer: the new model (challenger), what serves now, or always the user's
most frequent exercise. All are compared by their hits on held-out sets.

Two levels, because one user's sets say little about others:

- the *recipe* is judged per stratum (users with about as many labelled sets), pooled over users:
  it must not be worse than what serves these users now, by more than a margin and by more than
  chance explains, and it must beat always naming the user's most frequent exercise;
- each *user* has a veto: a model that is clearly worse for its user than the serving model is not
  promoted, however good the recipe is for others.

A stratum with few later sets decides only for the users whose sets those are: one set says nothing
about a user none of whose sets was evaluated.

The serving model is the incumbent where there is one, else the global model, else none. Every rung
is scored only on sets after its training data, and a comparison uses the sets on which both rungs
are scored. Labels that a user merely accepted from a guess never count.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from pipelines.exercise.trials import CommonShares, UserTrial, common_shares, disagreements

STRATA = (5, 10, 20, 50)
COUNTED_SOURCES = frozenset({"typed", "corrected", "plan"})
SIGNIFICANCE = 0.05
MIN_SETS = 10  # later sets of a stratum, to decide for users without any of their own


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's verdict on one stratum.

    Attributes:
        stratum: such as "10-19" labelled sets.
        passes: whether its users' challengers may go live.
        reason: why not, "" when they may.
        users, sets: how many were evaluated.
        beside_serving, beside_majority: shares of sets named right, of the challengers and of what
            serves or a constant answer, each on the sets on which both were asked; None without.
    """

    stratum: str
    passes: bool
    reason: str
    users: int
    sets: int
    beside_serving: CommonShares | None
    beside_majority: CommonShares | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two global models, compared on users whom neither was learned from.

    Attributes:
        people, sets: how many users and sets they were evaluated on.
        challenger, serving, majority: shares of sets named right; None without sets.
        unit: what won and lost are of, see `Disagreements`.
        won, lost: units with more sets that only the challenger, only the other named right.
        sets_won, sets_lost: sets that only the challenger, only the other named right.
        luck: p-value: the chance of winning as clearly if both were equally good.
    """

    people: int
    sets: int
    challenger: float | None
    serving: float | None
    majority: float | None
    unit: str
    won: int
    lost: int
    sets_won: int
    sets_lost: int
    luck: float

    @property
    def takes_over(self) -> bool:
        """Whether the challenger is significantly better, and better than a constant answer."""
        better = (self.challenger or 0) > (self.majority or 0)
        return better and self.luck < SIGNIFICANCE


def compare(trials: Sequence[UserTrial]) -> Comparison:
    """Compare two global models, pooled over all users.

    >>> right, wrong = ({str(n): hit for n in range(9)} for hit in (True, False))
    >>> done = {name: f"exercise {name}" for name in right}
    >>> result = compare([UserTrial("a", 9, right, wrong, wrong, done)])
    >>> result.challenger, result.serving, result.won, result.unit, result.takes_over
    (1.0, 0.0, 9, 'exercises', True)
    """
    beside = _beside_serving(trials)
    constant = _beside_majority(trials)
    counted = disagreements(trials)
    sets = sum(len(trial.challenger) for trial in trials)
    return Comparison(
        people=len(trials),
        sets=sets,
        challenger=beside.challenger if beside else None,
        serving=beside.other if beside else None,
        majority=constant.other if constant else None,
        unit=counted.unit,
        won=counted.units.won,
        lost=counted.units.lost,
        sets_won=counted.sets.won,
        sets_lost=counted.sets.lost,
        luck=counted.chance_to_win,
    )


def stratum_of(labelled_sets: int) -> str:
    """The stratum of a user.

    >>> [stratum_of(n) for n in (1, 5, 19, 50)]
    ['1-4', '5-9', '10-19', '50+']
    """
    for low, high in zip((1, *STRATA), STRATA, strict=False):
        if labelled_sets < high:
            return f"{low}-{high - 1}"
    return f"{STRATA[-1]}+"


def judge(trials: Iterable[UserTrial], *, margin: float) -> dict[str, Verdict]:
    """Judge the recipe in every stratum.

    Args:
        trials: one per user with a challenger.
        margin: how much worse than the serving models a stratum may be, as a share of sets.

    Returns:
        stratum to verdict. A stratum without any later set does not pass.
    """
    strata: dict[str, list[UserTrial]] = defaultdict(list)
    for trial in trials:
        strata[stratum_of(trial.labelled_sets)].append(trial)
    return {name: _verdict(name, strata[name], margin) for name in sorted(strata)}


def veto(trial: UserTrial) -> str:
    """Why this user's challenger is not promoted, "" when it is.

    A sign test on the sets where the two disagree: the challenger must not be significantly worse.

    >>> worse = {str(n): n > 4 for n in range(10)}
    >>> done = dict.fromkeys(worse, "curl")
    >>> veto(UserTrial("a", 30, worse, dict.fromkeys(worse, True), {}, done))
    'worse than what serves now on 5 of 10 later sets, better on 0'
    """
    counted = disagreements([trial], "sets")
    return (
        f"worse than what serves now {counted.loss}"
        if counted.chance_to_lose < SIGNIFICANCE
        else ""
    )


def insufficient_evidence(trial: UserTrial, verdict: Verdict) -> str:
    """Why the verdict of a passing stratum does not decide for this user, "" when it does.

    >>> right, passed = {"s": True}, Verdict("1-4", True, "", 4, 1, None, None)
    >>> insufficient_evidence(UserTrial("a", 3, right, {}, right, {"s": "curl"}), passed)
    ''
    >>> insufficient_evidence(UserTrial("b", 3, {}, {}, {}, {}), passed)
    'no later set of this user, and 1 of others are too few'
    """
    if _judging(trial) or verdict.sets >= MIN_SETS:
        return ""
    return f"no later set of this user, and {verdict.sets} of others are too few"


def regression_reason(trials: Sequence[UserTrial], margin: float) -> str:
    """How much worse the challenger is than the serving model, as a sentence; "" if it is not.

    Worse by more than the margin, and by more than chance explains, on the sets that both were
    evaluated on.

    >>> right, wrong = ({"s": hit, "t": hit, "u": hit} for hit in (True, False))
    >>> done = {"s": "curl", "t": "press", "u": "row"}
    >>> lost = [UserTrial(str(n), 9, wrong, right, {}, done) for n in range(8)]
    >>> regression_reason(lost, 0.01).partition(" (")[0]
    'right in 0.000 of sets, what serves now in 1.000: worse for 8 of 8 people, better for 0'
    >>> regression_reason([UserTrial("a", 9, right, wrong, {}, done)], 0.01)
    ''
    """
    shares = _beside_serving(trials)
    if shares is None or shares.challenger >= shares.other - margin:
        return ""
    counted = disagreements(trials)
    if counted.chance_to_lose >= SIGNIFICANCE:
        return ""
    return (
        f"right in {shares.challenger:.3f} of sets, what serves now in {shares.other:.3f}: worse "
        f"{counted.loss}"
    )


def _verdict(name: str, trials: Sequence[UserTrial], margin: float) -> Verdict:
    sets = sum(len(_judging(trial)) for trial in trials)
    serving, constant = _beside_serving(trials), _beside_majority(trials)
    if constant is None:
        reason = "no later set to judge by"
    elif constant.challenger <= constant.other:
        reason = (
            f"right in {constant.challenger:.3f} of sets, always saying the most frequent in "
            f"{constant.other:.3f}"
        )
    else:
        reason = regression_reason(trials, margin)
    return Verdict(name, not reason, reason, len(trials), sets, serving, constant)


def _judging(trial: UserTrial) -> Set[str]:
    """The sets on which the challenger can show that it is better than a constant answer."""
    return trial.challenger.keys() & trial.majority.keys()


def _beside_serving(trials: Iterable[UserTrial]) -> CommonShares | None:
    return common_shares((trial.challenger, trial.serving) for trial in trials)


def _beside_majority(trials: Iterable[UserTrial]) -> CommonShares | None:
    return common_shares((trial.challenger, trial.majority) for trial in trials)
