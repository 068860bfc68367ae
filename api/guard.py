"""Who is calling: verified tokens, remembered for a moment."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from api.tokens import Claims, Tokens
from ingest.ttl_cache import TtlCache
from schemas.errors import MissingScope, NotAuthenticated
from store.users import Logins, Users


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a good token.

    Attributes:
        login_id: None for a token of an outside issuer.
        subject: whom a token of an outside issuer names, None for our own tokens. `user_id` may
            differ: somebody who was erased and comes back is another user.
        expires_at: seconds since the epoch.
    """

    user_id: UUID
    login_id: UUID | None
    scopes: frozenset[str]
    expires_at: float
    subject: UUID | None = None

    def must_have(self, scope: str) -> None:
        """Refuse a token that does not cover an operation.

        Raises:
            MissingScope: it does not.
        """
        if scope not in self.scopes:
            raise MissingScope(f"This needs the scope {scope}; the token has none such.")


@dataclass(frozen=True, slots=True)
class _Seen:
    caller: Caller
    believed: tuple[object, ...]  # the keys that were believed when its signature was checked


class Guard:
    """Checks access tokens.

    Verifying a signature costs 120 µs and reading a login a round trip, so a token is believed
    for `believed_s` after it was checked: that is how long a revocation takes to reach every
    worker. The worker that revokes forgets at once.
    """

    def __init__(
        self,
        tokens: Tokens,
        logins: Logins,
        users: Users,
        believed_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._logins = logins
        self._users = users
        self._clock = clock
        self._seen: TtlCache[str, _Seen] = TtlCache(believed_s)

    async def caller(self, authorization: str) -> Caller:
        """The caller that an Authorization header names.

        Raises:
            NotAuthenticated: no bearer token, or one that is not good (any more).
            DatabaseUnavailable: whether it was revoked cannot be known now.
        """
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise NotAuthenticated("Send `Authorization: Bearer <access token>`.")
        return await self.caller_of(token.strip())

    async def caller_of(self, token: str) -> Caller:
        """The caller that an access token names; raises as `caller`."""
        seen = await self._seen.fresh(token, lambda: self._check(token))
        if not self._runs(seen.caller):
            self._seen.forget(token)  # with a look-up under way: it began while the token was good
            seen = await self._seen.load(token, lambda: self._check(token))
        return seen.caller

    def forget(self, login_id: UUID) -> None:
        """Believe no token of a login any more."""
        self._seen.forget_where(lambda _, seen: seen.caller.login_id == login_id)

    def forget_user(self, user_id: UUID) -> None:
        """Believe no token of a user any more."""
        self._seen.forget_where(lambda _, seen: seen.caller.user_id == user_id)

    async def _check(self, token: str) -> _Seen:
        """Find out whether a token is good now."""
        believed, seen = self._tokens.believed, self._seen.last(token)
        if seen is not None and seen.believed == believed and self._runs(seen.caller):
            caller = seen.caller  # the signature was good and still is: only the login may be gone
        else:
            caller = _caller(await self._tokens.read_access(token))
            believed = self._tokens.believed
        if caller.login_id is not None:
            login = await self._logins.read(caller.user_id, caller.login_id)
            if login is None:
                self._seen.forget(token)
                raise NotAuthenticated("The token is not accepted: its login has ended.")
        if caller.subject is not None:
            caller = replace(caller, user_id=await self._users.outside(caller.subject))
        return _Seen(caller, believed)

    def _runs(self, caller: Caller) -> bool:
        return self._clock() < caller.expires_at


def _caller(claims: Claims) -> Caller:
    subject = claims.user_id if claims.login_id is None else None
    return Caller(claims.user_id, claims.login_id, claims.scopes, claims.expires_at, subject)
