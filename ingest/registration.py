"""Registers users, and announces them in `changes`: ranks include users without followers."""

from schemas.times import us_of
from schemas.topics import REGISTERED
from store.journal import Journal
from store.users import User, Users


async def register(journal: Journal, users: Users, user: User) -> None:
    """Store a new user under a free username.

    Raises:
        NameTaken: another user has the name.
    """
    await journal.announce(user.user_id, REGISTERED, us_of(user.created_at))
    await users.register(user)
