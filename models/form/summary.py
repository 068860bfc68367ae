"""A form model summarised for its owner: latest sets, trend over sets, left against right.

A person is compared with nobody else. A trend is mentioned only where it is larger than the usual
difference between two repetitions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.form.judge import WORDS, Form, form_of, listed
from models.form.model import ExerciseSide, FormModel, MeasuredSet
from models.form.quantities import QUANTITIES
from models.form.template import MIN_SETS, FormTemplate, symmetry

LATEST = 5  # sets that are told one by one
NEWEST = 3  # sets whose median is held against that of the sets before
MOVED = 1.0  # usual spreads by which it must differ to be worth a word
TIRED = 0.9  # share of the speed below which a usual set is said to tire
UNEVEN = 0.15  # share by which one arm must differ from the other to be worth a word
SIDES = ("left", "right")
NOUNS = {
    "duration_s": "takes longer",
    "range_rad": "moves further",
    "peak_speed": "is faster",
    "pause_s": "pauses longer",
}


@dataclass(frozen=True, slots=True)
class JudgedSet:
    """A measured set with its form."""

    measured: MeasuredSet
    form: Form


@dataclass(frozen=True, slots=True)
class ExerciseForm:
    """The form of an exercise on one wrist.

    Attributes:
        exercise_side: exercise and wrist.
        template: None before three sets.
        latest: newest first, at most `LATEST`.
        sets: how many were measured.
        speed_kept: median share of the peak speed that a set's end keeps; None where no set was
            long enough. Below 1 is getting tired.
        trend: newest three sets over those before, per quantity; empty below six sets.
        says: a sentence.
    """

    exercise_side: ExerciseSide
    template: FormTemplate | None
    latest: tuple[JudgedSet, ...]
    sets: int
    speed_kept: float | None
    trend: dict[str, float]
    says: str


@dataclass(frozen=True, slots=True)
class Symmetry:
    """Left over right of an exercise that both wrists recorded.

    Attributes:
        exercise: its name.
        ratios: per quantity, 1 is alike.
        says: a sentence.
    """

    exercise: str
    ratios: dict[str, float]
    says: str


def exercise_forms(model: FormModel) -> tuple[ExerciseForm, ...]:
    """The form of every exercise and wrist of a model, by name."""
    by_side: dict[ExerciseSide, list[MeasuredSet]] = {}
    for measured in model.sets:
        by_side.setdefault(measured.exercise_side, []).append(measured)
    return tuple(
        _exercise_form(exercise_side, by_side[exercise_side], model.templates.get(exercise_side))
        for exercise_side in sorted(by_side)
    )


def symmetries_of(model: FormModel) -> tuple[Symmetry, ...]:
    """Exercises with a template on either wrist."""
    both = sorted({e for e, _ in model.templates if all((e, s) in model.templates for s in SIDES)})
    ratios_of = [(e, symmetry(*(model.templates[e, side] for side in SIDES))) for e in both]
    return tuple(Symmetry(e, ratios, uneven(ratios)) for e, ratios in ratios_of)


def _exercise_form(
    exercise_side: ExerciseSide, sets: Sequence[MeasuredSet], template: FormTemplate | None
) -> ExerciseForm:
    judged = tuple(
        JudgedSet(measured, form_of(measured.quantities, measured.repetitions, template))
        for measured in reversed(sets[-LATEST:])
    )
    shares = [measured.quantities.speed_kept for measured in sets]
    known = [share for share in shares if share is not None]
    speed_kept = float(np.median(known)) if known else None
    trend, moved = _course(sets, template)
    says = sentence(moved, speed_kept, missing=max(0, MIN_SETS - len(sets)))
    return ExerciseForm(exercise_side, template, judged, len(sets), speed_kept, trend, says)


def _course(
    sets: Sequence[MeasuredSet], template: FormTemplate | None
) -> tuple[dict[str, float], list[str]]:
    """Newest sets over those before, and the words for what clearly moved."""
    if template is None or len(sets) < 2 * NEWEST:
        return {}, []
    before, newest = (_median(part) for part in (sets[:-NEWEST], sets[-NEWEST:]))
    off = (newest - before) / template.spread
    rows = list(zip(QUANTITIES, newest, before, off, strict=True))
    trend = {name: float(new / old) for name, new, old, _ in rows if old > 0}
    return trend, [WORDS[name][0 if o > 0 else 1] for name, _, _, o in rows if abs(o) > MOVED]


def _median(sets: Sequence[MeasuredSet]) -> Floats64:
    return np.median(np.array([measured.quantities.typical for measured in sets]), axis=0)


def sentence(moved: Sequence[str], speed_kept: float | None, *, missing: int) -> str:
    """One sentence about an exercise.

    Args:
        moved: how the newest sets differ from those before.
        speed_kept: of a usual set's end.
        missing: sets until there is a usual way.

    >>> sentence(["slower"], 0.8, missing=0)
    'Your newest sets are slower than those before; a usual set loses 20% of its speed.'
    >>> sentence([], None, missing=2)
    '2 more confirmed sets make your usual way.'
    """
    if missing:
        return (
            f"{missing} more confirmed set{'s make' if missing > 1 else ' makes'} your usual way."
        )
    start = "Your newest sets are like those before"
    if moved:
        start = f"Your newest sets are {listed(moved)} than those before"
    if speed_kept is None or speed_kept >= TIRED:
        return f"{start}."
    return f"{start}; a usual set loses {1 - speed_kept:.0%} of its speed."


def uneven(ratios: Mapping[str, float]) -> str:
    """One sentence about two arms.

    >>> uneven({"range_rad": 0.8, "peak_speed": 1.05})
    'Your right arm moves further.'
    >>> uneven({"range_rad": 1.0})
    'Both arms do alike.'
    """
    more = [
        (("left" if ratio > 1 else "right"), NOUNS[name])
        for name, ratio in ratios.items()
        if abs(ratio - 1) > UNEVEN
    ]
    if not more:
        return "Both arms do alike."
    arms = [(side, [verb for s, verb in more if s == side]) for side in SIDES]
    told = [f"your {side} arm {listed(verbs)}" for side, verbs in arms if verbs]
    return f"{'; '.join(told).capitalize()}."
