"""Recordings in the acquisition format of Edge Impulse: another way to send the same chunks."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api.chunks import ReceiptSchema
from api.dependencies import SENSOR_WRITE, Services, authorise, security, services_of
from api.problems import problem_responses
from api.quota import chunk_quota, store_charged_chunk
from api.raw_routes import ENCODING, RawRoute, body_of, chunk_number, parameter, session_id_of
from api.request_head import header_of
from ingest.checks import bad
from ingest.chunks import NumberedChunk
from ingest.edge_impulse import read_acquisition
from ingest.json_chunk import nanoseconds
from ingest.media_types import CBOR, JSON
from ingest.stored_chunks import refuse_other_bodies
from schemas.errors import BadChunk
from schemas.wire import SEQ_MAX, Receipt
from store.sessions import SessionRow

router = APIRouter(prefix="/v1/sessions/{session}", tags=["recording"], route_class=RawRoute)
EXAMPLE = {
    "protected": {"ver": "v1", "alg": "none", "iat": 1795255200},
    "signature": "0",
    "payload": {
        "device_type": "WATCH",
        "interval_ms": 20,
        "sensors": [{"name": f"acc{axis}", "units": "g"} for axis in "XYZ"],
        "values": [[0.01, 0.02, -1.0], [0.01, 0.03, -0.99]],
    },
}


class AcquisitionResponse(BaseModel):
    """Receipts of all chunks; their hashes are those that `complete` lists."""

    model_config = ConfigDict(extra="allow")

    receipts: list[ReceiptSchema] = Field(
        description="of each sensor that was sent, one for each of its chunks in order"
    )


@router.put(
    "/acquisitions/{seq}",
    summary="Upload an Edge Impulse acquisition",
    response_description="The samples are stored",
    responses={200: {"model": AcquisitionResponse}, **problem_responses(409, 410, 415)},
    openapi_extra={
        "security": security(SENSOR_WRITE),
        "parameters": [
            parameter("session", {"type": "string", "format": "uuid"}),
            parameter("seq", {"type": "integer", "minimum": 0, "maximum": SEQ_MAX}),
            parameter(
                "t0",
                {"type": "string", "format": "date-time"},
                "query",
                "time of the first sample; else it ends at `protected.iat`, in whole seconds",
            ),
            ENCODING,
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": {"type": "object"}, "example": EXAMPLE},
                CBOR: {"schema": {"type": "object"}},
            },
        },
    },
)
async def put_acquisition(request: Request) -> Response:
    """Store acceleration and rotation of an acquisition as chunks `seq` of the session's streams.

    A document of more samples than a chunk holds (8,192) becomes chunks `seq`, `seq` + 1, …; the
    next document's number is the last receipt's + 1. So such a document is refused (409) where
    another body is stored under one of its numbers. A refusal (4xx) stores nothing, and the daily
    quota admits all chunks or none. After a 503 some may be stored: send the same again.

    A sensor goes to the session's first stream of its kind and unit. Its axes may be called accX,
    acc_x, accel.x or ax, and likewise gyrX, gyro_x or gx, in any case.
    """
    caller = await authorise(request, SENSOR_WRITE)
    services = services_of(request)
    limits = services.config.limits
    session_id = session_id_of(request.path_params["session"])
    seq = chunk_number(request.path_params["seq"])
    session = await services.recorder.session(caller.user_id, session_id)
    t0 = request.query_params.get("t0")
    body = await body_of(request, limits)
    start_ns = nanoseconds(t0) if t0 else None
    chunks_by_kind = await asyncio.to_thread(  # a long document takes half a second
        read_acquisition, body, header_of(request, b"content-type"), start_ns, limits
    )
    chunks = [
        NumberedChunk(stream_for(session, kind, chunk.piece.unit), number, chunk)
        for kind, several in chunks_by_kind.items()
        for number, chunk in enumerate(several, start=seq)
    ]
    last = max(one.seq for one in chunks)
    if last > SEQ_MAX:
        raise bad("seq", seq, f"its chunks are numbered up to {last}, and must be up to {SEQ_MAX}")
    if last > seq:
        await refuse_other_bodies(services.records, caller.user_id, session_id, chunks)
    services.rate_limiter.take_samples(
        caller.user_id, sum(chunk_quota(one.chunk) for one in chunks)
    )
    receipts = await _stored(services, caller.user_id, session_id, chunks)
    return Response(msgspec.json.encode({"receipts": receipts}), media_type=JSON)


async def _stored(
    services: Services, user_id: UUID, session_id: UUID, chunks: Sequence[NumberedChunk]
) -> list[Receipt]:
    """The receipts of charged chunks.

    Raises:
        MuvrError: the first failure, once every chunk is stored or has failed. What failed for a
            while only (503) is not charged: it is sent again.
    """
    done = await asyncio.gather(
        *(store_charged_chunk(services, user_id, session_id, one) for one in chunks),
        return_exceptions=True,
    )
    receipts: list[Receipt] = []
    for one in done:
        if isinstance(one, BaseException):
            raise one
        receipts.append(one)
    return receipts


def stream_for(session: SessionRow, kind: str, unit: str) -> str:
    """The session's first stream of a kind and unit.

    Raises:
        BadChunk: it has none.
    """
    for name, stream in sorted(session.streams.items()):
        if (stream["kind"], stream["unit"]) == (kind, unit):
            return name
    raise BadChunk(
        f"the session has no stream of kind {kind} in {unit}; open it with one",
        field="payload.sensors",
        value=unit,
    )
