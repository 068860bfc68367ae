"""The form of one set: a score with its parts, and a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.form.quantities import QUANTITIES, SetQuantities, quantities
from models.form.template import FormTemplate
from models.reps.measure import Repetition

MIN_REPETITIONS = 3
FREE_SIGMA = 1.0  # this far from the usual is the usual
ZERO_SIGMA = 4.0  # this far from it there is no likeness left
MIN_DIFFERENCE = 2.0  # spreads
CLEAR_LOSS = 0.8  # below this share of the beginning the end is clearly less
WORDS = {
    "duration_s": ("slower", "faster"),
    "range_rad": ("larger", "smaller"),
    "peak_speed": ("more explosive", "less explosive"),
    "pause_s": ("longer paused", "shorter paused"),
}


@dataclass(frozen=True, slots=True)
class Form:
    """How a set was done.

    Attributes:
        score: 0..1, the mean of the parts that are shares; None where nothing can be said.
            It compares a user with nobody else; it is no judgement of technique.
        parts: `likeness` to the user's own template and `likeness_<quantity>` (0..1, with a
            template only); `speed_kept` and `range_kept` (last three repetitions over the first
            three, capped at 1; six repetitions or more).
        says: one sentence for a person.
    """

    score: float | None
    parts: dict[str, float]
    says: str


def form(repetitions: Sequence[Repetition], template: FormTemplate | None = None) -> Form:
    """Judge a set by its own course and by the user's usual way.

    Args:
        repetitions: of one set, in order.
        template: the user's, of the same exercise and wrist; None before three confirmed sets.

    Returns:
        Form with fewer parts where less is known; without three repetitions, without a score.
    """
    return form_of(quantities(repetitions), len(repetitions), template)


def form_of(measured: SetQuantities | None, count: int, template: FormTemplate | None) -> Form:
    """Judge a set by its numbers, in which the median repetition stands for the set.

    Args:
        measured: the set in numbers, None without repetitions.
        count: its repetitions.
        template: as in `form`.
    """
    if measured is None or count < MIN_REPETITIONS:
        return Form(None, {}, "Too few repetitions to say anything about form.")
    parts = {
        name: min(1.0, share)
        for name, share in (
            ("speed_kept", measured.speed_kept),
            ("range_kept", measured.range_kept),
        )
        if share is not None
    }
    differences: list[str] = []
    if template is not None:
        middle = template.distances(measured.typical[None])[0]
        likeness = np.array([likeness_of(d) for d in middle])
        parts |= {f"likeness_{n}": float(v) for n, v in zip(QUANTITIES, likeness, strict=True)}
        parts["likeness"] = float(likeness.mean())
        differences = differences_of(middle)
    if not parts:
        return Form(None, {}, "Too few repetitions to say how it went on.")
    score = np.mean([parts[n] for n in ("likeness", "speed_kept", "range_kept") if n in parts])
    says = sentence(differences, losses_of(measured), known=template is not None)
    return Form(float(score), parts, says)


def likeness_of(sigmas: float) -> float:
    """1 within the usual spread, 0 four spreads away, a line between.

    >>> [likeness_of(s) for s in (0.5, -2.5, 9.0)]
    [1.0, 0.5, 0.0]
    """
    beyond = (abs(float(sigmas)) - FREE_SIGMA) / (ZERO_SIGMA - FREE_SIGMA)
    return 1.0 - min(1.0, max(0.0, beyond))


def differences_of(middle: Floats64) -> list[str]:
    """What differs from the user's usual by more than twice the usual spread.

    Args:
        middle: (4,) of a set, each of `QUANTITIES` in usual spreads from the usual.
    """
    return [
        WORDS[name][0 if sigmas > 0 else 1]
        for name, sigmas in zip(QUANTITIES, middle, strict=True)
        if abs(sigmas) > MIN_DIFFERENCE
    ]


def losses_of(measured: SetQuantities) -> list[str]:
    """What clearly went down from the first three to the last three repetitions."""
    courses = (("peak speed", measured.speed_kept), ("range", measured.range_kept))
    return [
        f"{1 - share:.0%} of its {name}"
        for name, share in courses
        if share is not None and share < CLEAR_LOSS
    ]


def sentence(differences: Sequence[str], losses: Sequence[str], *, known: bool) -> str:
    """One sentence for a person.

    Args:
        differences: from the user's usual way.
        losses: towards the end of the set.
        known: whether there is a usual way to compare with.

    >>> sentence(["slower"], ["25% of its range"], known=True)
    'Slower than usual for you; it lost 25% of its range towards the end.'
    """
    start = "As usual for you" if known else "Even to the end"
    if differences:
        start = f"{listed(differences)} than usual for you"
        start = start[0].upper() + start[1:]
    if not losses:
        return f"{start}."
    lost = f"lost {listed(losses)} towards the end"
    return f"{start}; it {lost}." if known else f"The set {lost}."


def listed(words: Sequence[str]) -> str:
    """Words as people list them.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
