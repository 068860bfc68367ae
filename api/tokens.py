"""Access and refresh tokens: their claims, how they are created and verified. No database here."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID, uuid4

import jwt

from api.jwks import ASYMMETRIC, IssuerKeys
from api.keys import KeyRing, Keys
from schemas.config import Auth
from schemas.errors import NotAuthenticated, NotReady
from schemas.ids import subject_id
from schemas.times import LATEST

Use = Literal["access", "refresh"]
SCOPES = {
    "sensor:write": "send recordings, confirm sets, read one's own history",
    "predict": "ask for answers",
    "model:read": "download one's own models",
    "social": "follow others",
    "operate": "see jobs; granted by an operator only",
}
USER_SCOPES = frozenset(SCOPES) - {"operate"}
_LEEWAY_S = 5


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token whose signature, issuer, use and time were checked.

    Attributes:
        login_id: None for a token of an outside issuer.
        token_id: of a refresh token, its own id; `parent_id` is the one that it replaced.
        expires_at: seconds since the epoch.
    """

    user_id: UUID
    login_id: UUID | None
    scopes: frozenset[str]
    expires_at: float
    token_id: UUID | None = None
    parent_id: UUID | None = None


class Tokens:
    """Creates and verifies signed tokens."""

    def __init__(
        self, settings: Auth, ring: KeyRing, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._ring = ring
        self._clock = clock
        self._outside = IssuerKeys(settings.outside_jwks)

    @property
    def trusted(self) -> tuple[object, ...]:
        """All trusted keys; another value whenever one was added or removed."""
        return (self._ring.keys, self._outside.keys)

    @property
    def key_problem(self) -> str:
        """Why the newest signing keys are not in use; "" where they are."""
        return self._ring.problem

    @property
    def can_sign(self) -> bool:
        """Whether tokens can be signed, by the newest key or the one before it."""
        keys = self._ring.keys
        return keys.kid in keys.trusted

    def require_signing(self) -> None:
        """To be called before what is written only to sign a token afterwards.

        Raises:
            NotReady: there is no key to sign with.
        """
        if not self.can_sign:
            raise NotReady("There is no key to sign tokens with; the service's log says why.")

    @property
    def access_s(self) -> int:
        """How long an access token lasts, seconds."""
        return round(self._settings.access_minutes * 60)

    @property
    def refresh_s(self) -> int:
        """How long a refresh token lasts, seconds."""
        return round(self._settings.refresh_days * 86400)

    def access(self, user_id: UUID, login_id: UUID, scopes: frozenset[str]) -> str:
        """A new access token."""
        claims = {"sid": str(login_id), "scope": " ".join(sorted(scopes))}
        return self._sign("access", user_id, self.access_s, claims)

    def refresh(self, user_id: UUID, login_id: UUID, parent_id: UUID) -> str:
        """A new refresh token that replaces `parent_id`."""
        claims = {"sid": str(login_id), "jti": str(uuid4()), "parent": str(parent_id)}
        return self._sign("refresh", user_id, self.refresh_s, claims)

    async def read_access(self, token: str) -> Claims:
        """Read an access token as `read` does, once its outside key is fresh: `refresh_trusted`."""
        await self.refresh_trusted(token)
        return self.read(token, "access")

    async def refresh_trusted(self, token: str) -> None:
        """Read the outside issuer's keys again if a token needs one that is unknown or old.

        Only a token that says to be of that issuer needs them.

        Raises:
            Retryable: the outside issuer's keys have never been read.
        """
        kid = _kid_of(token)
        if kid not in self._ring.keys.trusted and self._is_outside(token):
            await self._outside.refresh(kid)

    def read(self, token: str, use: Use, *, expired: bool = False) -> Claims:
        """The claims of a token.

        Args:
            token: as it was sent.
            use: what it must have been issued for.
            expired: whether one of this server may have expired.

        Raises:
            NotAuthenticated: not ours, tampered with, expired, or issued for another use.
        """
        try:
            head = jwt.get_unverified_header(token)
            kid = head.get("kid", "")
            key = self._ring.keys.trusted.get(kid)
            outside = self._outside.keys.get(kid)
            if key is None and outside is not None and use == "access":
                return self._read_outside(token, outside)
            if key is None or head.get("typ") != _typ(use):
                raise NotAuthenticated(f"This is no {use} token of this server.")
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                issuer=self._settings.issuer,
                leeway=_LEEWAY_S,
                options={
                    "require": ["exp", "iat", "sub", "sid"],
                    "verify_exp": not expired,
                    "verify_iat": False,  # the clock of the host that issued it may be ahead
                },
            )
            return _claims(claims)
        except (jwt.InvalidTokenError, ValueError, KeyError, AttributeError, TypeError) as problem:
            raise NotAuthenticated(f"The token is not accepted: {_why(problem)}.") from problem

    def _is_outside(self, token: str) -> bool:
        issuer = self._settings.outside_issuer
        return bool(issuer) and _issuer_of(token) == issuer

    def _read_outside(self, token: str, key: jwt.PyJWK) -> Claims:
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name] if key.algorithm_name in ASYMMETRIC else [],
            issuer=self._settings.outside_issuer,
            audience=self._settings.outside_audience,
            leeway=_LEEWAY_S,
            options={
                "require": ["exp", "sub", "iss", "aud"],
                "verify_iat": False,  # as of our own; an issuer that means a begin says `nbf`
            },
        )
        _refuse_unreal_end(claims["exp"])
        user_id = subject_id(claims["iss"], claims["sub"])
        scopes = frozenset(str(claims.get("scope", "")).split()) & frozenset(SCOPES)
        return Claims(user_id, None, scopes - {"operate"}, float(claims["exp"]))

    def _sign(self, use: Use, user_id: UUID, lasts_s: int, claims: Mapping[str, str]) -> str:
        self.require_signing()
        keys: Keys = self._ring.keys
        now = int(self._clock())
        payload = {
            "iss": self._settings.issuer,
            "sub": str(user_id),
            "iat": now,
            "exp": now + lasts_s,
            **claims,
        }
        head = {"kid": keys.kid, "typ": _typ(use)}
        return jwt.encode(payload, keys.signing, algorithm="EdDSA", headers=head)


def _typ(use: Use) -> str:
    """The token's type in its signed header: an access token never passes as a refresh token."""
    return {"access": "at+jwt", "refresh": "rt+jwt"}[use]


def _claims(claims: Mapping[str, Any]) -> Claims:
    token_id, parent_id = claims.get("jti"), claims.get("parent")
    return Claims(
        UUID(claims["sub"]),
        UUID(claims["sid"]),
        frozenset(str(claims.get("scope", "")).split()),
        float(claims["exp"]),
        UUID(token_id) if token_id else None,
        UUID(parent_id) if parent_id else None,
    )


def _refuse_unreal_end(exp: float) -> None:
    """Refuse a token that ends at no time that could be told to a client.

    Raises:
        NotAuthenticated: it ends after the year 2200, mostly because it counts milliseconds.
    """
    if float(exp) >= LATEST.timestamp():
        raise NotAuthenticated(
            f"The token is not accepted: its `exp` of {exp} lies after {LATEST.date()}; its issuer "
            "must count seconds since 1970."
        )


def _why(problem: Exception) -> str:
    if isinstance(problem, jwt.ExpiredSignatureError):
        return "it has expired"
    if isinstance(problem, jwt.ImmatureSignatureError):
        return "it is not valid yet; compare the clocks of its issuer and of this server"
    if isinstance(problem, jwt.InvalidSignatureError):
        return "its signature does not fit"
    return "it is not a token of this server"


def _kid_of(token: str) -> str | None:
    """The kid in a token's header; None if there is none."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except jwt.InvalidTokenError:
        return None
    return kid if isinstance(kid, str) else None


def _issuer_of(token: str) -> object:
    """The issuer that a token names, unverified; None if there is none."""
    try:
        return jwt.decode(token, options={"verify_signature": False}).get("iss")
    except (jwt.InvalidTokenError, ValueError):
        return None
