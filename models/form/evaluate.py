"""What form can be believed: do the two arms of a person agree, and does fatigue show?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats64
from models.form.quantities import QUANTITIES, quantities
from models.reps.measure import Repetition


@dataclass(frozen=True, slots=True)
class FormSet:
    """A set of one person's one arm.

    Attributes:
        person, exercise: whose and what.
        side: "left" or "right".
        repetitions: as counted.
    """

    person: str
    exercise: str
    side: str
    repetitions: tuple[Repetition, ...]


def form_figures(sets: Sequence[FormSet]) -> dict[str, float]:
    """Whether a quantity says something about the person who moves.

    Returns:
        `form_r_<quantity>`: correlation between left and right arm over people and exercises,
        each exercise centred first, so that only differences between people count; NaN without
        pairs or where all are alike. `form_slower_at_end`: share of sets of six or more
        repetitions whose last three have less peak speed than the first three.
    """
    figures = {
        f"form_r_{name}": float(r) for name, r in zip(QUANTITIES, correlations(sets), strict=True)
    }
    speeds_kept = [q.speed_kept for s in sets if (q := quantities(s.repetitions)) is not None]
    shares = np.array([share for share in speeds_kept if share is not None])
    figures["form_slower_at_end"] = float((shares < 1).mean()) if len(shares) else float("nan")
    return figures


def correlations(sets: Sequence[FormSet]) -> Floats64:
    """(4,) correlation of left and right medians within exercises."""
    left, right = (typical_by_person(sets, side) for side in ("left", "right"))
    keys = sorted(left.keys() & right.keys())
    if len(keys) < 3:
        return np.full(len(QUANTITIES), np.nan)
    exercises = np.array([exercise for exercise, _ in keys])
    pairs = [np.array([side[key] for key in keys]) for side in (left, right)]
    a, b = (centred_within(x, exercises) for x in pairs)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    return np.where(size > 0, (a * b).sum(axis=0) / np.where(size > 0, size, 1.0), np.nan)


def typical_by_person(sets: Sequence[FormSet], side: str) -> dict[tuple[str, str], Floats64]:
    """(4,) mean of the sets' medians, in their units, for each exercise and person with a set."""
    typical: dict[tuple[str, str], list[Floats64]] = {}
    for s in sets:
        numbers = quantities(s.repetitions)
        if s.side == side and numbers is not None:
            typical.setdefault((s.exercise, s.person), []).append(numbers.typical)
    return {key: np.mean(rows, axis=0) for key, rows in typical.items()}


def centred_within(x: Floats64, groups: NDArray[np.str_]) -> Floats64:
    """(n, c) rows minus the mean of their group, groups (n,); same unit."""
    out = x.copy()
    for group in np.unique(groups):
        out[groups == group] -= x[groups == group].mean(axis=0)
    return out
