"""Recordings in the acquisition format of Edge Impulse: another way to send the same chunks."""

import asyncio

import msgspec
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from api.chunks import SCOPE, ReceiptSchema, chunk_number, session_id_of
from api.dependencies import authorise, security, services_of
from api.problems import problem_responses
from api.quota import chunk_quota, store_charged_chunk
from api.raw import RawRoute, parameter
from ingest.bodies import decode_body
from ingest.edge_impulse import read_acquisition
from ingest.json_chunk import nanoseconds
from ingest.media_types import CBOR, JSON
from schemas.errors import BadChunk
from schemas.wire import SEQ_MAX
from store.sessions import SessionRow

router = APIRouter(prefix="/v1/sessions/{session}", tags=["recording"], route_class=RawRoute)
EXAMPLE = {
    "protected": {"ver": "v1", "alg": "none", "iat": 1795255200},
    "signature": "0",
    "payload": {
        "device_type": "WATCH",
        "interval_ms": 20,
        "sensors": [{"name": f"acc{axis}", "units": "g"} for axis in "XYZ"],
        "values": [[0.01, 0.02, 1.0], [0.01, 0.03, 0.99]],
    },
}


class AcquisitionResponse(BaseModel):
    """A receipt for each sensor; their hashes are those that `complete` lists."""

    model_config = ConfigDict(extra="allow")

    receipts: list[ReceiptSchema] = Field(description="one for each sensor that was sent")


@router.put(
    "/acquisitions/{seq}",
    summary="Upload an Edge Impulse acquisition",
    response_description="The samples are stored",
    responses={200: {"model": AcquisitionResponse}, **problem_responses(410, 415)},
    openapi_extra={
        "security": security(SCOPE),
        "parameters": [
            parameter("session", {"type": "string", "format": "uuid"}),
            parameter("seq", {"type": "integer", "minimum": 0, "maximum": SEQ_MAX}),
            parameter(
                "t0",
                {"type": "string", "format": "date-time"},
                "query",
                "time of the first sample; else it ends at `protected.iat`",
            ),
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

    A sensor goes to the session's first stream of its kind and unit.
    """
    caller = await authorise(request, SCOPE)
    services = services_of(request)
    limits, headers = services.config.limits, request.headers
    session_id = session_id_of(request.path_params["session"])
    seq = chunk_number(request.path_params["seq"])
    session = await services.recorder.session(caller.user_id, session_id)
    t0 = request.query_params.get("t0")
    body = decode_body(await request.body(), headers.get("content-encoding"), limits)
    chunks_by_kind = read_acquisition(
        body, headers.get("content-type", ""), nanoseconds(t0) if t0 else None, limits
    )
    chunks = [
        (stream_for(session, kind, chunk.piece.unit), chunk)
        for kind, chunk in chunks_by_kind.items()
    ]
    services.rate_limiter.take_samples(
        caller.user_id, sum(chunk_quota(chunk) for _, chunk in chunks)
    )
    receipts = await asyncio.gather(
        *(
            store_charged_chunk(services, caller.user_id, session_id, stream, seq, chunk)
            for stream, chunk in chunks
        )
    )
    return Response(msgspec.json.encode({"receipts": receipts}), media_type=JSON)


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
