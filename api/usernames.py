"""Names of users: what a name may be, and the one form of all its spellings."""

import unicodedata
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from schemas.errors import BadInput

Username = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[\w.@+\-]+$",
        description="letters, digits and `_.@+-`; case does not count",
    ),
]
_USERNAME: TypeAdapter[str] = TypeAdapter(Username)


def new_username(username: str) -> str:
    """The normal form of a name to be registered.

    Raises:
        BadInput: it is longer than a name may be, or has other characters: U+037A becomes a blank
            and a letter.
    """
    name = normalised_username(username)
    try:
        return _USERNAME.validate_python(name)
    except ValidationError as problem:
        raise BadInput(
            f"username becomes {name!r}, which is too long or has other characters than letters, "
            "digits and _.@+-",
            field="username",
            value=username,
        ) from problem


def normalised_username(username: str) -> str:
    """A username in normal form: one name for all its spellings.

    Folding takes a few letters apart, such as U+0390: hence the second NFKC.
    """
    folded = unicodedata.normalize("NFKC", username).casefold()
    return unicodedata.normalize("NFKC", folded)
