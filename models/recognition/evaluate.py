"""What a whole answer is worth: sets found, named, counted, and their borders."""

from collections.abc import Collection, Sequence
from dataclasses import astuple, dataclass

from schemas.times import NS_PER_S

BORDER_NS = 2 * NS_PER_S
BOTH_NS = 3 * NS_PER_S
HIT_SHARE = 0.5  # of a true set that a told one must cover


@dataclass(frozen=True, slots=True)
class TimedSet:
    """A set, as done or as told.

    Attributes:
        start_ns, end_ns: nanoseconds since the epoch.
        exercise: its name, None where none was told.
        reps: how many, None where nobody says.
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
        found: those that a told set covers by half.
        invented: told sets that are none of them.
        possible: true sets whose exercise could be known.
        named: of those, found and named right.
        reps_near, reps_exact: true sets whose repetitions were told within one, and exactly.
        start, end: true sets whose border was told within 2 s.
        both: within 3 s on either side.
        named_alone: of those that could be known, named right when asked about by themselves.
    """

    done: int = 0
    found: int = 0
    invented: int = 0
    possible: int = 0
    named: int = 0
    reps_near: int = 0
    reps_exact: int = 0
    start: int = 0
    end: int = 0
    both: int = 0
    named_alone: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def figures(self) -> dict[str, float]:
        """Shares of the true sets; of what could be known for names; `invented` is a count."""
        done = max(self.done, 1)
        shares = ("found", "reps_near", "reps_exact", "start", "end", "both")
        return {
            **{name: getattr(self, name) / done for name in shares},
            "named": self.named / max(self.possible, 1),
            "named_alone": self.named_alone / max(self.possible, 1),
            "invented": float(self.invented),
        }


def tally(done: Sequence[TimedSet], told: Sequence[TimedSet], known: Collection[str]) -> Tally:
    """Hold what was told of one session against what was done.

    Args:
        done: the truth.
        told: the answer; each told set can be one true set only.
        known: exercises that could be known.

    >>> curl = TimedSet(0, 30 * NS_PER_S, "curl", 10)
    >>> late = TimedSet(NS_PER_S, 30 * NS_PER_S, "curl", 11)
    >>> found = tally([curl], [late, TimedSet(60 * NS_PER_S, 70 * NS_PER_S, None, 0)], {"curl"})
    >>> found.found, found.named, found.reps_near, found.reps_exact, found.invented
    (1, 1, 1, 0, 1)
    """
    left = list(told)
    total = Tally()
    for one in done:
        best = max(left, key=lambda other: _shared_ns(one, other), default=None)
        if best is None or _shared_ns(one, best) < HIT_SHARE * (one.end_ns - one.start_ns):
            total += Tally(done=1, possible=one.exercise in known)
            continue
        left.remove(best)
        total += _hit(one, best, possible=one.exercise in known)
    return total + Tally(invented=len(left))


def _hit(one: TimedSet, told: TimedSet, *, possible: bool) -> Tally:
    off_start, off_end = abs(told.start_ns - one.start_ns), abs(told.end_ns - one.end_ns)
    off_reps = None if one.reps is None or told.reps is None else abs(told.reps - one.reps)
    return Tally(
        done=1,
        found=1,
        possible=possible,
        named=possible and told.exercise == one.exercise,
        reps_near=off_reps is not None and off_reps <= 1,
        reps_exact=off_reps == 0,
        start=off_start <= BORDER_NS,
        end=off_end <= BORDER_NS,
        both=max(off_start, off_end) <= BOTH_NS,
    )


def _shared_ns(one: TimedSet, other: TimedSet) -> int:
    return min(one.end_ns, other.end_ns) - max(one.start_ns, other.start_ns)
