"""The members of the global models: a random sample of each layout's users. Pure."""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from pipelines.keys import UserKey
from schemas.inputs import LAYOUTS

MEMBERS = 128  # users of a layout


def members_of(keys: Iterable[UserKey], seed: int) -> list[UserKey]:
    """The users of every layout whose statistics make up its global model."""
    keys = list(keys)
    return [key for layout in LAYOUTS for key in sample(keys, layout, seed)]


def sample(keys: Iterable[UserKey], layout: str, seed: int) -> list[UserKey]:
    """At most `MEMBERS` users of a layout, in random order; few change as others come and go."""

    def rank(key: tuple[UUID, str]) -> bytes:
        """A user's place in the order: it depends on the seed and the user alone."""
        return hashlib.sha256(f"{seed} {key[0]}".encode()).digest()

    return sorted((key for key in keys if key[1] == layout), key=rank)[:MEMBERS]
