"""Errors that reach the framework, answered as problems."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from api.problems import (
    CLIENT_CLOSED_REQUEST,
    KINDS,
    METHODS,
    kind_of_status,
    kind_response,
    problem_response,
    shown_text,
    shown_value,
    unexpected,
)
from api.request_head import has_body
from api.scope_keys import HEADERS
from ingest.media_types import JSON, media_type_of
from schemas import errors
from schemas.bounds import TOO_MANY_KEYS

_NOT_AN_OBJECT_TYPES = frozenset({"missing", "dict_type", "model_type", "model_attributes_type"})
_NOT_AN_OBJECT = "body: send one JSON object, with the header Content-Type: application/json"
_FORM, _FORM_IN_PARTS = "application/x-www-form-urlencoded", "multipart/form-data"
MAX_PROBLEMS = 20
"""Errors of a body that its answer lists."""
_SUFFIXED_JSON = re.compile(r"^application/[\w.-]+\+json\b", re.ASCII | re.IGNORECASE)
"""Such as application/merge-patch+json, which the framework reads as JSON."""


def register(app: FastAPI) -> None:
    """Install the handlers that answer every error of an application as a problem."""
    app.add_exception_handler(errors.MuvrError, _on_muvr_error)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)
    app.add_exception_handler(Exception, _on_unexpected)  # the middleware reports it as well


async def _on_muvr_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, errors.MuvrError):
        raise error
    return problem_response(error, request)


async def _on_disconnect(request: Request, error: Exception) -> Response:  # as Starlette calls it
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _on_unexpected(request: Request, error: Exception) -> Response:  # as Starlette calls it
    return unexpected(request)


async def _on_validation(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = error.errors()
    in_body = any(item["loc"][0] == "body" for item in problems)
    if in_body and (unsupported := _unsupported_media(request)):
        return problem_response(unsupported, request)
    first: Mapping[str, Any] = problems[0]
    if first["type"] == "json_invalid":  # the framework reports the position as a field
        detail = f"body: no JSON at character {first['loc'][-1]}: {first['ctx']['error']}"
        return problem_response(errors.BadInput(detail, field="body"), request)
    loc = [str(part) for part in first["loc"]]
    if loc == ["body"] and first["type"] in _NOT_AN_OBJECT_TYPES:  # it may hold a password
        return problem_response(errors.BadInput(_NOT_AN_OBJECT, field="body"), request)
    field = _field(loc[1:] if loc[0] in ("body", "query", "path", "header") else loc)
    members: dict[str, object] = {"field": field or loc[0], "value": _offending_value(field, first)}
    if len(problems) > 1:
        members["problems"] = [
            {"field": _field(one["loc"][1:]), "detail": one["msg"]}
            for one in problems[:MAX_PROBLEMS]
        ]
    detail = f"{field or loc[0]}: {first['msg']}"
    return kind_response(request, KINDS[errors.BadInput], detail, members, {})


def _unsupported_media(request: Request) -> errors.UnsupportedMedia | None:
    """Why the framework could not read a body, if that is due to its headers.

    It takes a body of an unknown type for a string, or for an empty form.
    """
    if not has_body(request.scope[HEADERS]):
        return None
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        return errors.UnsupportedMedia(
            f"Content-Encoding {encoding!r} is not known here; send the body without one",
            field="Content-Encoding",
            value=encoding,
        )
    header = request.headers.get("content-type", "")
    operation = request.app.openapi()["paths"][request.scope["route"].path][request.method.lower()]
    known = [*operation["requestBody"]["content"]]
    if _FORM in known:
        known.append(_FORM_IN_PARTS)  # the framework reads it as well
    try:
        media_type_of(_SUFFIXED_JSON.sub(JSON, header), tuple(known))
    except errors.UnsupportedMedia as error:
        return error
    return None


def _allowed_methods(request: Request, of_route: str) -> list[str]:
    """The methods of a path: those that the OpenAPI document has, or of a page its route's.

    Args:
        request: with another method.
        of_route: as the framework names them, which is of the path's first route only.
    """
    segments = request.url.path.split("/")
    methods = set(of_route.split(", "))
    for path, item in request.app.openapi()["paths"].items():
        parts = path.split("/")
        if len(parts) == len(segments) and all(
            part.startswith("{") or part == word for part, word in zip(parts, segments, strict=True)
        ):
            methods.update(method.upper() for method in item if method in METHODS)
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods)


def _field(path: Sequence[object]) -> str:
    """The dotted name of a field, shortened: a key of the client may be of any length."""
    return shown_text(".".join(str(part) for part in path))


def _offending_value(field: str, error: Mapping[str, Any]) -> object:
    """The offending value to be sent back; None if it may be a secret.

    None also for a missing field, for which the framework gives the whole body as the value. Of an
    object with too many keys it is one of these.
    """
    if error["type"] == TOO_MANY_KEYS:
        return shown_value(error["ctx"]["key"])
    secret = any(word in field for word in ("password", "token"))
    return None if secret or error["type"] == "missing" else shown_value(error.get("input"))


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error.__cause__, errors.MuvrError):  # raised while the body was being read
        return problem_response(error.__cause__, request)
    if isinstance(error.__cause__, ClientDisconnect):
        return await _on_disconnect(request, error.__cause__)
    if error.status_code == 400:  # a body that the framework could not decode
        if unsupported := _unsupported_media(request):
            return problem_response(unsupported, request)
        return problem_response(errors.BadInput(str(error.detail), field="body"), request)
    kind = kind_of_status(error.status_code)
    headers = dict(error.headers or {})
    if kind.status == 405:
        headers["Allow"] = ", ".join(_allowed_methods(request, headers.get("Allow", "")))
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return kind_response(request, kind, detail[:300], {}, headers)
