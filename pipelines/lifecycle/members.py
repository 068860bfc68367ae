"""Whose data makes what is learned from everybody: a few people of each layout, by lot. Pure."""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from pipelines.keys import UserKey
from schemas.inputs import LAYOUTS

MEMBERS = 128  # users of a layout


def members_of(keys: Iterable[UserKey], seed: int) -> list[UserKey]:
    """The users of every layout whose statistics make its global model."""
    keys = list(keys)
    return [key for layout in LAYOUTS for key in sample(keys, layout, seed)]


def sample(keys: Iterable[UserKey], layout: str, seed: int) -> list[UserKey]:
    """At most `MEMBERS` users of a layout, by lot; few change as others come and go."""

    def lot(key: tuple[UUID, str]) -> bytes:
        """The lot of a user: it follows from seed and user, whoever else is there."""
        return hashlib.sha256(f"{seed} {key[0]}".encode()).digest()

    return sorted((key for key in keys if key[1] == layout), key=lot)[:MEMBERS]
