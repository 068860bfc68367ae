"""Normalises the names of exercises on arrival: composed Unicode and single spaces.

Names arrive with superfluous spaces and, from some systems, with combining accents. Names that look
the same are one exercise. "Bench Press" and "bench press" are different: case is significant.
"""

import re
import unicodedata
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

MAX_NAME_CHARACTERS = 100
MAX_DECOMPOSED = 4  # code points of one character when decomposed
NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*$"
"""Text without control characters, which must not reach a terminal."""
_SPACE = re.compile("[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+")
"""Unicode's white space; `\\s` also means separators of records, which have been kept as names."""


def normalised_name(name: str) -> str:
    r"""A name in normal form: composed (Unicode's NFC), single spaces inside, none around it.

    A text that is too long for any name stays decomposed: composing takes quadratic time, and the
    check of its length refuses it in any case.

    >>> normalised_name("  Bulga\u0308rian \t split\u00a0squat\n")
    'Bulgärian split squat'
    """
    spaced = _SPACE.sub(" ", name).strip(" ")
    if spaced.isascii() or len(spaced) > MAX_NAME_CHARACTERS * MAX_DECOMPOSED:
        return spaced
    return unicodedata.normalize("NFC", spaced)


def _text_in_one_spelling(value: object) -> object:
    return normalised_name(value) if isinstance(value, str) else value


ExerciseName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_NAME_CHARACTERS, pattern=NO_CONTROLS),
    BeforeValidator(_text_in_one_spelling),
    Field(description="name; stored composed (NFC) and with single spaces; case counts"),
]
"""The name of an exercise in a request."""
