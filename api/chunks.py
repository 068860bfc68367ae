"""Chunks in, receipts out: one at a time, and many in a body."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from api.chunk_items import MAX_ITEMS, BadItem, Item, decoded, items_in
from api.dependencies import SENSOR_WRITE, Services, authorise, security, services_of
from api.fields import SessionId
from api.problems import kind_of, problem_members, problem_responses
from api.quota import store_chunk
from api.raw_routes import ENCODING, RawRoute, body_of, chunk_number, parameter, session_id_of
from api.request_head import header_of
from api.scope_keys import RATE_LIMIT
from ingest.chunks import NumberedChunk, decode_chunk
from ingest.media_types import CBOR, CBOR_SEQUENCE, JSON, media_type_of
from schemas.errors import LimitExceeded, MuvrError, Retryable
from schemas.wire import SEQ_MAX

CHUNKS_AT_ONCE = 32  # of a body, being stored
router = APIRouter(prefix="/v1/sessions/{session}", tags=["recording"], route_class=RawRoute)


class ReceiptSchema(BaseModel):
    """These bytes are durable: they would survive a crash and a power cut."""

    session: SessionId
    stream: str = Field(description="name of its stream")
    seq: int = Field(description="number of the chunk in its stream, from 0")
    samples: int = Field(description="number of samples in the chunk")
    sha256: str = Field(
        pattern="^[0-9a-f]{64}$", description="of the body without its encoding, in hex"
    )
    quantum: float | None = Field(
        default=None,
        description="of JSON and of acquisitions: the step that values were rounded to, in the "
        "unit",
    )


class RefusedChunk(BaseModel):
    """A chunk of a batch that was not stored, and why."""

    stream: str | None = Field(description="as sent; null where the item does not tell")
    seq: int | None = Field(description="as sent; null where the item does not tell")
    problem: dict[str, Any] = Field(description="a `Problem`, as the upload of one chunk has it")
    retry_after_s: int | None = Field(
        default=None, description="with 429 and 503: seconds to wait before it is sent again"
    )


class BatchResponse(BaseModel):
    """What became of the chunks of a body."""

    results: list[ReceiptSchema | RefusedChunk] = Field(
        description="one for each item, in order; where CBOR is broken, one problem for the rest"
    )


_SESSION = parameter("session", {"type": "string", "format": "uuid"})
_CHUNK = {"schema": {"$ref": "#/components/schemas/ChunkSchema"}}


@router.put(
    "/streams/{stream}/chunks/{seq}",
    summary="Upload a chunk",
    response_description="The chunk is stored",
    responses={200: {"model": ReceiptSchema}, **problem_responses(410, 415)},
    openapi_extra={
        "security": security(SENSOR_WRITE),
        "parameters": [
            _SESSION,
            parameter("stream", {"type": "string"}),
            parameter("seq", {"type": "integer", "minimum": 0, "maximum": SEQ_MAX}),
            ENCODING,
        ],
        "requestBody": {"required": True, "content": {CBOR: _CHUNK, JSON: _CHUNK}},
    },
)
async def put_chunk(request: Request) -> Response:
    """Store one chunk, however often it is sent; answered when its bytes are durable.

    Another body under the same number is stored as well; `complete` decides between them. A chunk
    of fewer than 16 samples counts as 16 of the daily quota.
    """
    caller = await authorise(request, SENSOR_WRITE)
    services = services_of(request)
    limits = services.config.limits
    path = request.path_params
    session_id, seq = session_id_of(path["session"]), chunk_number(path["seq"])
    body = await body_of(request, limits)
    chunk = decode_chunk(body, header_of(request, b"content-type"), limits)
    numbered = NumberedChunk(path["stream"], seq, chunk)
    receipt = await store_chunk(services, caller.user_id, session_id, numbered)
    return Response(msgspec.json.encode(receipt), media_type=JSON)


@router.post(
    "/chunks",
    summary="Upload several chunks",
    response_description="A receipt or a problem for each chunk",
    responses={200: {"model": BatchResponse}, **problem_responses(410, 415)},
    openapi_extra={
        "security": security(SENSOR_WRITE),
        "parameters": [_SESSION, ENCODING],
        "requestBody": {
            "required": True,
            "description": f"at most {MAX_ITEMS} items",
            "content": {
                CBOR_SEQUENCE: {"schema": {"type": "string", "format": "binary"}},
                CBOR: {"schema": {"type": "string", "format": "binary"}},
            },
        },
    },
)
async def post_chunks(request: Request) -> Response:
    """Store the chunks of a CBOR sequence of `{stream, seq, chunk}`, `chunk` being its bytes.

    Each item has its own receipt or problem; one that is refused does not hold up the others. Each
    that is refused counts as one more request; over the limit the rest is not looked at (429 each).
    A body of too many is refused as a whole.
    """
    caller = await authorise(request, SENSOR_WRITE)
    services = services_of(request)
    session_id = session_id_of(request.path_params["session"])
    media_type_of(header_of(request, b"content-type"), (CBOR_SEQUENCE, CBOR))  # refuses others
    await services.recorder.session(caller.user_id, session_id)  # one 404 instead of many
    body = await body_of(request, services.config.limits)
    upload = _Upload(request, services, caller.user_id, session_id)
    items = list(items_in(body))  # all are parsed before the first is stored
    results = await asyncio.gather(*(upload.store(item) for item in items))
    return Response(msgspec.json.encode({"results": results}), media_type=JSON)


class _Upload:
    """Stores the chunks of one body."""

    def __init__(
        self, request: Request, services: Services, user_id: UUID, session_id: UUID
    ) -> None:
        self._request, self._services = request, services
        self._user_id, self._session_id = user_id, session_id
        self._semaphore = asyncio.Semaphore(CHUNKS_AT_ONCE)
        self._over: LimitExceeded | None = None

    async def store(self, item: Item | BadItem) -> object:
        """The receipt of an item, or its problem."""
        async with self._semaphore:
            if self._over is not None:  # since an earlier item: this one is not looked at
                return await self._refusal(item, self._over)
            try:
                numbered = decoded(item, self._services.config.limits)
                where = (self._user_id, self._session_id)
                return await store_chunk(self._services, *where, numbered)
            except Retryable as error:  # no fault of the client
                return await self._refusal(item, error)
            except MuvrError as error:
                return await self._refusal(item, self._counted(error))

    def _counted(self, error: MuvrError) -> MuvrError:
        """Count a refused item as a request of its own; returns the item's error.

        A body of 4,096 bad items must not pass as one request. Over the limit the error is
        `LimitExceeded`, for this item and for all that follow.
        """
        try:
            self._request.scope[RATE_LIMIT] = self._services.rate_limiter.take_request(
                self._user_id
            )
        except LimitExceeded as over:
            self._over = over
            return over
        return error

    async def _refusal(self, item: Item | BadItem, error: MuvrError) -> object:
        await asyncio.sleep(0)  # lets other requests run in between
        self._services.metrics.count_problem(kind_of(error).name)
        return {"stream": item.stream, "seq": item.seq, **problem_members(error, self._request)}
