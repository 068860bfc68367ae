"""Registers users, and announces them in `changes`: ranks include people whom nobody follows."""

from schemas.times import us_of
from schemas.topics import Topic
from store.journal import Journal
from store.users import User, Users

TOPIC: Topic = "registered"


async def register(journal: Journal, users: Users, user: User) -> None:
    """Keep a new user under a name that nobody has.

    Raises:
        NameTaken: somebody has the name.
    """
    await journal.announce(user.user_id, TOPIC, us_of(user.created_at))
    await users.register(user)
