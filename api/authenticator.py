"""Authenticates callers by their access tokens, with a short-lived cache."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from api.tokens import Claims, Tokens
from ingest.ttl_cache import TtlCache
from schemas.errors import MissingScope, NotAuthenticated
from store.logins import Logins
from store.users import Users


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a valid token.

    Attributes:
        login_id: None for a token of an outside issuer.
        subject: the subject of a token of an outside issuer, None for our own tokens. `user_id` may
            differ: a subject that was erased and comes back is another user.
        expires_at: seconds since the epoch.
    """

    user_id: UUID
    login_id: UUID | None
    scopes: frozenset[str]
    expires_at: float
    subject: UUID | None = None

    def require_scope(self, scope: str) -> None:
        """Refuse a token that does not cover an operation.

        Raises:
            MissingScope: it does not.
        """
        if scope not in self.scopes:
            raise MissingScope(f"This needs the scope {scope}; the token has none such.")


@dataclass(frozen=True, slots=True)
class _Verified:
    caller: Caller
    trusted: tuple[object, ...]  # the keys that were trusted when its signature was checked


class Authenticator:
    """Checks access tokens.

    Verifying a signature takes 120 µs and reading a login a round trip, so a result is cached for
    `cache_ttl_s`: that is how long a revocation takes to reach every worker. The worker that
    revokes drops its cached result at once.
    """

    def __init__(
        self,
        tokens: Tokens,
        logins: Logins,
        users: Users,
        cache_ttl_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._logins = logins
        self._users = users
        self._clock = clock
        self._verified: TtlCache[str, _Verified] = TtlCache(cache_ttl_s)

    async def authenticate(self, authorization: str) -> Caller:
        """The caller that an Authorization header names.

        Raises:
            NotAuthenticated: no bearer token, or one that is not valid (any more).
            DatabaseUnavailable: whether it was revoked cannot be checked now.
        """
        kind, _, token = authorization.partition(" ")
        if kind.lower() != "bearer" or not token:
            raise NotAuthenticated("Send `Authorization: Bearer <access token>`.")
        return await self.authenticate_token(token.strip())

    async def authenticate_token(self, token: str) -> Caller:
        """The caller that an access token names; raises as `authenticate`."""
        seen = await self._verified.fresh(token, lambda: self._check(token))
        if not self._is_current(seen.caller):
            self._verified.forget(token)  # also a look-up in flight: it began before the expiry
            seen = await self._verified.load(token, lambda: self._check(token))
        return seen.caller

    def forget(self, login_id: UUID) -> None:
        """Drop the cached tokens of a login."""
        self._verified.forget_where(lambda _, seen: seen.caller.login_id == login_id)

    def forget_user(self, user_id: UUID) -> None:
        """Drop the cached tokens of a user."""
        self._verified.forget_where(lambda _, seen: seen.caller.user_id == user_id)

    async def _check(self, token: str) -> _Verified:
        """Check a token now; its signature only if the trusted keys changed since the last time."""
        seen = self._verified.last(token)
        if seen is not None and seen.caller.subject is not None:
            await self._tokens.refresh_trusted(token)  # else an idle worker never hears of a change
        trusted = self._tokens.trusted
        if seen is not None and seen.trusted == trusted and self._is_current(seen.caller):
            caller = seen.caller  # the signature is still valid: only the login may have ended
        else:
            caller = _caller(await self._tokens.read_access(token))
            trusted = self._tokens.trusted
        if caller.login_id is not None:
            login = await self._logins.read(caller.user_id, caller.login_id)
            if login is None:
                self._verified.forget(token)
                raise NotAuthenticated("The token is not accepted: its login has ended.")
        if caller.subject is not None:
            caller = replace(caller, user_id=await self._users.user_of_subject(caller.subject))
        return _Verified(caller, trusted)

    def _is_current(self, caller: Caller) -> bool:
        return self._clock() < caller.expires_at


def _caller(claims: Claims) -> Caller:
    subject = claims.user_id if claims.login_id is None else None
    return Caller(claims.user_id, claims.login_id, claims.scopes, claims.expires_at, subject)
