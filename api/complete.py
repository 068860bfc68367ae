"""`complete`: lists the chunks of a session. Its body may be long."""

from uuid import UUID

from fastapi import APIRouter

from api.dependencies import Sensor, ServicesDep
from api.long_bodies import LongBodyRoute
from api.problems import problem_responses
from api.quota import cost_of_bytes
from api.sessions import CompletedSession, summary
from ingest.session_notes import session_notes
from schemas.errors import BadSamples
from schemas.events import Completion
from schemas.notes import UNREADABLE

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

    409 `missing-chunks` names the numbers that are missing; send them, then repeat the call. A
    longer list extends the session later, but what a list has said of a number is final, null
    included: another hash there is a 409 `event-conflict`. So list null only for what is lost for
    good. The answer has `complete: false` as long as a stream with chunks has no list.

    Each list that is stored counts as a sample of the day for four of its bytes: a hash as 17. A
    repeat is free. Chunks that are stored but not listed go to the dead letters. `notes` say what
    is wrong with the samples: read them while you write a client. The answer is short: `GET` has
    its sets and deviations.
    """
    cost_of = cost_of_bytes(services, caller.user_id)
    row = await services.recorder.complete(caller.user_id, session, completion, cost_of)
    try:
        notes = await session_notes(services.records, caller.user_id, row, services.clock())
    except BadSamples:  # the lists are stored, whether or not the samples can be judged
        notes = [UNREADABLE]
    return CompletedSession(**summary(row).model_dump(), notes=notes)
