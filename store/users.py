"""Users and their names."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid4

from schemas.errors import NameTaken, NotFound
from schemas.ids import is_subject_id
from schemas.times import aware
from store.database import Database, Row
from store.token_ranges import map_ranges

_USER = "user_id, username, password_hash, scopes, created_at"
_DELETE = "DELETE FROM users WHERE user_id = ? IF EXISTS"
_SUBJECT_PREFIX = "outside:"
_PAGE_ROWS = 5_000


class User(NamedTuple):
    """A registered user."""

    user_id: UUID
    username: str
    password_hash: str
    scopes: frozenset[str]
    created_at: datetime


class Users:
    """Rows of `users` and `usernames`; conditional writes only.

    Cassandra puts those in order itself. Plain ones it orders by the clocks of the services: a
    scope that one of them granted would outlast its withdrawal by another whose clock is behind.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(self, user: User) -> None:
        """Store a new user under a free username.

        The user's row comes first: a username without a user could never be registered again, a
        user without a username is harmless.

        Raises:
            NameTaken: another user has the name.
        """
        await self._database.applied(  # or was, before an uncertain answer: the id is new
            f"INSERT INTO users ({_USER}) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS",
            (user.user_id, user.username, user.password_hash, set(user.scopes), user.created_at),
        )
        if not await self._claim(user.username, user.user_id):
            await self._database.applied(_DELETE, (user.user_id,))
            raise NameTaken(f"The name {user.username!r} is taken.")

    async def by_name(self, username: str) -> User | None:
        """The user of that name, or None."""
        owner = await self._owner(username)
        return await self.by_id(owner) if owner else None

    async def named(self, username: str) -> User:
        """The user of that name.

        Raises:
            NotFound: nobody has it.
        """
        user = await self.by_name(username)
        if user is None:
            raise NotFound(f"There is no user {username!r}; POST /v1/auth/register makes one.")
        return user

    async def by_id(self, user_id: UUID) -> User | None:
        """The user, or None."""
        rows = await self._database.run(f"SELECT {_USER} FROM users WHERE user_id = ?", (user_id,))
        return _user(rows[0]) if rows and rows[0].username is not None else None

    async def named_ids(self) -> set[UUID]:
        """Everybody who has a name; read beside the passwords, which jobs may not see."""
        rows = await self._database.run("SELECT user_id FROM usernames")
        return {row.user_id for row in rows}

    async def grant(self, username: str, scopes: Iterable[str]) -> User:
        """Grant more scopes; tokens have them from their next refresh on.

        Raises:
            NotFound: no user has the name.
        """
        user = await self.named(username)
        scopes = frozenset(scopes)
        await self._change("scopes = scopes + ?", set(scopes), user.user_id)
        return user._replace(scopes=user.scopes | scopes)

    async def withdraw(self, username: str, scopes: Iterable[str]) -> User:
        """Take scopes from a user; logins that are open have them until their end.

        Raises:
            NotFound: no user has the name.
        """
        user = await self.named(username)
        scopes = frozenset(scopes)
        await self._change("scopes = scopes - ?", set(scopes), user.user_id)
        return user._replace(scopes=user.scopes - scopes)

    async def set_password(self, user_id: UUID, password_hash: str) -> None:
        """Replace a user's password; logins stay open.

        Raises:
            NotFound: there is no such user, any more.
        """
        await self._change("password_hash = ?", password_hash, user_id)

    async def _change(self, assignment: str, value: object, user_id: UUID) -> None:
        """Change one column of a user who is there: an erased one is not made again.

        Raises:
            NotFound: there is no such user, any more.
        """
        cql = f"UPDATE users SET {assignment} WHERE user_id = ? IF EXISTS"
        if not await self._database.applied(cql, (value, user_id)):
            raise NotFound(f"There is no user {user_id}.")

    async def erase(self, user_id: UUID) -> None:
        """Delete the user and free the name."""
        user = await self.by_id(user_id)
        if user is None:
            return
        await self._database.applied(
            "DELETE FROM usernames WHERE username = ? IF user_id = ?", (user.username, user_id)
        )
        await self._database.applied(_DELETE, (user_id,))

    async def user_of_subject(self, subject: UUID) -> UUID:
        """The user id of an outside issuer's subject: the subject itself until an erasure."""
        return await self._owner(_subject_name(subject)) or subject

    async def reassign_subject(self, erased: UUID, names: Iterable[str] | None = None) -> None:
        """Assign a new user id to the outside subject of an erased one, which is never used again.

        Nothing happens where that was done before, and for users who registered here. All of
        `usernames` is read unless the id is the subject's own, or that of a user whose row is
        there: a subject has none. An index would serve nothing else.

        Args:
            erased: the id.
            names: of the outside subjects that lead to it, where the caller has read them.
        """
        insert = "INSERT INTO usernames (username, user_id) VALUES (?, ?) IF NOT EXISTS"
        update = "UPDATE usernames SET user_id = ? WHERE username = ? IF user_id = ?"
        if is_subject_id(erased):
            await self._database.applied(insert, (_subject_name(erased), uuid4()))
            return
        if names is None:
            registered_here = await self.by_id(erased) is not None
            names = () if registered_here else (await self.outside_names([erased]))[erased]
        for name in names:
            await self._database.applied(update, (uuid4(), name, erased))

    async def outside_names(self, user_ids: Collection[UUID]) -> dict[UUID, list[str]]:
        """The names of the outside subjects that lead to each of some ids, none for most.

        All of `usernames` is read, once for all of them.
        """
        by_node = len(user_ids) == 1  # of a column outside the key it filters one value only
        where, values = ("user_id = ? AND ", tuple(user_ids)) if by_node else ("", ())
        find = (
            f"SELECT username, user_id FROM usernames WHERE {where}"
            "token(username) > ? AND token(username) <= ? ALLOW FILTERING"
        )
        names: dict[UUID, list[str]] = {user_id: [] for user_id in user_ids}

        async def read(tokens: tuple[int, int]) -> None:
            """Add the names of one range."""
            async for page in self._database.pages(find, (*values, *tokens), page_rows=_PAGE_ROWS):
                for row in page:
                    if row.user_id in names and row.username.startswith(_SUBJECT_PREFIX):
                        names[row.user_id].append(row.username)

        await map_ranges(read)
        return names

    async def _claim(self, username: str, user_id: UUID) -> bool:
        """Take a username; whether it is the user's now."""
        cql = "INSERT INTO usernames (username, user_id) VALUES (?, ?) IF NOT EXISTS"
        if await self._database.applied(cql, (username, user_id)):
            return True
        return await self._owner(username) == user_id  # after an uncertain first attempt

    async def _owner(self, username: str) -> UUID | None:
        rows = await self._database.run(
            "SELECT user_id FROM usernames WHERE username = ?", (username,)
        )
        return rows[0].user_id if rows else None


def _subject_name(subject: UUID) -> str:
    """The username that stores an outside subject; nobody can register a name with a colon."""
    return f"{_SUBJECT_PREFIX}{subject}"


def _user(row: Row) -> User:
    return User(
        row.user_id,
        row.username,
        row.password_hash or "",
        frozenset(row.scopes or ()),
        aware(row.created_at),
    )
