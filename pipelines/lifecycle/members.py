"""The members of the global models: a random sample of each layout's users. Pure."""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from pipelines.keys import UserKey
from schemas.inputs import LAYOUTS

MEMBERS = 128  # users of a layout
DRAWN_BITS = 4  # of the greatest rank in a manifest: some ten members have the same


def members_of(keys: Iterable[UserKey], seed: int) -> list[UserKey]:
    """The users of every layout whose statistics make up its global model."""
    keys = list(keys)
    return [key for layout in LAYOUTS for key in sample(keys, layout, seed)]


def sample(keys: Iterable[UserKey], layout: str, seed: int) -> list[UserKey]:
    """At most `MEMBERS` users of a layout, in random order; few change as others come and go."""
    of_layout = (key for key in keys if key[1] == layout)
    return sorted(of_layout, key=lambda key: _place(key[0], seed))[:MEMBERS]


def drawn_from(members: Iterable[UUID | str], seed: int) -> dict[str, int]:
    """Which users a model's members were drawn from, for its manifest; it identifies nobody.

    They are those whose rank is not above that of the last member, rounded up so coarsely that it
    does not tell who that is.

    >>> drawn = drawn_from([UUID(int=4), UUID(int=5)], seed=1)
    >>> drawn
    {'seed': 1, 'up_to': 939524095}
    >>> [may_be_member(UUID(int=number), drawn) for number in (4, 5, 9)]
    [True, True, False]
    """
    last = max(_rank(user_id, seed) for user_id in members)
    return {"seed": seed, "up_to": last | (1 << max(last.bit_length() - DRAWN_BITS, 0)) - 1}


def may_be_member(user_id: UUID, drawn: object) -> bool:
    """Whether a user may be among the members of a model with this entry in its manifest.

    True where there is no such entry.
    """
    if not isinstance(drawn, dict):
        return True
    return _rank(user_id, drawn["seed"]) <= drawn["up_to"]


def _place(user_id: UUID | str, seed: int) -> bytes:
    """A user's place in the random order: it depends on the seed and the user alone."""
    return hashlib.sha256(f"{seed} {user_id}".encode()).digest()


def _rank(user_id: UUID | str, seed: int) -> int:
    """The start of the place as a number below 2³²; whoever comes earlier has no greater one."""
    return int.from_bytes(_place(user_id, seed)[:4], "big")
