"""Registration, tokens, rotation and revocation."""

from typing import Annotated, Any, Literal
from uuid import uuid4

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from api.account_route import AccountRoute
from api.dependencies import Services, ServicesDep
from api.logins import advance_login, end_login, granted_scopes, open_login, read_again
from api.passwords import MAX_CHARACTERS, MIN_CHARACTERS, Passwords
from api.problems import problem_responses
from api.tokens import USER_SCOPES
from api.usernames import Username, new_username, normalised_username
from ingest import registration
from schemas.bounds import BoundedBody
from schemas.errors import BadInput, NotAuthenticated, WrongPassword
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


# null counts as left out, which the document need not offer
_RevokedToken = Annotated[str, Field(min_length=1, max_length=4096)] | SkipJsonSchema[None]


class Registration(BoundedBody):
    """The name and password of a new user."""

    model_config = ConfigDict(json_schema_extra={"example": _ANNA})

    username: Username
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
    name = new_username(body.username)
    user = User(
        uuid4(),
        name,
        await _passwords(request).hash(body.password),
        USER_SCOPES,
        services.clock(),
    )
    await registration.register(services.records.changes, services.users, user)
    response.headers.update(_NO_STORE)
    return _token_pair(services, user, await open_login(services, user, frozenset()))


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
    name = normalised_username(form.username)
    user = await services.users.by_name(name)
    services.rate_limiter.take_password(name)
    kept = user.password_hash if user else None
    fits = await _passwords(request).verify(kept, form.password)  # as slow for an unknown name
    if user is None or not fits:
        raise WrongPassword("No such user and password.")
    services.rate_limiter.refund_password(name)
    response.headers.update(_NO_STORE)
    login = await open_login(services, user, granted_scopes(form.scopes, user))
    return _token_pair(services, await read_again(services, user, login), login)


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
    login = await advance_login(services, claims)
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
            await end_login(services, claims.user_id, claims.login_id)
    return Response(status_code=204)


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


def _passwords(request: Request) -> Passwords:
    return request.app.state.passwords
