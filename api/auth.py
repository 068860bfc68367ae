"""Registration, tokens, rotation and revocation."""

import unicodedata
from datetime import timedelta
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.json_schema import SkipJsonSchema

from api.account_route import AccountRoute
from api.dependencies import Services, ServicesDep
from api.passwords import MAX_CHARACTERS, MIN_CHARACTERS, Passwords
from api.problems import problem_responses
from api.tokens import SCOPES, USER_SCOPES, Claims
from ingest import registration
from schemas.bounds import BoundedBody
from schemas.errors import (
    BadInput,
    MissingScope,
    NameTaken,
    NotAuthenticated,
    TokenReused,
    WrongPassword,
)
from store.logins import Login
from store.users import User

router = APIRouter(prefix="/v1/auth", tags=["accounts"], route_class=AccountRoute)
_PASSWORD = Field(
    min_length=MIN_CHARACTERS,
    max_length=MAX_CHARACTERS,
    description=f"{MIN_CHARACTERS} to {MAX_CHARACTERS} characters of any kind",
)
_NO_STORE = {"Cache-Control": "no-store"}
_EXAMPLE_TOKEN = "eyJhbGciOiJFZERTQSIsImtpZCI6ImRldjAwMDAwMDAwIn0"  # noqa: S105 (an example)


_FORM = "application/x-www-form-urlencoded"
_ANNA: dict[str, Any] = {"username": "anna", "password": "correct horse battery"}
_PASSWORD_FORM = {"grant_type": "password", **_ANNA}


_Username = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        pattern=r"^[\w.@+\-]+$",
        description="letters, digits and `_.@+-`; case does not count",
    ),
]
_RevokedToken = Annotated[
    str | SkipJsonSchema[None], Field(min_length=1, max_length=4096)
]  # null counts as left out, which the document need not offer
_USERNAME: TypeAdapter[str] = TypeAdapter(_Username)


class Registration(BoundedBody):
    """The name and password of a new user."""

    model_config = ConfigDict(json_schema_extra={"example": _ANNA})

    username: _Username
    password: str = _PASSWORD


class TokenText(BoundedBody):
    """A refresh token to be exchanged."""

    model_config = ConfigDict(json_schema_extra={"example": {"refresh_token": _EXAMPLE_TOKEN}})

    refresh_token: str = Field(
        min_length=1,
        max_length=4096,
        description="the newest one; the one before it is good until this one is used",
    )


class Revocation(BoundedBody):
    """A token, access or refresh, whose login shall end."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"token": _EXAMPLE_TOKEN},
            "oneOf": [{"required": ["token"]}, {"required": ["refresh_token"]}],
        }
    )

    token: _RevokedToken = Field(
        default=None, description="access or refresh token; it may have expired"
    )
    refresh_token: _RevokedToken = Field(
        default=None, description="another name of `token`, as `refresh` takes it; not both"
    )
    token_type_hint: str | None = Field(
        default=None, description="not used (RFC 7009): a token of either type is found without it"
    )


class TokenResponse(BaseModel):
    """An access token, and the refresh token for the next pair."""

    access_token: str = Field(
        description="a JWT for `Authorization: Bearer`; its `sub` is the user's id"
    )
    token_type: Literal["bearer"] = Field(
        default="bearer", description="of the access token (OAuth2)"
    )
    expires_in: int = Field(description="seconds that the access token lasts")
    refresh_token: str = Field(
        description="for the next pair; store it before you use the access token"
    )
    scope: str = Field(description="what the access token allows: scopes with a blank in between")


@router.post(
    "/register",
    summary="Register",
    status_code=201,
    response_description="The account exists and is logged in",
    responses=problem_responses(409),
)
async def register(
    body: Registration, request: Request, response: Response, services: ServicesDep
) -> TokenResponse:
    """Create an account, and log in."""
    services.tokens.require_signing()
    name = _new_username(body.username)
    earlier = _earlier_username(body.username)
    if earlier != name and await services.users.by_name(earlier):
        raise NameTaken(f"The name {earlier!r} is taken.")
    user = User(
        uuid4(),
        name,
        await _passwords(request).hash(body.password),
        USER_SCOPES,
        services.clock(),
    )
    await registration.register(services.records.journal, services.users, user)
    response.headers.update(_NO_STORE)
    return _token_pair(services, user, await _open_login(services, user, frozenset()))


@router.post(
    "/token",
    summary="Log in",
    response_description="Logged in",
    responses=problem_responses(401, 403),
    openapi_extra={"requestBody": {"content": {_FORM: {"example": _PASSWORD_FORM}}}},
)
async def log_in(
    form: Annotated[OAuth2PasswordRequestForm, Depends()],
    request: Request,
    response: Response,
    services: ServicesDep,
) -> TokenResponse:
    """Log in with a password (OAuth2 password form); `scope` may ask for fewer scopes.

    After some wrong passwords for a name, wherever they came from, its next ones must wait (429).
    Who is logged in stays so: tokens are refreshed without a password.
    """
    services.tokens.require_signing()
    if len(form.username) > 64 or len(form.password) > MAX_CHARACTERS:
        raise WrongPassword("No such user and password.")
    name = _normalised_username(form.username)
    user = await services.users.by_name(name)
    if user is None and (earlier := _earlier_username(form.username)) != name:
        user = await services.users.by_name(earlier)
    services.rate_limiter.take_password(name)
    if not await _passwords(request).verify(user.password_hash if user else None, form.password):
        raise WrongPassword("No such user and password.")
    if user is None:
        raise WrongPassword("No such user and password.")
    services.rate_limiter.refund_password(name)
    response.headers.update(_NO_STORE)
    login = await _open_login(services, user, _granted_scopes(form.scopes, user))
    return _token_pair(services, await _read_again(services, user, login), login)


@router.post(
    "/refresh",
    summary="Refresh the tokens",
    response_description="A new pair of tokens",
    responses=problem_responses(401),
)
async def refresh_tokens(
    body: TokenText, response: Response, services: ServicesDep
) -> TokenResponse:
    """Exchange a refresh token for a new pair.

    The token that was exchanged stays good until its successor is used: a response that was lost
    on the way logs nobody out. After that its reuse ends the whole login.
    """
    services.tokens.require_signing()
    claims = services.tokens.read(body.refresh_token, "refresh")
    login = await _advance_login(services, claims)
    user = await services.users.by_id(claims.user_id)
    if user is None:
        raise NotAuthenticated("The token is not accepted: its user is gone.")
    response.headers.update(_NO_STORE)
    return _token_pair(services, user, login)


@router.post(
    "/revoke", status_code=204, summary="Log out", response_description="The login has ended"
)
async def log_out(body: Revocation, services: ServicesDep) -> Response:
    """End the login that a token belongs to, also one that has expired.

    A token that is none of this server is no error (RFC 7009): it ends nothing.
    """
    token = body.token or body.refresh_token
    if token is None or (body.token and body.refresh_token):
        raise BadInput("Send one token, as `token` or as `refresh_token`.", field="token")
    for use in ("refresh", "access"):
        try:
            claims = services.tokens.read(token, use, expired=True)
        except NotAuthenticated:
            continue
        if claims.login_id is not None:
            await _end_login(services, claims.user_id, claims.login_id)
    return Response(status_code=204)


async def _advance_login(services: Services, claims: Claims) -> Login:
    """The login after a refresh token was used.

    `current_token` is the token that was used last. The one used now may be the same (its successor
    was lost in transit), or a successor of it. Any other token was replaced long ago.
    """
    if claims.login_id is None or claims.token_id is None:
        raise NotAuthenticated("This is no refresh token of this server.")
    now = services.clock()
    expires_at = now + timedelta(seconds=services.tokens.refresh_s)
    for _ in range(2):  # twice: a repeat of this request may have been faster
        login = await services.logins.read(claims.user_id, claims.login_id)
        if login is None:
            raise NotAuthenticated("The token is not accepted: its login has ended.")
        if claims.token_id != login.current_token and claims.parent_id != login.current_token:
            await _end_login(services, claims.user_id, claims.login_id)
            raise TokenReused("This token was replaced; its login is revoked. Log in again.")
        if await services.logins.advance(login, claims.token_id, expires_at, now):
            return login._replace(current_token=claims.token_id, expires_at=expires_at)
    raise NotAuthenticated("The token is being used elsewhere at this moment.")


async def _open_login(services: Services, user: User, scopes: frozenset[str]) -> Login:
    now = services.clock()
    login_id = uuid4()
    expires_at = now + timedelta(seconds=services.tokens.refresh_s)
    login = Login(user.user_id, login_id, login_id, scopes, expires_at)
    await services.logins.open(login, now)
    return login


async def _read_again(services: Services, user: User, login: Login) -> User:
    """The user as of now, after the login has begun.

    A new password, or fewer scopes, end all logins that have begun before: this one may have been
    too late for that, with what was read too early.

    Raises:
        NotAuthenticated: the password was changed, or the user erased, meanwhile.
    """
    now = await services.users.by_id(user.user_id)
    if now is None or now.password_hash != user.password_hash:
        await _end_login(services, user.user_id, login.login_id)
        raise NotAuthenticated("The password was changed at this moment. Log in with the new one.")
    return now


def _token_pair(services: Services, user: User, login: Login) -> TokenResponse:
    # A login without scopes of its own has all that the user has, also those granted later.
    scopes = login.scopes & user.scopes if login.scopes else user.scopes
    tokens = services.tokens
    return TokenResponse(
        access_token=tokens.access(user.user_id, login.login_id, scopes),
        expires_in=tokens.access_s,
        refresh_token=tokens.refresh(user.user_id, login.login_id, login.current_token),
        scope=" ".join(sorted(scopes)),
    )


async def _end_login(services: Services, user_id: UUID, login_id: UUID) -> None:
    services.authenticator.forget(login_id)
    await services.logins.revoke(user_id, login_id)
    services.authenticator.forget(login_id)  # again: a check in flight may have cached it


def _granted_scopes(scopes: list[str], user: User) -> frozenset[str]:
    """The requested scopes that the user has; empty if none were requested, which means all."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise BadInput(f"Unknown scope {unknown[0]!r}.", field="scope", value=unknown[0])
    granted = frozenset(scopes) & user.scopes
    if scopes and not granted:
        raise MissingScope(f"This user has none of the scopes {' '.join(scopes)}.")
    return granted


def _new_username(username: str) -> str:
    """The normal form of a name to be registered.

    Raises:
        BadInput: it is longer than a name may be, or has other characters: U+037A becomes a blank
            and a letter.
    """
    name = _normalised_username(username)
    try:
        return _USERNAME.validate_python(name)
    except ValidationError as problem:
        raise BadInput(
            f"username becomes {name!r}, which is too long or has other characters than letters, "
            "digits and _.@+-",
            field="username",
            value=username,
        ) from problem


def _normalised_username(username: str) -> str:
    """A username in normal form: one name for all its spellings.

    Folding takes a few letters apart, such as U+0390: hence the second NFKC.
    """
    return unicodedata.normalize("NFKC", _earlier_username(username))


def _earlier_username(username: str) -> str:
    """The normal form of earlier releases, under which names with such letters were registered."""
    return unicodedata.normalize("NFKC", username).casefold()


def _passwords(request: Request) -> Passwords:
    return request.app.state.passwords
