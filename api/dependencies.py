"""The services of a worker, and the FastAPI dependencies by which endpoints get them."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Security
from fastapi.security import OAuth2PasswordBearer, SecurityScopes
from starlette.requests import HTTPConnection, Request

from api.authenticator import Authenticator, Caller
from api.cursors import Cursors
from api.measure import Measurer
from api.metrics import Metrics
from api.model_cache import ModelCache
from api.model_forms import ModelForms
from api.rate_limiter import RateLimiter
from api.recognise import Recogniser
from api.scope_keys import RATE_LIMIT
from api.tokens import SCOPES, Tokens
from ingest.recorder import Recorder
from schemas.config import Config
from schemas.errors import NotReady
from schemas.times import Clock
from store.database import Database
from store.logins import Logins
from store.records import Records
from store.users import Users

OAUTH = "OAuth2PasswordBearer"


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that needs the database; created once per worker, after the fork."""

    config: Config
    database: Database
    records: Records
    recorder: Recorder
    models: ModelCache
    model_forms: ModelForms
    recogniser: Recogniser
    measurer: Measurer
    users: Users
    logins: Logins
    tokens: Tokens
    authenticator: Authenticator
    rate_limiter: RateLimiter
    cursors: Cursors
    metrics: Metrics
    clock: Clock


def services_of(connection: HTTPConnection) -> Services:
    """The worker's services.

    Raises:
        NotReady: Cassandra has not been reached since the start, or is not usable.
    """
    connector = connection.app.state.connector
    if connector.services is None:
        raise NotReady(connector.not_ready_reason)
    return connector.services


async def _services(request: Request) -> Services:
    return services_of(request)


ServicesDep = Annotated[Services, Depends(_services)]
_bearer = OAuth2PasswordBearer(tokenUrl="/v1/auth/token", scopes=SCOPES, auto_error=False)


async def authorise(request: HTTPConnection, scope: str) -> Caller:
    """Authenticate the caller of a raw route and count the request against the rate limit.

    A token that was checked within `api.pointer_ttl_s` takes microseconds and does not suspend.

    Raises:
        NotAuthenticated, MissingScope, LimitExceeded, DatabaseUnavailable.
    """
    services = services_of(request)
    caller = await services.authenticator.authenticate(request.headers.get("authorization", ""))
    caller.require_scope(scope)
    request.scope[RATE_LIMIT] = services.rate_limiter.take_request(caller.user_id)
    return caller


async def _current(
    scopes: SecurityScopes, request: Request, _: Annotated[str | None, Depends(_bearer)]
) -> Caller:
    return await authorise(request, scopes.scopes[0])


def require(scope: str) -> Any:
    """A dependency that returns the caller of a valid token with this scope.

    Use as `caller: Annotated[Caller, require("predict")]`; OpenAPI shows the scope.
    """
    return Security(_current, scopes=[scope])


def security(scope: str) -> list[dict[str, list[str]]]:
    """The OpenAPI security of a route that calls `authorise` itself."""
    return [{OAUTH: [scope]}]


SENSOR_WRITE = "sensor:write"
Sensor = Annotated[Caller, require(SENSOR_WRITE)]
Predict = Annotated[Caller, require("predict")]
ModelRead = Annotated[Caller, require("model:read")]
Social = Annotated[Caller, require("social")]
Operate = Annotated[Caller, require("operate")]
