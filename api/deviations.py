"""Deviations of the caller from their plans, by month and by session."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.batch_results import BatchModel
from api.dependencies import Predict, ServicesDep
from api.fields import SessionId, SetSource
from api.problems import problem_responses
from models.deviations.model import DEFAULT_TOLERANCES, DeviationKind
from schemas.errors import NotComputedYet
from schemas.layout import month_of
from store.deviations import DeviationRow

router = APIRouter(prefix="/v1/me", tags=["predictions"])
MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"


DoneSet = Annotated[UUID | None, Field(description="id of the done set; null: missed")]
Kinds = Annotated[
    list[DeviationKind],
    Field(
        description="what differs from the plan: `reps` by any number, `weight` by more than "
        f"{DEFAULT_TOLERANCES.weight_kg:g} kg, `intensity` by more than "
        f"{DEFAULT_TOLERANCES.intensity:g}; as_planned, missed and extra stand alone"
    ),
]
Planned = Annotated[
    dict[str, Any] | None,
    Field(description="exercise, reps, weight_kg and intensity of the plan; null: an extra set"),
]
Actual = Annotated[
    dict[str, Any] | None, Field(description="the same of the done set; null: missed")
]
DoneSource = Annotated[SetSource | None, Field(description="who says what was done; null: missed")]
Confidence = Annotated[
    float | None,
    Field(description="probability of the recognised exercise, 0 to 1; null: confirmed or missed"),
]


class DeviationSchema(BaseModel):
    """A planned set of a session with the set that was done, or either of them alone."""

    set: DoneSet
    kinds: Kinds
    planned: Planned
    actual: Actual
    source: DoneSource
    confidence: Confidence


class DeviationEntry(BaseModel):
    """A planned set with the set that was done, or either of them alone, and where and when."""

    session: SessionId
    set: DoneSet
    kinds: Kinds
    planned: Planned
    actual: Actual
    started_at_utc: datetime = Field(
        description="start of the done set, of the session where missed; UTC, device's clock"
    )
    timezone: str = Field(description="IANA name, of the session")
    local_hour: int = Field(description="hour of the start there, 0 to 23")
    local_date: date = Field(description="date of the start there")
    source: DoneSource
    confidence: Confidence


class DeviationResponse(BaseModel):
    """What the caller planned and did in the sessions of a month."""

    month: str = Field(description="such as 2026-11, UTC; a session is of the month of its start")
    as_of: datetime = Field(description="time of the request, UTC")
    stale: bool = Field(default=False, description="always false: they follow each session")
    model: BatchModel | None = Field(default=None, description="always null: no run computes them")
    deviations: list[DeviationEntry] = Field(
        description="by session, the oldest first; in each the planned sets in order, then the "
        "extra ones"
    )


@router.get(
    "/deviations",
    summary="List deviations from the plan",
    response_description="The deviations of the month",
    responses=problem_responses(404),
)
async def list_deviations(
    caller: Predict,
    services: ServicesDep,
    month: Annotated[str | None, Query(pattern=MONTH, description="UTC; this one if left out")] = (
        None
    ),
) -> DeviationResponse:
    """Where the caller did not do as planned, in one month. Empty where no session follows a plan.

    404 `not-computed-yet` as long as the caller has no session at all.
    """
    now = services.clock()
    month = month or month_of(now.date())
    rows = await services.records.deviations.of_month(caller.user_id, month)
    if not rows and not await services.records.sessions.page(caller.user_id, None, 1):
        raise NotComputedYet("There is no session yet to compare with a plan: open one.")
    return DeviationResponse(month=month, as_of=now, deviations=[deviation_entry(r) for r in rows])


def deviation_entry(row: DeviationRow) -> DeviationEntry:
    """A deviation as clients see it."""
    return DeviationEntry.model_validate(_members(row))


def deviation_schema(row: DeviationRow) -> DeviationSchema:
    """A deviation of a session as clients see it."""
    return DeviationSchema.model_validate(_members(row))


def _members(row: DeviationRow) -> dict[str, Any]:
    return {
        "session": row.session_id,
        "set": row.set_id,
        "kinds": sorted(row.kinds),
        "planned": _side(row, "planned"),
        "actual": _side(row, "actual"),
        "started_at_utc": row.started_at_utc,
        "timezone": row.timezone,
        "local_hour": row.local_hour,
        "local_date": row.local_date,
        "source": row.source,
        "confidence": row.confidence,
    }


def _side(row: DeviationRow, side: str) -> dict[str, Any] | None:
    if getattr(row, f"{side}_exercise") is None:
        return None
    return {
        name: getattr(row, f"{side}_{name}")
        for name in ("exercise", "reps", "weight_kg", "intensity")
    }
