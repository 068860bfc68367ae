"""How well alignment finds deviations whose truth is known, beside comparing place by place."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models.deviations.align import align
from models.deviations.model import DEFAULT_TOLERANCES, Deviation, Target, Tolerances

Pairing = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Pairs found and pairs true, over any number of sessions.

    Attributes:
        both: rows (planned, done) that are found and true.
        found: rows found.
        true: rows that are true.
    """

    both: int = 0
    found: int = 0
    true: int = 0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(self.both + other.both, self.found + other.found, self.true + other.true)

    @property
    def precision(self) -> float:
        """Share of found rows that are true; NaN without rows."""
        return self.both / self.found if self.found else float("nan")

    @property
    def recall(self) -> float:
        """Share of true rows that were found; NaN without rows."""
        return self.both / self.true if self.true else float("nan")


def pair_by_position(planned: Sequence[Target], done: Sequence[Target]) -> list[Pairing]:
    """The baseline: the i-th done set answers the i-th planned set, if it is the same exercise."""
    rows: list[Pairing] = []
    for place in range(max(len(planned), len(done))):
        p = place if place < len(planned) else None
        d = place if place < len(done) else None
        if p is not None and d is not None and planned[p].exercise == done[d].exercise:
            rows.append((p, d))
        else:
            rows += [row for row in ((p, None), (None, d)) if row != (None, None)]
    return rows


def agreement(found: Iterable[Pairing], true: Iterable[Pairing]) -> Agreement:
    """Compares two ways of pairing the sets of one session.

    >>> agreement([(0, 0), (1, None)], [(0, 0), (1, 1)])
    Agreement(both=1, found=2, true=2)
    """
    left, right = set(found), set(true)
    return Agreement(len(left & right), len(left), len(right))


def score(
    sessions: Iterable[tuple[Sequence[Target], Sequence[Target], Sequence[Pairing]]],
    tolerances: Tolerances = DEFAULT_TOLERANCES,
) -> tuple[Agreement, Agreement]:
    """(alignment, place by place) over sessions of (planned, done, true rows)."""
    aligned, baseline = Agreement(), Agreement()
    for planned, done, true in sessions:
        aligned += agreement(rows_of(align(planned, done, tolerances)), true)
        baseline += agreement(pair_by_position(planned, done), true)
    return aligned, baseline


def rows_of(deviations: Iterable[Deviation]) -> list[Pairing]:
    """Which planned set each done set answers."""
    return [(deviation.planned, deviation.done) for deviation in deviations]
