"""The caller's training week, computed per request from history or else from plans."""

import asyncio
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from api.dependencies import Predict, Services, ServicesDep
from api.fields import Exercise
from api.forecasts import log_from
from api.model_name import ModelName
from api.problems import problem_responses
from models.history import WEEK_S, SetLog
from models.week.explain import reasons, summary
from models.week.features import (
    candidates_of,
    candidates_of_plans,
    limits_of,
    limits_of_plans,
)
from models.week.fit import plan_week
from models.week.model import DAYS, AvailableExercise, WeekLimits, WeekPlan
from schemas.errors import NotComputedYet
from schemas.times import BEGINS_WITH_DATE, EARLIEST, LATEST
from schemas.zones import time_zone
from store.sets import SetRow

router = APIRouter(prefix="/v1/me", tags=["predictions"])
FAMILY = "week"
LOOKBACK_WEEKS = 8
WeekSource = Literal["history", "plans"]
WeekRequest = tuple[tuple[AvailableExercise, ...], WeekLimits]


def _in_supported_range(value: date) -> date:
    if EARLIEST.date() <= value < LATEST.date():
        return value
    raise ValueError(f"a date lies from {EARLIEST.date()} to before {LATEST.date()}")


def _only_text(value: object) -> object:
    """Require a date as text: a number would be read as seconds of the epoch."""
    if isinstance(value, str) and not BEGINS_WITH_DATE.match(value):
        raise ValueError("a date is written as 2026-11-21")
    return value


LocalDate = Annotated[date, Field(description="in the time zone of the week")]
StartsOn = Annotated[date, BeforeValidator(_only_text), AfterValidator(_in_supported_range)]


class PlannedExercise(BaseModel):
    """An exercise of a day."""

    exercise: Exercise
    sets: int = Field(description="number of sets to do")
    minutes: float = Field(description="of all its sets, with the pauses after them")
    why: str = Field(description="how rested its muscle is and how much the week wants of it")


class PlannedDay(BaseModel):
    """A day of the week."""

    date: LocalDate
    exercises: list[PlannedExercise] = Field(description="in the order of doing; empty: a free day")
    minutes: float = Field(description="of all its exercises, with the pauses")
    minutes_available: float = Field(
        description="as asked; else usual on that weekday, or enough for the longest plan"
    )


class WeekResponse(BaseModel):
    """What to train on seven days."""

    starts_on: date = Field(description="local date of the first day")
    timezone: str = Field(description="IANA name, of the newest session; UTC without any")
    days: list[PlannedDay] = Field(description="seven, by date")
    missing: dict[str, float] = Field(
        description="muscle to the wanted sets that there is no room for"
    )
    reason: str = Field(
        description="a sentence about the week, in English: its days, and what has no room"
    )
    source: WeekSource = Field(
        description="what it was made from: confirmed sets of the last weeks, else plans"
    )
    model: ModelName = Field(description="its version names what the week was made from")


@router.get(
    "/week",
    summary="Plan a week",
    response_description="The week",
    responses=problem_responses(404),
)
async def get_week(
    caller: Predict,
    services: ServicesDep,
    starts_on: Annotated[
        StartsOn | None, Query(description="local date; today, or tomorrow once you trained today")
    ] = None,
    minutes: Annotated[
        float | None, Query(ge=0, le=600, description="time on every day; as usual if left out")
    ] = None,
) -> WeekResponse:
    """A week of training: rested muscles, the usual time, what you usually train."""
    zone = await _zone(services, caller.user_id)
    today = services.clock().astimezone(zone).date()
    rows = await _recent_sets(services, caller.user_id, starts_on, today)
    zones = await _zones_of(services, caller.user_id, rows)
    log = await asyncio.to_thread(_wall_clock_log, rows, zones, zone)
    first = starts_on or _first_day(log, today)
    request, source = await _week_request(services, caller.user_id, log, first)
    if minutes is not None:
        request = request[0], _with_time(request[1], minutes)
    return await asyncio.to_thread(_answer, request, first, str(zone), source)


def _answer(request: WeekRequest, first: date, timezone: str, source: WeekSource) -> WeekResponse:
    candidates, limits = request
    plan = plan_week(candidates, limits)
    why = reasons(plan, candidates, limits)
    return WeekResponse(
        starts_on=first,
        timezone=timezone,
        days=[_day(plan, n, first, why[n], request) for n in range(DAYS)],
        missing=plan.missing,
        reason=summary(plan, candidates, limits),
        source=source,
        model=ModelName(family=FAMILY, level="user", version=week_version(request)),
    )


def _day(
    plan: WeekPlan, n: int, first: date, why: Sequence[str], request: WeekRequest
) -> PlannedDay:
    candidates, limits = request
    known = {candidate.exercise: candidate for candidate in candidates}
    exercises = [
        PlannedExercise(
            exercise=name,
            sets=limits.block_sets,
            minutes=round(known[name].set_minutes * limits.block_sets, 1),
            why=says,
        )
        for name, says in zip(plan.days[n], why, strict=True)
    ]
    return PlannedDay(
        date=first + timedelta(days=n),
        exercises=exercises,
        minutes=round(sum(exercise.minutes for exercise in exercises), 1),
        minutes_available=round(limits.minutes[n], 1),
    )


def week_version(request: WeekRequest) -> str:
    """A digest of the inputs of a week: the same digest gives the same week."""
    candidates, limits = request
    parts: list[Any] = [*candidates, limits.minutes, sorted(limits.wanted_sets.items())]
    parts += [sorted(limits.rested_days.items()), limits.most_days]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


async def _week_request(
    services: Services, user_id: UUID, log: SetLog, first: date
) -> tuple[WeekRequest, WeekSource]:
    """The inputs of the week, and their source: history or plans.

    Args:
        services: of the process.
        user_id: whose week.
        log: as `_wall_clock_log` makes it.
        first: the first day of the week.

    Raises:
        NotComputedYet: there are neither recent sets nor a plan.
    """
    first_s = _midnight_s(first)
    recent = log.before(first_s).since(first_s - LOOKBACK_WEEKS * WEEK_S)
    if len(recent):
        limits = limits_of(recent, first_s, weeks=LOOKBACK_WEEKS)
        return (candidates_of(recent), limits), "history"
    stored = await services.records.plans.of_user(user_id)
    plans = [[str(planned["exercise"]) for planned in plan.sets] for plan in stored if plan.sets]
    if not plans:
        raise NotComputedYet(
            f"You have confirmed no set in the last {LOOKBACK_WEEKS} weeks and have no plan: "
            "a week is made from either."
        )
    return (candidates_of_plans(plans), limits_of_plans(plans)), "plans"


def _with_time(limits: WeekLimits, minutes: float) -> WeekLimits:
    """The same limits with this much time on every day; the number of training days stays."""
    return replace(limits, minutes=(minutes,) * DAYS)


async def _zone(services: Services, user_id: UUID) -> ZoneInfo:
    """The time zone in which the caller trained last: that of the week."""
    newest = await services.records.sessions.page(user_id, None, 1)
    return time_zone(newest[0].timezone if newest else "UTC")


async def _recent_sets(
    services: Services, user_id: UUID, starts_on: date | None, today: date
) -> list[SetRow]:
    """The sets of the weeks before a week, and without its first day those of today too.

    With a day on either side, as no clock on a wall is further from UTC.
    """
    day = timedelta(days=1)
    begin = datetime.combine(starts_on or today, time(), UTC)
    since = begin - timedelta(weeks=LOOKBACK_WEEKS) - day
    until = begin + day if starts_on else None
    return await services.records.sets.between(user_id, since, until)


async def _zones_of(
    services: Services, user_id: UUID, rows: Sequence[SetRow]
) -> dict[UUID, ZoneInfo]:
    """The time zone of each session of these sets."""
    sessions = {row.session_id for row in rows}
    names = await services.records.sessions.timezones(user_id, sessions)
    return {session_id: time_zone(name) for session_id, name in names.items()}


def _wall_clock_log(
    rows: Iterable[SetRow], zones: Mapping[UUID, ZoneInfo], zone: ZoneInfo
) -> SetLog:
    """Sets as columns, at the times of the clock on the wall where they were done, as if UTC.

    A habit is kept by that clock: Monday at 23:10 is on Monday after a journey, and in winter and
    in summer. A session has one clock, that of its first set, so that it is as long as it was.

    Args:
        rows: in any order.
        zones: of sessions.
        zone: of the others: a session that was deleted meanwhile.
    """
    ordered, offsets = sorted(rows, key=lambda row: row.started_at), dict[UUID, timedelta]()
    for row in ordered:
        if row.session_id not in offsets:
            there = row.started_at.astimezone(zones.get(row.session_id, zone))
            offsets[row.session_id] = there.utcoffset() or timedelta()
    return log_from(
        (
            row._replace(started_at=row.started_at + offset, ended_at=row.ended_at + offset)
            for row in ordered
            for offset in (offsets[row.session_id],)
        ),
        ends=True,
    )


def _midnight_s(day: date) -> float:
    """When a day begins on the clock on the wall, as `_wall_clock_log` counts its times."""
    return datetime.combine(day, time(), UTC).timestamp()


def _first_day(log: SetLog, today: date) -> date:
    """The first day to plan: today, or tomorrow if a set was done today already."""
    return today + timedelta(days=bool(len(log.since(_midnight_s(today)))))
