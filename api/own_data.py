"""Export and erasure of all of a user's data."""

from collections.abc import AsyncIterator

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from api.dependencies import Sensor, ServicesDep
from api.scope_keys import NO_TIMEOUT
from ingest.erasure import erase_user
from ingest.export import export_user

router = APIRouter(prefix="/v1/me", tags=["accounts"])
NDJSON = "application/x-ndjson"
PART_BYTES = 2**16  # a set of hours is a line of megabytes: sent at once it would look like a pause


class ErasureResponse(BaseModel):
    """What was erased, and what remains until when."""

    deleted: dict[str, int] = Field(description="table to the number of its rows that were deleted")
    remains: dict[str, str] = Field(
        description="place to what is not gone there yet, and until when"
    )


@router.get(
    "/export",
    summary="Export my data",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One JSON object a line: `{table, row}`; bytes are base64. The last "
            "line is `{complete: true}`: without it the export was cut short. It lasts as long as "
            "the client goes on taking it.",
            "content": {NDJSON: {"schema": {"type": "string"}}},
        }
    },
)
async def export_data(caller: Sensor, services: ServicesDep) -> StreamingResponse:
    """Every row of the caller, chunks as they were sent and models included."""

    async def lines() -> AsyncIterator[bytes]:
        """The rows as JSON lines, long ones in parts; the last line marks a complete export."""
        count = 0
        async for line in export_user(services.database, caller.user_id, services.clock()):
            count += 1
            text = msgspec.json.encode(line) + b"\n"
            for start in range(0, len(text), PART_BYTES):
                yield text[start : start + PART_BYTES]
        yield msgspec.json.encode({"complete": True, "lines": count}) + b"\n"

    return StreamingResponse(lines(), media_type=NDJSON)


@router.delete("", summary="Erase my account", response_description="Erased")
async def erase_account(caller: Sensor, services: ServicesDep, request: Request) -> ErasureResponse:
    """Delete the caller and everything of them, for good.

    Finished once begun, also when the client leaves before it is answered. After a 503 the server
    finishes it by itself; a 401 then means that it began.
    """
    request.scope[NO_TIMEOUT] = True  # its logins end first: the caller could not ask again
    done = await erase_user(services.database, caller.user_id, services.clock())
    services.authenticator.forget_user(caller.user_id)
    return ErasureResponse(deleted=done.deleted, remains=done.remains)
