"""Names of exercises: one spelling, however a keyboard made it.

Names come in with superfluous spaces and, from some systems, with accents as characters of their
own. What looks the same is one exercise. "Bench Press" and "bench press" do not look the same: case
is kept and counts.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

LONGEST = 100
MAX_DECOMPOSED = 4  # characters that one takes when its accents are apart
NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""Text without control characters: no escapes, bells or NUL reach the terminal that lists it."""
_SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
"""Unicode's white space; `\\s` also means separators of records, which have been kept as names."""


def normalised_name(name: str) -> str:
    r"""A name as it is kept: composed (Unicode's NFC), single spaces inside, none around it.

    A text that is too long for any name comes back as it was, decomposed: composing takes quadratic
    time, and the check of its length refuses it in any case.

    >>> normalised_name("  Bulga\u0308rian \t split\u00a0squat\n")
    'Bulgärian split squat'
    """
    spaced = _SPACE.sub(" ", name).strip(" ")
    if spaced.isascii() or len(spaced) > LONGEST * MAX_DECOMPOSED:
        return spaced
    return unicodedata.normalize("NFC", spaced)


def with_normalised_names(said: Mapping[str, object]) -> dict[str, object]:
    """An event's body with its `exercise`, and those of its `sets`, in one spelling.

    For bodies that were kept before names were spelled one way at the door.
    """
    found = dict(said)
    match found:
        case {"exercise": str(name)}:
            found["exercise"] = normalised_name(name)
        case {"sets": list(several)}:
            found["sets"] = [with_normalised_names(one) for one in several]
        case _:
            pass
    return found


def _text_in_one_spelling(value: object) -> object:
    return normalised_name(value) if isinstance(value, str) else value


ExerciseName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=LONGEST, pattern=NO_CONTROLS),
    BeforeValidator(_text_in_one_spelling),
    Field(description="kept composed (NFC) and with single spaces; case counts"),
]
"""What every exercise is called that comes in."""
