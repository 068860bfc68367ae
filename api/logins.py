"""A login of a user: begun, advanced by each refresh token that is used, ended."""

from datetime import timedelta
from uuid import UUID, uuid4

from api.dependencies import Services
from api.tokens import SCOPES, Claims
from schemas.errors import BadInput, MissingScope, NotAuthenticated, TokenReused
from store.logins import Login
from store.users import User


def granted_scopes(scopes: list[str], user: User) -> frozenset[str]:
    """The requested scopes that the user has; empty if none were requested, which means all."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise BadInput(f"Unknown scope {unknown[0]!r}.", field="scope", value=unknown[0])
    granted = frozenset(scopes) & user.scopes
    if scopes and not granted:
        raise MissingScope(f"This user has none of the scopes {' '.join(scopes)}.")
    return granted


async def open_login(services: Services, user: User, scopes: frozenset[str]) -> Login:
    """Begin a login; without scopes of its own it has all that the user has."""
    now = services.clock()
    login_id = uuid4()
    expires_at = now + timedelta(seconds=services.tokens.refresh_s)
    login = Login(user.user_id, login_id, login_id, scopes, expires_at)
    await services.logins.open(login, now)
    return login


async def read_again(services: Services, user: User, login: Login) -> User:
    """The user as of now, after the login has begun.

    A new password, or fewer scopes, end all logins that have begun before: this one may have been
    too late for that, with what was read too early.

    Raises:
        NotAuthenticated: the password was changed, or the user erased, meanwhile.
    """
    now = await services.users.by_id(user.user_id)
    if now is None or now.password_hash != user.password_hash:
        await end_login(services, user.user_id, login.login_id)
        raise NotAuthenticated("The password was changed at this moment. Log in with the new one.")
    return now


async def advance_login(services: Services, claims: Claims) -> Login:
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
            await end_login(services, claims.user_id, claims.login_id)
            raise TokenReused("This token was replaced; its login is revoked. Log in again.")
        if await services.logins.advance(login, claims.token_id, expires_at, now):
            return login._replace(current_token=claims.token_id, expires_at=expires_at)
    raise NotAuthenticated("The token is being used elsewhere at this moment.")


async def end_login(services: Services, user_id: UUID, login_id: UUID) -> None:
    """End a login; this worker refuses its tokens from now on."""
    services.authenticator.forget(login_id)
    await services.logins.revoke(user_id, login_id)
    services.authenticator.forget(login_id)  # again: a check in flight may have cached it
