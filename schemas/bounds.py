"""Bounds of bodies, checked before their parts: each bad part would be an error of its own.

An error takes a kilobyte by the time it is answered, and a body of a megabyte has room for half a
million of them. So lists stop at their first bad part (`FailFast`), too long mappings are refused
unread, and many unknown keys are one error.
"""

import itertools
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

MAX_UNKNOWN_KEYS = 64
"""Unknown keys of an object that get an error each; more of them get one in all."""
TOO_MANY_KEYS = "too_many_keys"
"""Type of the error about too many keys: its context has one of them, under `key`."""


class BoundedBody(BaseModel):
    """A body that a client sends: unknown keys are refused, and many of them at once."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_unknown_keys(cls, value: object) -> object:
        """Refuse an object with far more keys than it can have.

        Raises:
            PydanticCustomError: it has.
        """
        if isinstance(value, dict) and len(value) > len(cls.model_fields) + MAX_UNKNOWN_KEYS:
            key = next(key for key in value if key not in cls.model_fields)
            raise _too_many_keys(value, key, f"known are {', '.join(cls.model_fields)}")
        return value


def at_most(keys: int) -> Callable[[object], object]:
    """A check that a mapping has no more keys than this, before any of its values is looked at.

    >>> at_most(2)({"a": 1})
    {'a': 1}
    """

    def check(value: object) -> object:
        """The value, unless it has too many keys.

        Raises:
            PydanticCustomError: it has.
        """
        if isinstance(value, dict) and len(value) > keys:
            raise _too_many_keys(value, next(reversed(value)), f"at most {keys} are taken")
        return value

    return check


def first_parts(value: object, chars: int, levels: int = 2) -> object:
    """As much of a value as fills so many characters of text: a body may have millions of parts.

    >>> first_parts([1] * 1_000_000, 6)
    [1, 1, 1]
    """
    if isinstance(value, (str, bytes)):
        return value[: chars + 1]
    if not isinstance(value, (list, dict)):
        return value
    if not levels:
        return "…"
    parts = chars // 3 + 1  # one takes three characters: `1, `
    if isinstance(value, list):
        return [first_parts(part, chars, levels - 1) for part in value[:parts]]
    items = itertools.islice(value.items(), parts)
    return {key: first_parts(part, chars, levels - 1) for key, part in items}


def _too_many_keys(value: dict[Any, Any], key: object, rule: str) -> PydanticCustomError:
    context = {"count": len(value), "key": str(key)[:100], "rule": rule}
    return PydanticCustomError(TOO_MANY_KEYS, "{count} keys, such as {key}: {rule}", context)
