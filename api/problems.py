"""Errors as RFC 9457 problems: one table maps each error to status, type and headers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import HTTPConnection
from starlette.responses import Response

from api.scope_keys import PROBLEM, REQUEST_ID
from schemas import errors
from schemas.bounds import first_parts

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:muvr:problem:"
RETRY_AFTER_S = 1
CLIENT_CLOSED_REQUEST = 499
"""The client went away before it was answered; only metrics and log see it."""
METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_MAX_VALUE_CHARS = 120
_MAX_BYTES_SHOWN = 4 * (_MAX_VALUE_CHARS + 1)  # a character has at most four


class Problem(BaseModel):
    """An error (RFC 9457).

    Some have more members: `missing` of missing-chunks, `limit` of over-limit, and `problems` where
    several fields of a body are wrong: the first 20, each `{field, detail}`.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:muvr:problem:bad-chunk",
                "title": "The chunk does not follow the contract",
                "status": 422,
                "detail": "rate_hz = 0.2: must lie between 1.0 and 1000.0",
                "field": "rate_hz",
                "value": 0.2,
                "request_id": "0199f3c2a4b17d3e8c5a",
            }
        },
    )

    type: str = Field(description="`urn:muvr:problem:` and a name; stable: for programs")
    title: str = Field(description="the same for every problem of this type")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what went wrong this time, for people")
    field: str | None = Field(default=None, description="dotted name of the offending field")
    value: Any | None = Field(default=None, description="its value, shortened; never a secret")
    request_id: str | None = Field(
        default=None,
        description="name this when you ask for help; also in the header X-Request-Id",
    )


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """What clients see of one kind of error."""

    status: int
    name: str
    title: str


KINDS: dict[type[errors.MuvrError], ProblemKind] = {
    errors.MuvrError: ProblemKind(500, "internal", "Something went wrong on our side"),
    errors.BadInput: ProblemKind(422, "bad-input", "The request cannot be accepted as it is"),
    errors.BadChunk: ProblemKind(422, "bad-chunk", "The chunk does not follow the contract"),
    errors.BadEvent: ProblemKind(422, "bad-event", "The event contradicts itself or its session"),
    errors.BadSamples: ProblemKind(422, "bad-samples", "The samples do not decode"),
    errors.BadCursor: ProblemKind(422, "bad-cursor", "The cursor was not made by this server"),
    errors.ClockSkew: ProblemKind(422, "clock-skew", "A time lies too far from the server's clock"),
    errors.NotAcceptable: ProblemKind(406, "not-acceptable", "There is no such form of the answer"),
    errors.TooLarge: ProblemKind(413, "too-large", "The body is over its cap"),
    errors.UnsupportedMedia: ProblemKind(
        415, "unsupported-media", "This media type is not understood"
    ),
    errors.NotFound: ProblemKind(404, "not-there", "There is no such thing"),
    errors.Deleted: ProblemKind(410, "deleted", "Its owner deleted it"),
    errors.NoModel: ProblemKind(404, "no-model", "Nothing has been learned yet that could answer"),
    errors.NotComputedYet: ProblemKind(404, "not-computed-yet", "No run has produced this yet"),
    errors.AccessDenied: ProblemKind(403, "refused", "This is not allowed"),
    errors.NotAuthenticated: ProblemKind(401, "not-authenticated", "A valid token is needed"),
    errors.WrongPassword: ProblemKind(401, "wrong-password", "No such user and password"),
    errors.TokenReused: ProblemKind(
        401, "token-reused", "This refresh token was replaced long ago"
    ),
    errors.MissingScope: ProblemKind(403, "missing-scope", "The token does not cover this"),
    errors.Conflict: ProblemKind(409, "conflict", "It contradicts what is already stored"),
    errors.EventConflict: ProblemKind(
        409, "event-conflict", "The same id was sent with another payload"
    ),
    errors.MissingChunks: ProblemKind(409, "missing-chunks", "Some chunks are not here yet"),
    errors.NameTaken: ProblemKind(409, "name-taken", "Somebody else has this name"),
    errors.StaleRevision: ProblemKind(412, "stale-revision", "It was changed since you read it"),
    errors.LimitExceeded: ProblemKind(429, "over-limit", "A limit is reached"),
    errors.RequestTimedOut: ProblemKind(408, "too-slow", "The request did not arrive in time"),
    errors.Retryable: ProblemKind(503, "try-again", "The same call may go through later"),
    errors.NotReady: ProblemKind(503, "not-ready", "The service is not ready"),
    errors.ResponseTimedOut: ProblemKind(503, "took-too-long", "The answer was not ready in time"),
    errors.DatabaseUnavailable: ProblemKind(503, "database-away", "The database does not answer"),
}
CROWDED = ProblemKind(503, "crowded", "There are too many connections")
BY_STATUS = {
    400: ProblemKind(400, "bad-request", "The request is not understood"),
    404: KINDS[errors.NotFound],
    405: ProblemKind(405, "method-not-allowed", "This method is not known here"),
    422: KINDS[errors.BadInput],
    431: ProblemKind(431, "head-too-large", "The request's head is over its cap"),
    500: KINDS[errors.MuvrError],
}


def kind_of(error: errors.MuvrError) -> ProblemKind:
    """The most specific kind of an error.

    >>> kind_of(errors.ClockSkew("yesterday's year")).name
    'clock-skew'
    """
    return next(KINDS[cls] for cls in type(error).__mro__ if cls in KINDS)


def kind_of_status(status: int) -> ProblemKind:
    """The kind of an error of which only the HTTP status is known.

    >>> kind_of_status(426).name
    'upgrade-required'
    """
    phrase = HTTPStatus(status).phrase
    return BY_STATUS.get(status) or ProblemKind(status, phrase.lower().replace(" ", "-"), phrase)


def retry_after_s(error: errors.MuvrError) -> int | None:
    """Seconds until it is worth trying again; None where that changes nothing."""
    if isinstance(error, errors.LimitExceeded):
        return error.retry_after_s
    return RETRY_AFTER_S if isinstance(error, errors.Retryable) else None


def problem_response(error: errors.MuvrError, request: HTTPConnection) -> Response:
    """The response to an error of Muvr."""
    headers: dict[str, str] = {}
    wait_s = retry_after_s(error)
    if wait_s is not None:
        headers["Retry-After"] = str(wait_s)
    if isinstance(error, errors.LimitExceeded):
        headers["RateLimit"] = f'"{error.limit}";r=0;t={wait_s}'
    elif isinstance(error, errors.NotAuthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="muvr", error="invalid_token"'
    elif isinstance(error, errors.MissingScope):
        headers["WWW-Authenticate"] = 'Bearer realm="muvr", error="insufficient_scope"'
    return kind_response(request, kind_of(error), _detail(error), _members(error), headers)


def kind_response(
    request: HTTPConnection,
    kind: ProblemKind,
    detail: str,
    members: Mapping[str, object],
    headers: Mapping[str, str],
) -> Response:
    """The response for a kind of error, which the log and the metrics name as well."""
    request.scope[PROBLEM] = kind.name
    document = _document(request, kind, detail, members)
    return Response(document, kind.status, dict(headers), media_type=MEDIA_TYPE)


def _detail(error: errors.MuvrError) -> str:
    """What went wrong; of an internal error only the log may tell: addresses, queries."""
    if isinstance(error, errors.DatabaseUnavailable):
        return "Cassandra does not answer; this may have been stored. Send the same again."
    kind = kind_of(error)
    return str(error) if kind.status < 500 or isinstance(error, errors.Retryable) else kind.title


def _members(error: errors.MuvrError) -> dict[str, object]:
    """The members that the problems of some types have."""
    if isinstance(error, errors.BadInput):
        return {"field": error.field or None, "value": shown_value(error.value)}
    if isinstance(error, errors.MissingChunks):
        return {"missing": error.missing}
    if isinstance(error, errors.LimitExceeded):
        return {"limit": error.limit}
    return {}


def _document(
    connection: HTTPConnection, kind: ProblemKind, detail: str, members: Mapping[str, object]
) -> bytes:
    """A problem as JSON; members that are None are left out."""
    body: dict[str, object] = {
        "type": TYPE_PREFIX + kind.name,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
    }
    body.update({name: value for name, value in members.items() if value is not None})
    request_id = connection.scope.get(REQUEST_ID)
    if request_id:
        body["request_id"] = request_id
    # A string of the request may hold an unpaired surrogate, which cannot be encoded.
    text = json.dumps(body, default=str, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def shown_value(value: object) -> object:
    """A value of a request as JSON, shortened to be sent back."""
    if value is None or isinstance(value, bool | int):
        return value if not isinstance(value, int) or abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, bytes):
        return shown_text(value[:_MAX_BYTES_SHOWN].decode(errors="replace"))
    return shown_text(str(first_parts(value, _MAX_VALUE_CHARS)))


def shown_text(text: str) -> str:
    """Text of a request, shortened to be sent back."""
    return text if len(text) <= _MAX_VALUE_CHARS else text[:_MAX_VALUE_CHARS] + "…"


def embedded_problem(error: errors.MuvrError, connection: HTTPConnection) -> msgspec.Raw:
    """The problem of an error, as a value inside a larger JSON document."""
    return msgspec.Raw(_document(connection, kind_of(error), _detail(error), _members(error)))


def problem_members(error: errors.MuvrError, connection: HTTPConnection) -> dict[str, object]:
    """What an item of a batch or a live message says of an error: `problem`, and when to retry."""
    # It has no header fields: this member replaces Retry-After.
    wait_s = retry_after_s(error)
    wait = {} if wait_s is None else {"retry_after_s": wait_s}
    return {**wait, "problem": embedded_problem(error, connection)}


def unexpected(request: HTTPConnection) -> Response:
    """The response to an unexpected error; the log has it under the request id."""
    kind = BY_STATUS[500]
    return kind_response(request, kind, "The log has this request under its request id.", {}, {})


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of an operation for these error statuses."""
    return {
        status: {
            "description": _status_description(status),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def _status_description(status: int) -> str:
    """The phrase of a status, and the problem types that have it.

    >>> _status_description(429)
    'Too Many Requests: over-limit'
    """
    kinds = {*KINDS.values(), *BY_STATUS.values(), CROWDED}
    names = ", ".join(sorted(kind.name for kind in kinds if kind.status == status))
    return f"{HTTPStatus(status).phrase}: {names}"


def unread_problem(kind: ProblemKind, detail: str) -> bytes:
    """The document for a request that was not read, which therefore has no request id."""
    members = {"type": TYPE_PREFIX + kind.name, "title": kind.title, "status": kind.status}
    return msgspec.json.encode({**members, "detail": detail})
