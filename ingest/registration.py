"""Registers users, and announces them in `changes`: ranks include users without followers."""

from schemas.times import us_of
from schemas.topics import REGISTERED
from store.changes import Changes
from store.users import User, Users


async def register(changes: Changes, users: Users, user: User) -> None:
    """Store a new user under a free username.

    Raises:
        NameTaken: another user has the name.
    """
    await changes.announce(user.user_id, REGISTERED, us_of(user.created_at))
    await users.register(user)
