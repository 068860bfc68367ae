"""Who is calling: verified tokens, remembered for a moment."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from api.tokens import Claims, Tokens
from schemas.errors import MissingScope, NotAuthenticated
from store.users import Logins

_REMEMBERED = 20_000  # tokens; about 1 kB each


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a good token.

    Attributes:
        login_id: None for a token of an outside issuer.
        expires_at: seconds since the epoch.
    """

    user_id: UUID
    login_id: UUID | None
    scopes: frozenset[str]
    expires_at: float

    def must_have(self, scope: str) -> None:
        """Refuse a token that does not cover an operation.

        Raises:
            MissingScope: it does not.
        """
        if scope not in self.scopes:
            raise MissingScope(f"This needs the scope {scope}; the token has none such.")


@dataclass(slots=True)
class _Seen:
    caller: Caller
    good_until: float
    believed: tuple[object, ...]


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
        believed_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._logins = logins
        self._believed_s = believed_s
        self._clock = clock
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    async def caller(self, authorization: str) -> Caller:
        """The caller that an Authorization header names.

        Raises:
            NotAuthenticated: no bearer token, or one that is not good (any more).
            DatabaseAway: whether it was revoked cannot be known now.
        """
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise NotAuthenticated("Send `Authorization: Bearer <access token>`.")
        return await self.caller_of(token.strip())

    async def caller_of(self, token: str) -> Caller:
        """The caller that an access token names; raises as `caller`."""
        seen = self._seen.get(token)
        now = self._clock()
        if seen is not None and now < seen.good_until and now < seen.caller.expires_at:
            return seen.caller
        return await self._check(token, now, seen)

    def forget(self, login_id: UUID) -> None:
        """Believe no token of a login any more."""
        gone = [token for token, seen in self._seen.items() if seen.caller.login_id == login_id]
        for token in gone:
            del self._seen[token]

    async def _check(self, token: str, now: float, seen: _Seen | None) -> Caller:
        believed = self._tokens.believed
        if seen is not None and now < seen.caller.expires_at and seen.believed == believed:
            caller = seen.caller  # the signature was good and still is: only the login may be gone
        else:
            self._seen.pop(token, None)
            caller = _caller(await self._tokens.read_access(token))
            believed = self._tokens.believed
        if caller.login_id is not None:
            login = await self._logins.read(caller.user_id, caller.login_id)
            if login is None:
                self._seen.pop(token, None)
                raise NotAuthenticated("The token is not accepted: its login has ended.")
        self._seen[token] = _Seen(caller, now + self._believed_s, believed)
        self._seen.move_to_end(token)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return caller


def _caller(claims: Claims) -> Caller:
    return Caller(claims.user_id, claims.login_id, claims.scopes, claims.expires_at)
