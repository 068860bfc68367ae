"""A user's own way of doing an exercise, from sets that they confirmed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats64
from models.form.quantities import MIN_SPREADS, QUANTITIES, quantities, table
from models.reps.measure import Repetition
from schemas.errors import NotEnoughLabels

MIN_SETS = 3
TO_SIGMA = 1.4826  # of a median deviation, where the numbers are spread normally


@dataclass(frozen=True, slots=True)
class FormTemplate:
    """What an exercise usually looks like for one user.

    Attributes:
        exercise: its name.
        sets: how many sets it was learned from.
        typical: (4,) usual `QUANTITIES` of a repetition.
        spread: (4,) how much they usually differ, robustly; never below what is measurable.
    """

    exercise: str
    sets: int
    typical: Floats64
    spread: Floats64

    def distances(self, rows: Floats64) -> Floats64:
        """(n, 4) of repetitions, in usual spreads from the usual; the sign says the way."""
        return (rows - self.typical) / self.spread


def fit_template(exercise: str, sets: Iterable[Sequence[Repetition]]) -> FormTemplate:
    """Learn the usual from confirmed sets of one exercise; one odd set does not move it.

    Args:
        exercise: its name.
        sets: the repetitions of each set; empty ones are left out.

    Raises:
        NotEnoughLabels: fewer than three sets with repetitions.
    """
    done = [repetitions for repetitions in sets if len(repetitions)]
    if len(done) < MIN_SETS:
        raise NotEnoughLabels(
            f"{MIN_SETS} confirmed sets of {exercise!r} with repetitions make a template, "
            f"there are {len(done)}"
        )
    medians = [measured.typical for s in done if (measured := quantities(s)) is not None]
    typical = np.median(np.array(medians), axis=0)
    rows = np.concatenate([table(s) for s in done])
    spread = TO_SIGMA * np.median(np.abs(rows - typical), axis=0)
    return FormTemplate(exercise, len(done), typical, np.maximum(spread, MIN_SPREADS))


def symmetry(left: FormTemplate, right: FormTemplate) -> dict[str, float]:
    """Left over right of every quantity that both wrists show; 1 is alike.

    Needs sets of the same exercise recorded on either wrist: one watch tells about one arm.

    Returns:
        A ratio per name in `QUANTITIES`; a quantity that is as good as zero on either side is
        left out.
    """
    pairs = zip(QUANTITIES, left.typical, right.typical, MIN_SPREADS, strict=True)
    return {name: float(a / b) for name, a, b, least in pairs if a >= least and b >= least}
