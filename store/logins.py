"""Logins: families of refresh tokens."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.times import aware
from store.database import Database, Row

_LOGIN = "user_id, login_id, current_token, scopes, expires_at"


class Login(NamedTuple):
    """A family of refresh tokens, from one password entry on.

    Attributes:
        current_token: the refresh token that was used last; the login's own id before the first.
    """

    user_id: UUID
    login_id: UUID
    current_token: UUID
    scopes: frozenset[str]
    expires_at: datetime


class Logins:
    """Rows of `logins`, with a time to live; conditional writes of all columns only.

    A login without a row has ended: revoked, expired or erased.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, login: Login, now: datetime) -> None:
        """Begin a family of refresh tokens."""
        await self._database.applied(
            f"INSERT INTO logins ({_LOGIN}) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS USING TTL ?",
            (
                login.user_id,
                login.login_id,
                login.current_token,
                set(login.scopes),
                login.expires_at,
                _seconds(now, login.expires_at),
            ),
        )

    async def read(self, user_id: UUID, login_id: UUID) -> Login | None:
        """The login, None if it has ended or never existed."""
        rows = await self._database.run(
            f"SELECT {_LOGIN} FROM logins WHERE user_id = ? AND login_id = ?", (user_id, login_id)
        )
        return _login(rows[0]) if rows else None

    async def of_user(self, user_id: UUID) -> list[Login]:
        """All logins of a user."""
        rows = await self._database.run(
            f"SELECT {_LOGIN} FROM logins WHERE user_id = ?", (user_id,)
        )
        return [_login(row) for row in rows]

    async def advance(self, login: Login, token: UUID, expires_at: datetime, now: datetime) -> bool:
        """Make `token` the last used one; False if another request was faster."""
        cql = (
            "UPDATE logins USING TTL ? SET current_token = ?, scopes = ?, expires_at = ? "
            "WHERE user_id = ? AND login_id = ? IF current_token = ?"
        )
        values = (
            _seconds(now, expires_at),
            token,
            set(login.scopes),
            expires_at,
            login.user_id,
            login.login_id,
            login.current_token,
        )
        return await self._database.applied(cql, values)

    async def revoke(self, user_id: UUID, login_id: UUID) -> None:
        """End a login: none of its tokens is accepted any more."""
        cql = "DELETE FROM logins WHERE user_id = ? AND login_id = ? IF EXISTS"
        await self._database.applied(cql, (user_id, login_id))

    async def revoke_all(self, user_id: UUID) -> None:
        """End every login of a user."""
        for login in await self.of_user(user_id):
            await self.revoke(user_id, login.login_id)


def _seconds(now: datetime, until: datetime) -> int:
    return max(1, int((until - now).total_seconds()))


def _login(row: Row) -> Login:
    return Login(
        row.user_id,
        row.login_id,
        row.current_token,
        frozenset(row.scopes or ()),
        aware(row.expires_at),
    )
