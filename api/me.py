"""What is known of the caller: results of the batch jobs, each with its time and its run."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, NoReturn
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.dependencies import Predict, Services, ServicesHere
from api.problems import described
from schemas.errors import NotComputedYet
from schemas.layout import month_of
from store.deviations import Deviation
from store.live_runs import LiveRun, LiveRuns
from store.results import Results
from store.watermarks import Watermarks

router = APIRouter(prefix="/v1/me", tags=["asking"])
STALE_AFTER = timedelta(days=8)  # jobs run weekly at the latest
MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"


class BatchModel(BaseModel):
    """Which run an answer is of."""

    family: str
    run: UUID


class BatchAnswer(BaseModel):
    """What every answer of a batch job says of itself."""

    as_of: datetime = Field(description="when its run went live")
    stale: bool = Field(description="no run has looked for news for 8 days")
    model: BatchModel


class ClusterAnswer(BatchAnswer):
    """People who train like the caller."""

    cluster: int
    name: str
    features: dict[str, float]


class RecommendationShape(BaseModel):
    """An exercise that the caller might like."""

    exercise: str
    score: float
    why: str


class RecommendationAnswer(BatchAnswer):
    """Exercises for the caller, the best first."""

    recommendations: list[RecommendationShape]


class RankAnswer(BatchAnswer):
    """The caller's place among all, by who follows whom."""

    rank: float
    position: int = Field(description="1 is the highest")


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


class DeviationAnswer(BaseModel):
    """The caller's deviations of a month; they follow each session, so they are never stale."""

    month: str
    as_of: datetime
    stale: bool = False
    model: BatchModel | None = None
    deviations: list[DeviationEntry]


@router.get("/cluster", responses=described(404))
async def cluster(caller: Predict, services: ServicesHere) -> ClusterAnswer:
    """The group of people that the caller trains like."""
    live, about = await _live(services, "clusters")
    found = await Results(services.database).cluster(live.run_id, caller.user_id)
    if found is None:
        _left_out("clusters")
    return ClusterAnswer(
        **about, cluster=found.cluster, name=found.name, features=dict(found.features)
    )


@router.get("/recommendations", responses=described(404))
async def recommendations(caller: Predict, services: ServicesHere) -> RecommendationAnswer:
    """Exercises that people with the same taste do; the caller may do some of them already."""
    live, about = await _live(services, "recommend")
    found = await Results(services.database).recommendations(live.run_id, caller.user_id)
    if not found:
        _left_out("recommend")
    shapes = [RecommendationShape(exercise=f.exercise, score=f.score, why=f.why) for f in found]
    return RecommendationAnswer(**about, recommendations=shapes)


@router.get("/rank", responses=described(404))
async def rank(caller: Predict, services: ServicesHere) -> RankAnswer:
    """The caller's place among all."""
    live, about = await _live(services, "rank")
    found = await Results(services.database).rank(live.run_id, caller.user_id)
    if found is None:
        _left_out("rank")
    return RankAnswer(**about, rank=found.rank, position=found.position)


@router.get("/deviations")
async def deviations(
    caller: Predict,
    services: ServicesHere,
    month: Annotated[str | None, Query(pattern=MONTH, description="UTC; this one if left out")] = (
        None
    ),
) -> DeviationAnswer:
    """Where the caller left the plan, in one month."""
    now = services.clock()
    month = month or month_of(now.date())
    found = await services.records.deviations.of_month(caller.user_id, month)
    return DeviationAnswer(month=month, as_of=now, deviations=[deviation_entry(f) for f in found])


def deviation_entry(found: Deviation) -> DeviationEntry:
    """A deviation as clients see it."""
    return DeviationEntry(
        session=found.session_id,
        set=found.set_id,
        kinds=sorted(found.kinds),
        planned=_side(found, "planned"),
        actual=_side(found, "actual"),
        started_at_utc=found.started_at_utc,
        timezone=found.timezone,
        local_hour=found.local_hour,
        local_date=found.local_date,
        source=found.source,
        confidence=found.confidence,
    )


def _side(found: Deviation, side: str) -> dict[str, Any] | None:
    if getattr(found, f"{side}_exercise") is None:
        return None
    return {
        name: getattr(found, f"{side}_{name}")
        for name in ("exercise", "reps", "weight_kg", "intensity")
    }


async def _live(services: ServicesHere, family: str) -> tuple[LiveRun, dict[str, Any]]:
    """The run that readers see, and what an answer says of it.

    Raises:
        NotComputedYet: no run of the family went live.
    """
    live = await LiveRuns(services.database).read(family)
    if live is None:
        raise NotComputedYet(f"No run of {family} has gone live yet.")
    about = {
        "as_of": live.as_of,
        "stale": await is_stale(services, family, live.as_of),
        "model": BatchModel(family=family, run=live.run_id),
    }
    return live, about


async def is_stale(services: Services, family: str, as_of: datetime) -> bool:
    """Whether nobody has looked for news for too long: without news an old result still holds."""
    now = services.clock()
    looked_at = await Watermarks(services.database).read(family, now)
    return now - max(as_of, looked_at or as_of) > STALE_AFTER


def _left_out(family: str) -> NoReturn:
    raise NotComputedYet(f"The live run of {family} has nothing about you.")
