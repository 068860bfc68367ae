"""Sessions: open, list, read, delete."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.cursors import NextPage, PageCursor, PageLimit
from api.dependencies import Sensor, ServicesDep
from api.deviations import DeviationSchema, deviation_schema
from api.disconnect import cancel_on_disconnect
from api.fields import SessionId, StartedAt, TimeZone
from api.problems import problem_responses
from api.set_schema import SetSchema, recognised_set_schema, set_schema
from ingest.replaced_predictions import not_replaced
from ingest.session_notes import session_notes
from schemas.errors import Deleted, NotFound
from schemas.events import SessionOpening, StreamKind, StreamUnit, Wrist
from schemas.notes import ONLY_OF_SETS, meanings_without
from store.deviations import deviations_month
from store.sessions import SessionRow

router = APIRouter(prefix="/v1/sessions", tags=["recording"])
CURSOR = "sessions:"


class StreamSchema(BaseModel):
    """A stream of a session, as it was declared."""

    kind: StreamKind
    unit: StreamUnit
    device: str = Field(description="what recorded it: any text, such as watch")
    placement: str = Field(description="where it was worn: any text, such as wrist")
    side: Wrist
    clock_offset_ms: int | None = Field(
        default=None,
        description="how far the server's clock is ahead of the stream's, ms; null: not known",
    )


class SessionSummary(BaseModel):
    """A session without its sets."""

    session: SessionId
    started_at: StartedAt
    ended_at: datetime | None = Field(
        description="end of its samples, on the device's clock; null until `complete` lists chunks"
    )
    timezone: TimeZone
    complete: bool = Field(description="whether `complete` listed every stream that has chunks")
    plan: UUID | None = Field(description="id of the plan that it follows; null without one")
    streams: dict[str, StreamSchema] = Field(description="by the stream's name")


SessionNotes = Annotated[
    list[str],
    Field(
        description="what was noticed, each after its stream's name (`acc: unit-was-m/s2`), by "
        f"about a minute of the samples. {meanings_without(ONLY_OF_SETS)}"
    ),
]


class CompletedSession(SessionSummary):
    """A session as `complete` left it."""

    notes: SessionNotes


class SessionResponse(SessionSummary):
    """A session with what was done in it."""

    sets: list[SetSchema] = Field(
        description="by start; once the session is complete also recognised ones, unless a "
        "confirmed one replaces them"
    )
    deviations: list[DeviationSchema] = Field(
        description="in the order of the plan, then the sets that were not planned; empty without "
        "a plan, and of confirmed sets only while the session is not complete"
    )
    notes: SessionNotes


class SessionPage(BaseModel):
    """A page of sessions, newest first."""

    sessions: list[SessionSummary] = Field(description="by id, which is by time of creation")
    cursor: NextPage


class StoredStreamSchema(BaseModel):
    """The stored chunks of a stream."""

    ranges: list[tuple[int, int]] = Field(
        description="[first, last] numbers of chunks without a gap"
    )
    several: dict[int, list[str]] = Field(
        description="numbers that hold more than one body, with the hashes; `complete` decides"
    )


class StoredChunksResponse(BaseModel):
    """The stored chunks of a session."""

    session: SessionId
    streams: dict[str, StoredStreamSchema] = Field(description="by the stream's name")


@router.put(
    "/{session}",
    summary="Open a session",
    response_description="The session is open",
    responses=problem_responses(409, 410),
)
async def open_session(
    session: UUID, opening: SessionOpening, caller: Sensor, services: ServicesDep
) -> SessionSummary:
    """Open a session, or add what another device knows of it. Repeatable.

    A stream is declared once. The earliest start counts, and the first plan and time zone that are
    named; another plan is a conflict. The answer is short: `GET` has its sets and deviations.
    """
    row = await services.recorder.open_session(caller.user_id, session, opening)
    return summary(row)


@router.get("", summary="List sessions", response_description="A page of sessions")
async def list_sessions(
    caller: Sensor,
    services: ServicesDep,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
) -> SessionPage:
    """The caller's sessions, newest first."""
    before = services.cursors.unseal_id(CURSOR, cursor)
    rows = await services.records.sessions.page(caller.user_id, before, limit + 1)
    page, next_cursor = services.cursors.page(CURSOR, rows, limit, lambda row: row.session_id)
    return SessionPage(sessions=[summary(row) for row in page], cursor=next_cursor)


@router.get(
    "/{session}",
    summary="Get a session",
    response_description="The session with its sets",
)
async def get_session(
    session: UUID, caller: Sensor, services: ServicesDep, request: Request
) -> SessionResponse:
    """The session with its sets, deviations from the plan, and notes about its data."""
    with _deleted_is_not_there(session):
        row = await services.recorder.session(caller.user_id, session)
    sets = await services.records.sets.of_session(caller.user_id, session)
    recognition = services.recogniser.recognised_sets(caller.user_id, row, services.clock())
    recognised = await cancel_on_disconnect(request, recognition)
    unconfirmed = not_replaced(recognised, sets)
    measured = await services.measurer.of_sets(caller.user_id, row, sets)
    schemas = [set_schema(row, measured.get(row.set_id)) for row in sets]
    schemas += [recognised_set_schema(prediction) for prediction in unconfirmed]
    month = deviations_month(row.started_at)
    deviations = await services.records.deviations.of_session(caller.user_id, month, session)
    return SessionResponse(
        **summary(row).model_dump(),
        sets=sorted(schemas, key=lambda schema: schema.started_at),
        deviations=[deviation_schema(deviation) for deviation in deviations],
        notes=await session_notes(services.records, caller.user_id, row, services.clock()),
    )


@router.get(
    "/{session}/chunks",
    summary="List stored chunks",
    response_description="The numbers of the stored chunks",
)
async def list_chunks(session: UUID, caller: Sensor, services: ServicesDep) -> StoredChunksResponse:
    """Ranges of chunk numbers per stream, and the numbers that hold more than one body."""
    with _deleted_is_not_there(session):
        streams = await services.recorder.stored_chunk_numbers(caller.user_id, session)
    return StoredChunksResponse.model_validate(
        {
            "session": session,
            "streams": {
                name: {"ranges": numbers.ranges, "several": numbers.several}
                for name, numbers in streams.items()
            },
        }
    )


@router.delete(
    "/{session}", status_code=204, summary="Delete a session", response_description="Deleted"
)
async def delete_session(session: UUID, caller: Sensor, services: ServicesDep) -> Response:
    """Delete a session with its chunks, sets and answers, for good; its id is not used again."""
    await services.recorder.delete_session(caller.user_id, session)
    services.recogniser.forget(caller.user_id, session)
    return Response(status_code=204)


@contextmanager
def _deleted_is_not_there(session: UUID) -> Generator[None]:
    """Answers readers of a deleted session 404; writers are told 410, so that queues drop it."""
    try:
        yield
    except Deleted as error:
        raise NotFound(f"There is no session {session}.") from error


def summary(row: SessionRow) -> SessionSummary:
    """A session as clients see it."""
    return SessionSummary(
        session=row.session_id,
        started_at=row.started_at,
        ended_at=row.ended_at,
        timezone=row.timezone,
        complete=row.complete,
        plan=row.plan_id,
        streams={
            name: StreamSchema.model_validate(
                {**stream, "clock_offset_ms": row.clock_offset_ms.get(name)}
            )
            for name, stream in row.streams.items()
        },
    )
