"""What users had of whom a change was announced shortly before a run.

A run reads the last minutes before the previous run again: a change that was announced in them may
have been written after that run had read. Most were written in time, and where that is so, nothing
is new.
"""

import asyncio
import hashlib
from collections.abc import Sequence, Set
from datetime import datetime
from functools import partial
from uuid import UUID

from schemas.topics import FOLLOWS, REGISTERED, SETS, STRETCHES, Topic
from store.changes import Changes
from store.concurrency import map_concurrently
from store.database import Database
from store.follows import Follows
from store.sets import Sets
from store.stretches import Stretches
from store.users import Users
from store.watermarks import ANNOUNCED_BEFORE

METRIC = "recent_inputs"
MAX_USERS = 1_000
"""More are not read one by one: the job itself reads everybody faster."""
CONCURRENT_USERS = 16


def recent_inputs(database: Database, topics: Sequence[Topic], now: datetime) -> str:
    """The digest of what recently changed users have before a run reads it; "" of too many.

    Args:
        database: where they are.
        topics: of the changes that count, and of what is read.
        now: when the run began.
    """
    users = announced(database, topics, now - ANNOUNCED_BEFORE, now)
    return inputs_of(database, topics, sorted(users))


def inputs_of(database: Database, topics: Sequence[Topic], users: Sequence[UUID]) -> str:
    """The digest of what users have; "" of too many."""
    if len(users) > MAX_USERS:
        return ""
    named: Set[UUID] = set()
    if users and REGISTERED in topics:
        named = asyncio.run(Users(database).named_ids())
    read = partial(_read, database, topics, named)
    digests = asyncio.run(map_concurrently(read, users, CONCURRENT_USERS))
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()[:32]


def announced(
    database: Database, topics: Sequence[Topic], since: datetime, now: datetime
) -> dict[UUID, datetime]:
    """Users with a change of one of the topics since then, each with the time of the newest."""
    changes = asyncio.run(Changes(database).since(since, now))
    times = {
        user: [at for topic, at in of_user.items() if topic in topics]
        for user, of_user in changes.items()
    }
    return {user: max(of_user) for user, of_user in times.items() if of_user}


async def _read(database: Database, topics: Sequence[Topic], named: Set[UUID], user: UUID) -> str:
    """A digest of what of a user the changes of these topics can change.

    Args:
        database: where it is.
        topics: which.
        named: everybody who has a name.
        user: whose.
    """
    sets = await Sets(database).revisions(user) if SETS in topics else []
    stretches = await Stretches(database).revisions(user) if STRETCHES in topics else []
    follows = await Follows(database).of_user(user) if FOLLOWS in topics else []
    text = f"{user} {sorted(sets)} {sorted(stretches)} {sorted(follows)} {user in named}"
    return hashlib.sha256(text.encode()).hexdigest()
