"""Deviations of the caller from their plans, by month and by session."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.batch_results import BatchModel
from api.dependencies import Predict, ServicesDep
from schemas.layout import month_of
from store.deviations import DeviationRow

router = APIRouter(prefix="/v1/me", tags=["predictions"])
MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"


class DeviationSchema(BaseModel):
    """Where a set was not done as planned."""

    set: UUID | None
    kinds: list[str]
    planned: dict[str, Any] | None
    actual: dict[str, Any] | None
    source: str
    confidence: float | None


class DeviationEntry(BaseModel):
    """One planned set or unplanned done set."""

    session: UUID
    set: UUID | None
    kinds: list[str] = Field(
        description="as_planned, reps, weight, intensity, order, missed, extra"
    )
    planned: dict[str, Any] | None
    actual: dict[str, Any] | None
    started_at_utc: datetime | None
    timezone: str | None
    local_hour: int | None
    local_date: date | None
    source: str | None
    confidence: float | None


class DeviationResponse(BaseModel):
    """The caller's deviations of a month; they follow each session, so they are never stale."""

    month: str
    as_of: datetime
    stale: bool = False
    model: BatchModel | None = None
    deviations: list[DeviationEntry]


@router.get("/deviations", summary="List deviations from the plan")
async def list_deviations(
    caller: Predict,
    services: ServicesDep,
    month: Annotated[str | None, Query(pattern=MONTH, description="UTC; this one if left out")] = (
        None
    ),
) -> DeviationResponse:
    """Where the caller did not do as planned, in one month."""
    now = services.clock()
    month = month or month_of(now.date())
    rows = await services.records.deviations.of_month(caller.user_id, month)
    return DeviationResponse(month=month, as_of=now, deviations=[deviation_entry(r) for r in rows])


def deviation_entry(row: DeviationRow) -> DeviationEntry:
    """A deviation as clients see it."""
    return DeviationEntry(
        session=row.session_id,
        set=row.set_id,
        kinds=sorted(row.kinds),
        planned=_side(row, "planned"),
        actual=_side(row, "actual"),
        started_at_utc=row.started_at_utc,
        timezone=row.timezone,
        local_hour=row.local_hour,
        local_date=row.local_date,
        source=row.source,
        confidence=row.confidence,
    )


def deviation_schema(row: DeviationRow) -> DeviationSchema:
    """A deviation of a session as clients see it."""
    entry = deviation_entry(row)
    return DeviationSchema(
        set=entry.set,
        kinds=entry.kinds,
        planned=entry.planned,
        actual=entry.actual,
        source=entry.source or "confirmed",
        confidence=entry.confidence,
    )


def _side(row: DeviationRow, side: str) -> dict[str, Any] | None:
    if getattr(row, f"{side}_exercise") is None:
        return None
    return {
        name: getattr(row, f"{side}_{name}")
        for name in ("exercise", "reps", "weight_kg", "intensity")
    }
