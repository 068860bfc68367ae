"""Sets whose repetitions are known, their folds, and everything the counter finds in them."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.reps.count import SETTINGS, explanations
from models.reps.explain import Explanation
from models.reps.prepare import prepare
from models.reps.stretches import joined
from models.signal.windows import RATE_HZ
from models.signal.wrist import WristSignal

FOLDS = 5


@dataclass(frozen=True, slots=True)
class RepsExample:
    """A set whose repetitions are known.

    Attributes:
        source: which data it is from ("spar", "gym"); figures are reported per source.
        group: the person or day that must not lie on both sides of a split.
        signals: the wrist during the set and nothing else.
        reps: the number that is believed (nominal or audited).
        reps_labelled: the number that the source gave, where it is another one.
    """

    source: str
    group: str
    signals: tuple[WristSignal, ...]
    reps: int
    reps_labelled: int | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """A labelled set with everything the counter found in it, before a choice is made.

    Attributes:
        labelled: the set.
        fold: 0..4, the same for all sets of a group.
        acc_only: whether rotation was withheld.
        parts: the explanations of each stretch of it; none where nothing repeats.
    """

    labelled: RepsExample
    fold: int
    acc_only: bool
    parts: tuple[tuple[Explanation, ...], ...]

    @property
    def kind(self) -> tuple[str, bool]:
        """What figures are kept apart by: source and whether rotation was withheld."""
        return self.labelled.source, self.acc_only


def folds_of(sets: Sequence[RepsExample]) -> dict[tuple[str, str], int]:
    """A fold for each (source, group): neighbours in sorted order share one."""
    folds: dict[tuple[str, str], int] = {}
    for source in sorted({s.source for s in sets}):
        groups = sorted({s.group for s in sets if s.source == source})
        for at, group in enumerate(groups):
            folds[source, group] = at * FOLDS // len(groups)
    return folds


def explained(sets: Sequence[RepsExample], *, acc_only: bool) -> list[Explained]:
    """Run the counter up to the choice on every set."""
    folds = folds_of(sets)
    return [
        Explained(s, folds[s.source, s.group], acc_only, parts_of(s, acc_only=acc_only))
        for s in sets
    ]


def parts_of(labelled: RepsExample, *, acc_only: bool) -> tuple[tuple[Explanation, ...], ...]:
    """The explanations of each stretch of a set; none of one that is short or still."""
    stretches = joined(labelled.signals, SETTINGS.longest_gap_s)
    ready = (prepare(s.acc_g, None if acc_only else s.gyro, RATE_HZ, SETTINGS) for s in stretches)
    return tuple(() if p is None else tuple(explanations(p, SETTINGS)) for p in ready)
