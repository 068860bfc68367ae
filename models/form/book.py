"""All that is known of a user's form in one model: templates, and the sets they came from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from models.form.quantities import SetQuantities, quantities
from models.form.template import FormTemplate, fit_template
from models.reps.measure import Repetition
from schemas.errors import NotEnoughLabels

UNKNOWN_SIDE = "unknown"
Place = tuple[str, str]
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
    def place(self) -> Place:
        """The book's key for it: exercise and wrist."""
        return self.exercise, self.side or UNKNOWN_SIDE


@dataclass(frozen=True, slots=True)
class MeasuredSet:
    """What the book keeps of a set.

    Attributes:
        set_id, started_ms: as in `CountedSet`.
        place: exercise and wrist.
        repetitions: how many.
        quantities: the set in numbers.
    """

    set_id: str
    place: Place
    started_ms: int
    repetitions: int
    quantities: SetQuantities


@dataclass(frozen=True, slots=True)
class FormBook:
    """A user's templates and measured sets.

    Attributes:
        templates: by exercise and wrist; the arms of a person differ.
        sets: oldest first; also of exercises that have no template yet.
    """

    templates: Mapping[Place, FormTemplate]
    sets: tuple[MeasuredSet, ...] = ()

    def template(self, exercise: str, side: str | None) -> FormTemplate | None:
        """The template of an exercise on a wrist, None where there is none."""
        return self.templates.get((exercise, side or UNKNOWN_SIDE))


def fit_book(sets: Iterable[CountedSet]) -> FormBook:
    """Measure every set, and learn every template that enough sets carry.

    Args:
        sets: a user's confirmed sets, oldest first; those without repetitions are left out.

    Raises:
        NotEnoughLabels: no set has repetitions.
    """
    by_place: dict[Place, list[Sequence[Repetition]]] = {}
    kept: list[MeasuredSet] = []
    for one in sets:
        found = quantities(one.repetitions)
        if found is None:
            continue
        by_place.setdefault(one.place, []).append(one.repetitions)
        count = len(one.repetitions)
        kept.append(MeasuredSet(one.set_id, one.place, one.started_ms, count, found))
    if not kept:
        raise NotEnoughLabels("no confirmed set has repetitions that can be counted")
    return FormBook(_templates(by_place), tuple(kept))


def _templates(
    by_place: Mapping[Place, Sequence[Sequence[Repetition]]],
) -> dict[Place, FormTemplate]:
    found: dict[Place, FormTemplate] = {}
    for place in sorted(by_place):
        try:
            found[place] = fit_template(place[0], by_place[place])
        except NotEnoughLabels:
            continue
    return found
