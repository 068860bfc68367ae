"""All templates of a user in one model: by exercise and wrist."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from models import codec
from models.form.quantities import QUANTITIES
from models.form.template import FormTemplate, fit_template
from models.reps.measure import Repetition
from schemas.errors import BadModelBytes, NotEnoughLabels

BOOK_TAG = "muvr-form-book-1"
UNKNOWN_SIDE = "unknown"
Place = tuple[str, str]
"""Exercise and wrist ("left", "right", "unknown")."""


@dataclass(frozen=True, slots=True)
class FormBook:
    """A user's templates.

    Attributes:
        templates: by exercise and wrist; the arms of a person differ.
    """

    templates: Mapping[Place, FormTemplate]

    def template(self, exercise: str, side: str | None) -> FormTemplate | None:
        """The template of an exercise on a wrist, None where there is none."""
        return self.templates.get((exercise, side or UNKNOWN_SIDE))


def fit_book(sets: Iterable[tuple[str, str | None, Sequence[Repetition]]]) -> FormBook:
    """Learn every template that enough sets carry.

    Args:
        sets: exercise, wrist and repetitions of each confirmed set, oldest first.

    Raises:
        NotEnoughLabels: no exercise has three sets with repetitions on one wrist.
    """
    by_place: dict[Place, list[Sequence[Repetition]]] = {}
    for exercise, side, repetitions in sets:
        by_place.setdefault((exercise, side or UNKNOWN_SIDE), []).append(repetitions)
    found: dict[Place, FormTemplate] = {}
    for place in sorted(by_place):
        try:
            found[place] = fit_template(place[0], by_place[place])
        except NotEnoughLabels:
            continue
    if not found:
        raise NotEnoughLabels("no exercise has three confirmed sets with repetitions on one wrist")
    return FormBook(found)


def to_bytes(book: FormBook) -> bytes:
    """The stored form of a book; the same book, the same bytes."""
    places = sorted(book.templates)
    rows = [book.templates[place] for place in places]
    meta = {"places": [list(place) for place in places], "quantities": list(QUANTITIES)}
    arrays = {
        "typical": np.array([one.typical for one in rows]).reshape(len(rows), len(QUANTITIES)),
        "spread": np.array([one.spread for one in rows]).reshape(len(rows), len(QUANTITIES)),
        "sets": np.array([one.sets for one in rows], dtype=np.int64),
    }
    return codec.pack(BOOK_TAG, meta, arrays)


def from_bytes(blob: bytes) -> FormBook:
    """The book of `to_bytes`.

    Raises:
        BadModelBytes: junk, or templates of other quantities.
    """
    meta, arrays = codec.unpack(blob, BOOK_TAG)
    try:
        places = [(str(exercise), str(side)) for exercise, side in meta["places"]]
        typical, spread, sets = arrays["typical"], arrays["spread"], arrays["sets"].tolist()
        names = tuple(meta["quantities"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadModelBytes(f"not a book of form templates: {error}") from error
    shape = (len(places), len(QUANTITIES))
    if names != QUANTITIES or not typical.shape == spread.shape == shape or len(sets) != shape[0]:
        raise BadModelBytes(f"form templates of {names} with shape {typical.shape}")
    if not (spread > 0).all():
        raise BadModelBytes("a form template without spread")
    rows = zip(places, sets, typical, spread, strict=True)
    return FormBook({place: FormTemplate(place[0], n, t, s) for place, n, t, s in rows})
