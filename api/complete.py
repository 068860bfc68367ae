"""`complete`: lists the chunks of a session. Its body may be long."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from api.chunks import SCOPE
from api.dependencies import Sensor, ServicesDep, services_of
from api.problems import problem_responses
from api.quota import cost_of_bytes
from api.raw import header_of
from api.request_middleware import MAX_BODY_BYTES
from api.sessions import CompletedSession, summary
from ingest.notes import session_notes
from schemas.errors import BadSamples
from schemas.events import Completion

UNREADABLE = "samples-do-not-decode"
"""The only note of a session with such samples; to read it answers 422 `bad-samples`."""
MAX_CONCURRENT_BODIES = 2
"""Long bodies that a worker handles at the same time: that of a day of one-second chunks, both
sensors, takes 150 MB until it is stored."""
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LongBodyRoute(APIRoute):
    """A route that takes bodies of up to `limits.completion_mb`.

    The sender of a body that is longer than `limits.body_mb`, or of unknown length, is authorised
    before any of it is read. Few such bodies are handled at once; the others wait.
    """

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, after checking the length and waiting for a free slot."""
        handle = super().get_route_handler()

        async def handle_in_turn(request: Request) -> Response:
            """Handle a short body at once, a long one when it is authorised and a slot is free."""
            services = services_of(request)
            limits = services.config.limits
            length = header_of(request, b"content-length")
            if length.isdecimal() and int(length) <= limits.body_mb * 2**20:
                return await handle(request)
            caller = await services.authenticator.authenticate(header_of(request, b"authorization"))
            caller.require_scope(SCOPE)
            request.scope[MAX_BODY_BYTES] = int(limits.completion_mb * 2**20)
            slots: asyncio.Semaphore = request.app.state.long_bodies
            async with slots:
                return await handle(request)

        return handle_in_turn


router = APIRouter(prefix="/v1/sessions", tags=["recording"], route_class=LongBodyRoute)


@router.post(
    "/{session}/complete",
    summary="Complete a session",
    response_description="The listed chunks are the session",
    responses=problem_responses(409, 410),
    openapi_extra={
        "requestBody": {
            "description": "at most `limits.completion_mb` (16 MiB) in all, and of each stream "
            "119,000 hashes: 33 hours of chunks of a second"
        }
    },
)
async def complete_session(
    session: UUID, completion: Completion, caller: Sensor, services: ServicesDep
) -> CompletedSession:
    """List the hashes of all chunks, by stream and number: they define the session.

    409 names the numbers that are missing; send them, then repeat the call. A longer list extends
    the session later. Each list that is stored counts as a sample of the day for four of its bytes:
    a hash as 17. A repeat is free. Chunks that are stored but not listed go to the dead letters.
    `notes` say what is wrong with the samples: read them while you write a client.
    """
    cost_of = cost_of_bytes(services, caller.user_id)
    row = await services.recorder.complete(caller.user_id, session, completion, cost_of)
    try:
        notes = await session_notes(services.records, caller.user_id, row, services.clock())
    except BadSamples:  # the lists are stored, whether or not the samples can be judged
        notes = [UNREADABLE]
    return CompletedSession(**summary(row).model_dump(), notes=notes)
