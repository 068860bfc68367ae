"""Results of batch jobs about the caller, each with its time and its run."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.dependencies import Predict, Services, ServicesDep
from api.fields import Exercise
from api.problems import problem_responses
from schemas.errors import NotComputedYet
from store.jobs import JobRuns
from store.live_runs import LiveRun, LiveRuns
from store.results import Results
from store.watermarks import Watermarks

router = APIRouter(prefix="/v1/me", tags=["predictions"])
STALE_AFTER = timedelta(days=8)  # jobs run weekly at the latest


class BatchModel(BaseModel):
    """Which run of a batch job computed a response."""

    family: str = Field(description="the job: clusters, recommend or rank")
    run: UUID = Field(description="id of the run: a UUIDv7 that the job made")


Stale = Annotated[bool, Field(description="whether no run has looked for news for 8 days")]


class LiveRunResponse(BaseModel):
    """The members that every response of a batch job has."""

    as_of: datetime = Field(description="when the run began that computed it, UTC")
    stale: Stale
    model: BatchModel = Field(description="the run that computed it")


class ClusterResponse(LiveRunResponse):
    """The group of people who train like the caller."""

    cluster: int = Field(description="its number in this run, from 0; another run may differ")
    name: str = Field(description="how they train, such as `often, strong, holding`")
    features: dict[str, float] = Field(
        description="the caller's: frequency (sessions a week), performance (log of strength over "
        "the median of all), improvement (relative change of strength in four weeks)"
    )


class RecommendationSchema(BaseModel):
    """An exercise that the caller might like."""

    exercise: Exercise
    score: float = Field(description="about 0 (no preference) to 1")
    why: str = Field(description="the caller's exercises that speak for it, with their shares")


class RecommendationResponse(LiveRunResponse):
    """Exercises that the caller might like."""

    recommendations: list[RecommendationSchema] = Field(
        description="the best first; the caller may do some of them already"
    )


class RankResponse(LiveRunResponse):
    """The caller's place among all users, by who follows whom."""

    rank: float = Field(description="the caller's share of all ranks, which sum to 1 (PageRank)")
    position: int = Field(description="place by rank; 1 is the highest")


@router.get(
    "/cluster",
    summary="Get the training cluster",
    response_description="The cluster of the caller",
    responses=problem_responses(404),
)
async def get_cluster(caller: Predict, services: ServicesDep) -> ClusterResponse:
    """The group of people that the caller trains like."""
    live, about = await _live(services, "clusters")
    result = await Results(services.database).cluster(live.run_id, caller.user_id)
    if result is None:
        raise _left_out("clusters")
    return ClusterResponse(
        **about, cluster=result.cluster, name=result.name, features=dict(result.features)
    )


@router.get(
    "/recommendations",
    summary="List recommended exercises",
    response_description="The recommended exercises",
    responses=problem_responses(404),
)
async def list_recommendations(caller: Predict, services: ServicesDep) -> RecommendationResponse:
    """Exercises that people with the same taste do; the caller may do some of them already."""
    live, about = await _live(services, "recommend")
    result = await Results(services.database).recommendations(live.run_id, caller.user_id)
    if not result:
        raise _left_out("recommend")
    schemas = [RecommendationSchema(exercise=r.exercise, score=r.score, why=r.why) for r in result]
    return RecommendationResponse(**about, recommendations=schemas)


@router.get(
    "/rank",
    summary="Get the rank among all users",
    response_description="The rank of the caller",
    responses=problem_responses(404),
)
async def get_rank(caller: Predict, services: ServicesDep) -> RankResponse:
    """The caller's place among all users, by who follows whom."""
    live, about = await _live(services, "rank")
    result = await Results(services.database).rank(live.run_id, caller.user_id)
    if result is None:
        raise _left_out("rank")
    return RankResponse(**about, rank=result.rank, position=result.position)


async def _live(services: Services, family: str) -> tuple[LiveRun, dict[str, Any]]:
    """The live run of a family, and the members of a response that describe it.

    Raises:
        NotComputedYet: no run of the family is live; the next step gives the last run's reason.
    """
    live = await LiveRuns(services.database).read(family)
    if live is None:
        runs = await JobRuns(services.database).newest(family, 1)
        last = runs[0] if runs else None
        why = "; ".join(last.reasons) if last and last.status == "not-learned" else ""
        raise NotComputedYet(
            f"No run of {family} is live.", next_step=f"The last one says: {why}." if why else ""
        )
    about = {
        "as_of": live.as_of,
        "stale": await is_stale(services, family, live.as_of),
        "model": BatchModel(family=family, run=live.run_id),
    }
    return live, about


async def is_stale(services: Services, family: str, as_of: datetime) -> bool:
    """Whether no run checked for changes for too long; without changes old results stay valid.

    A run that finds only what the one before has read checks as well, and moves no watermark.
    """
    now = services.clock()
    checked_at = await Watermarks(services.database).read(family, now)
    if now - max(as_of, checked_at or as_of) <= STALE_AFTER:
        return False
    recent = await JobRuns(services.database).since(family, now - STALE_AFTER)
    return not any(
        run.status == "nothing-to-do" and run.inputs.get("users") == "changed" for run in recent
    )


def _left_out(family: str) -> NotComputedYet:
    return NotComputedYet(f"The live run of {family} has nothing about you.")
