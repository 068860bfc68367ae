"""A user's form model: templates, and the measured sets they were learned from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.form.quantities import SetQuantities, quantities
from models.form.template import FormTemplate, fit_template
from models.reps.measure import Repetition
from schemas.errors import NotEnoughLabels

UNKNOWN_SIDE = "unknown"
ExerciseSide = tuple[str, str]
"""Exercise and wrist ("left", "right", "unknown")."""


@dataclass(frozen=True, slots=True)
class CountedSet:
    """A confirmed set with its repetitions.

    Attributes:
        set_id: as confirmed.
        exercise: its name.
        side: the wrist, None where nobody said.
        started_ms: milliseconds since the epoch.
        repetitions: as counted, in order.
    """

    set_id: str
    exercise: str
    side: str | None
    started_ms: int
    repetitions: tuple[Repetition, ...]

    @property
    def exercise_side(self) -> ExerciseSide:
        """Its key in a `FormModel`."""
        return self.exercise, self.side or UNKNOWN_SIDE


@dataclass(frozen=True, slots=True)
class MeasuredSet:
    """A set in numbers, as a `FormModel` keeps it.

    Attributes:
        set_id, started_ms: as in `CountedSet`.
        exercise_side: exercise and wrist.
        repetitions: how many.
        quantities: the set in numbers.
    """

    set_id: str
    exercise_side: ExerciseSide
    started_ms: int
    repetitions: int
    quantities: SetQuantities


@dataclass(frozen=True, slots=True)
class FormModel:
    """A user's templates and measured sets.

    Attributes:
        templates: by exercise and wrist; the arms of a person differ.
        sets: oldest first; also of exercises that have no template yet.
    """

    templates: Mapping[ExerciseSide, FormTemplate]
    sets: tuple[MeasuredSet, ...] = ()

    def template(self, exercise: str, side: str | None) -> FormTemplate | None:
        """The template of an exercise on a wrist, None where there is none."""
        return self.templates.get((exercise, side or UNKNOWN_SIDE))


def fit_form(sets: Iterable[CountedSet]) -> FormModel:
    """Measure every set, and learn a template where there are enough sets.

    Args:
        sets: a user's confirmed sets, oldest first; those without repetitions are left out.

    Raises:
        NotEnoughLabels: no set has repetitions.
    """
    by_side: dict[ExerciseSide, list[Sequence[Repetition]]] = {}
    measured: list[MeasuredSet] = []
    for counted_set in sets:
        numbers = quantities(counted_set.repetitions)
        if numbers is None:
            continue
        by_side.setdefault(counted_set.exercise_side, []).append(counted_set.repetitions)
        count = len(counted_set.repetitions)
        measured.append(
            MeasuredSet(
                counted_set.set_id,
                counted_set.exercise_side,
                counted_set.started_ms,
                count,
                numbers,
            )
        )
    if not measured:
        raise NotEnoughLabels("no confirmed set has repetitions that can be counted")
    return FormModel(_templates(by_side), tuple(measured))


def _templates(
    by_side: Mapping[ExerciseSide, Sequence[Sequence[Repetition]]],
) -> dict[ExerciseSide, FormTemplate]:
    templates: dict[ExerciseSide, FormTemplate] = {}
    for exercise_side in sorted(by_side):
        try:
            templates[exercise_side] = fit_template(exercise_side[0], by_side[exercise_side])
        except NotEnoughLabels:
            continue
    return templates
