"""The OpenAPI document; responses that all operations share are added here."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field

from api.examples import CBOR_CHUNK, CBOR_CLASSIFY_BODY, CBOR_ITEMS, CHUNK, CLASSIFY_BODY
from api.problems import MEDIA_TYPE, METHODS, Problem, problem_responses
from ingest.checks import COARSEST_STEPS
from ingest.media_types import CBOR, CBOR_SEQUENCE, JSON
from schemas.layout import MAX_CHUNK_SAMPLES
from schemas.notes import TIMES_OUTSIDE
from schemas.wire import MAX_MAGNITUDE

_ABOUT = """Recordings in, one model per user, answers out.

Register with `POST /v1/auth/register`, then use **Authorize** with the same name and password.
Every error is a problem (RFC 9457) with a stable `type`. After a 503 a request may have been
stored or not: send the same again after `Retry-After` seconds. If a registration then says that the
name is taken, it was stored: log in.

Lists come in pages of `limit` rows: send the `cursor` of an answer to get the page after it; on
the last page it is null.
"""


_LARGEST = ", ".join(f"±{largest:g} {unit}" for unit, largest in MAX_MAGNITUDE.items())
_COARSEST = ", ".join(
    f"{largest / COARSEST_STEPS:g} {unit}" for unit, largest in MAX_MAGNITUDE.items()
)

Axis = Annotated[
    list[float],
    Field(
        min_length=1,
        max_length=MAX_CHUNK_SAMPLES,
        description=f"in `unit`, within {_LARGEST}; x, y and z are equally long",
    ),
]


_T_MS = (
    "for irregular devices: ms of each sample after `t0`, as many as samples, none less than the "
    "one before it"
)
_Offsets = list[Annotated[int, Field(ge=0, le=2**31 - 1)]]


class EitherChunk(BaseModel):
    """The fields of a chunk in either form."""

    rate_hz: float = Field(ge=1, le=1000, description="samples a second, as the device claims")
    unit: str = Field(
        pattern="^(g|m/s2|rad/s|deg/s)$",
        description="of the samples; as the stream declares it. For mg, mdps and mrad/s send the "
        "unit g, deg/s or rad/s, and values (of CBOR: the `scale`) × 0.001",
    )


class ChunkSchema(EitherChunk):
    """One chunk as JSON. A stored one takes at most 256 bytes a sample, and 4 KiB around them."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": CHUNK})

    v: int = Field(default=1, ge=1, le=1, description="version of the format")
    t0: str = Field(description="RFC 3339 time of the first sample, with an offset")
    x: Axis
    y: Axis
    z: Axis
    t_ms: _Offsets | None = Field(default=None, description=_T_MS)


class CborChunkSchema(EitherChunk):
    """One chunk as CBOR; byte strings stand in base64 in this document."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": CBOR_CHUNK})

    v: int = Field(ge=1, le=1, description="version of the format")
    t0: int = Field(
        description="time of the first sample, nanoseconds since 1970: not since the device "
        "started, as those of Android's SensorEvent and of CoreMotion, nor milli- or microseconds. "
        f"All are stored; the session then notes `{TIMES_OUTSIDE}`"
    )
    scale: float = Field(
        gt=0,
        description=f"units per count: the sensor's step, of at most {_COARSEST}. "
        f"Counts × scale lie within {_LARGEST}",
    )
    n: int = Field(ge=1, le=MAX_CHUNK_SAMPLES, description="number of samples")
    xyz: bytes = Field(description="int16 little-endian, interleaved x, y, z: 6 n bytes")
    # A factory, because a default would stand in the document: left out is no empty list.
    t_ms: _Offsets = Field(default_factory=list[int], description=f"{_T_MS}; never null")


class StreamsSchema(BaseModel):
    """Several streams of one wrist, to be classified together."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": CLASSIFY_BODY})

    streams: dict[str, ChunkSchema | list[ChunkSchema]] = Field(
        description="by any name, one chunk or several; acceleration is needed, rotation is of use"
    )
    side: str | None = Field(
        default=None, pattern="^(left|right)$", description="the wrist; if left out both are tried"
    )


def document(app: FastAPI) -> dict[str, Any]:
    """The document of an application; made once."""
    if app.openapi_schema:
        return app.openapi_schema
    whole = get_openapi(
        title="Muvr", version=app.version, description=_ABOUT, routes=app.routes, tags=_TAGS
    )
    schemas = whole.setdefault("components", {}).setdefault("schemas", {})
    for model in (Problem, ChunkSchema, CborChunkSchema, StreamsSchema):
        schemas[model.__name__] = model.model_json_schema(
            ref_template="#/components/schemas/{model}"
        )
    form = schemas["Body_log_in"]
    form["description"] = "A log-in with a password (OAuth2 password form)."
    for name, description in _LOGIN_FORM.items():
        form["properties"][name]["description"] = description
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for path, item in whole["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                _describe_parameters(operation)
                _add_shared_responses(path, operation)
                _complete_cbor(path, operation)
    app.openapi_schema = whole
    return whole


def _describe_parameters(operation: dict[str, Any]) -> None:
    """Describe the parameters whose route does not."""
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in _PARAMETERS:
            parameter.setdefault("description", _PARAMETERS[parameter["name"]])


def _add_shared_responses(path: str, operation: dict[str, Any]) -> None:
    """Add the responses that every operation of this kind can have."""
    statuses = [400, 431, 500, 503]
    if path.startswith("/v1"):
        statuses += [429]
    if operation.get("security"):
        statuses += [401, 403]
    if "{" in path:
        statuses += [404]
    if operation.get("parameters") or "requestBody" in operation:
        statuses += [422]
    if "requestBody" in operation:
        statuses += [408, 413, 415]
    responses = operation.setdefault("responses", {})
    for status, response in problem_responses(*statuses).items():
        key = str(status)
        if key not in responses or _is_default_validation(responses[key]):
            responses[key] = response
    operation["responses"] = dict(sorted(responses.items()))
    for key in ("429", "503"):
        if key in responses:
            responses[key] = {**responses[key], "headers": _RETRY_AFTER}


def _complete_cbor(path: str, operation: dict[str, Any]) -> None:
    """Describe the CBOR bodies: their schema differs from that of JSON."""
    content = operation.get("requestBody", {}).get("content", {})
    for media in (CBOR, CBOR_SEQUENCE):
        if media in content:
            example = content.get(JSON, {}).get("example")
            content[media] |= _IN_CBOR.get(path) or {"example": example}


def _is_default_validation(response: Mapping[str, Any]) -> bool:
    return MEDIA_TYPE not in response.get("content", {}) and "HTTPValidationError" in str(response)


_A_CHUNK = {"$ref": "#/components/schemas/CborChunkSchema"}
_IN_CBOR: Mapping[str, dict[str, Any]] = {
    "/v1/sessions/{session}/streams/{stream}/chunks/{seq}": {"schema": _A_CHUNK},
    "/v1/sessions/{session}/chunks": {"example": CBOR_ITEMS},
    "/v1/classify": {
        "schema": {"anyOf": [_A_CHUNK, {"type": "object", "required": ["streams"]}]},
        "examples": {
            "chunk": {"value": CBOR_CHUNK},
            "both sensors": {"value": CBOR_CLASSIFY_BODY},
        },
    },
}
"""Where a body in CBOR has another schema than in JSON, or needs an example: path to media type."""

_PARAMETERS = {
    "session": "id of the session: a UUIDv7 that the client made",
    "stream": "name of a stream that the session declares",
    "seq": "number of the chunk in its stream, from 0",
    "set": "id of the set: a UUIDv7 that the client made",
    "plan": "id of the plan: a UUIDv7 that the client made",
    "user": "id of the user to follow",
    "family": "family of models, such as `exercise`",
    "run": "id of the run",
    "limit": "rows of a page at most",
    "reps": "repetitions to be done; as usual if left out",
    "weight_kg": "weight to be used; as usual if left out",
    "Content-Encoding": "how the body is compressed; not at all if left out",
    "if-none-match": "ETags of the models that the client has",
}
"""Descriptions of the parameters whose routes give none."""

_LOGIN_FORM = {
    "grant_type": "`password`; may be left out",
    "username": "as registered; case does not count",
    "password": "as registered",
    "scope": "scopes to ask for, with a blank in between; left out: all that the user has",
    "client_id": "not used: clients are not registered",
    "client_secret": "not used",
}
"""Descriptions of the fields of the form, which is the framework's."""

_RETRY_AFTER = {
    "Retry-After": {"schema": {"type": "integer"}, "description": "seconds to wait at least"}
}
_TAGS = [
    {"name": "accounts", "description": "registration, tokens, export and erasure"},
    {"name": "recording", "description": "sessions, chunks, confirmed sets"},
    {"name": "predictions", "description": "classification, forecasts, results of batch jobs"},
    {"name": "models", "description": "models for the phone"},
    {"name": "plans", "description": "what a user intends to do"},
    {"name": "follows", "description": "which users a user follows"},
    {"name": "operations", "description": "health, metrics and job runs"},
]
