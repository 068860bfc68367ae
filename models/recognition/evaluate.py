"""Evaluation of recognition as a whole: sets found, named and counted, and their borders."""

import math
from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass

from schemas.times import NS_PER_S

BORDER_NS = 2 * NS_PER_S
BOTH_NS = 3 * NS_PER_S
HIT_SHARE = 0.5  # of a true set that a predicted one must cover


@dataclass(frozen=True, slots=True)
class TimedSet:
    """A set, as done or as predicted.

    Attributes:
        start_ns, end_ns: nanoseconds since the epoch.
        exercise: its name, None where none was predicted.
        reps: how many, None where not known.
    """

    start_ns: int
    end_ns: int
    exercise: str | None
    reps: int | None


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts over any number of sessions.

    Attributes:
        done: true sets.
        found: those that a predicted set covers by half.
        invented: predicted sets that match no true one.
        possible: true sets whose exercise the model knows.
        named: of those, found and named right.
        countable: true sets whose repetitions are known.
        reps_near, reps_exact: of those, counted within one, and exactly.
        start, end: true sets whose border was predicted within 2 s.
        both: both borders within 3 s.
        named_alone: of the possible ones, named right when classified by their true borders.
    """

    done: int = 0
    found: int = 0
    invented: int = 0
    possible: int = 0
    named: int = 0
    countable: int = 0
    reps_near: int = 0
    reps_exact: int = 0
    start: int = 0
    end: int = 0
    both: int = 0
    named_alone: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def figures(self) -> dict[str, float]:
        """Shares of the sets that could be right; `invented` is a count.

        Names are right of the possible sets, repetitions of the countable ones, all else of those
        that were done. A share of none is NaN.
        """
        wholes = {
            "found": self.done,
            "reps_near": self.countable,
            "reps_exact": self.countable,
            "start": self.done,
            "end": self.done,
            "both": self.done,
            "named": self.possible,
            "named_alone": self.possible,
        }
        shares = {
            name: getattr(self, name) / whole if whole else math.nan
            for name, whole in wholes.items()
        }
        return {**shares, "invented": float(self.invented)}


def tally(
    truth: Sequence[TimedSet], predicted: Sequence[TimedSet], known: Collection[str]
) -> Tally:
    """Compare the predicted sets of one session with those that were done.

    Args:
        truth: the sets that were done.
        predicted: each can match one true set only.
        known: exercises that the model knows.

    >>> curl = TimedSet(0, 30 * NS_PER_S, "curl", 10)
    >>> late = TimedSet(NS_PER_S, 30 * NS_PER_S, "curl", 11)
    >>> found = tally([curl], [late, TimedSet(60 * NS_PER_S, 70 * NS_PER_S, None, 0)], {"curl"})
    >>> found.found, found.named, found.reps_near, found.reps_exact, found.invented
    (1, 1, 1, 0, 1)
    """
    unmatched = list(predicted)
    total = Tally()
    for actual in truth:
        total += Tally(done=1, possible=actual.exercise in known, countable=actual.reps is not None)
        best = max(unmatched, key=lambda other: _shared_ns(actual, other), default=None)
        if best is None or _shared_ns(actual, best) < HIT_SHARE * (actual.end_ns - actual.start_ns):
            continue
        unmatched.remove(best)
        total += _hit(actual, best, possible=actual.exercise in known)
    return total + Tally(invented=len(unmatched))


def _hit(actual: TimedSet, predicted: TimedSet, *, possible: bool) -> Tally:
    """What was right about a set that was found."""
    off_start = abs(predicted.start_ns - actual.start_ns)
    off_end = abs(predicted.end_ns - actual.end_ns)
    off_reps = None
    if actual.reps is not None and predicted.reps is not None:
        off_reps = abs(predicted.reps - actual.reps)
    return Tally(
        found=1,
        named=possible and predicted.exercise == actual.exercise,
        reps_near=off_reps is not None and off_reps <= 1,
        reps_exact=off_reps == 0,
        start=off_start <= BORDER_NS,
        end=off_end <= BORDER_NS,
        both=max(off_start, off_end) <= BOTH_NS,
    )


def _shared_ns(actual: TimedSet, other: TimedSet) -> int:
    return min(actual.end_ns, other.end_ns) - max(actual.start_ns, other.start_ns)
