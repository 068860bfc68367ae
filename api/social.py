"""Plans, and whom one follows."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api.cursors import NextPage, PageCursor, PageLimit
from api.dependencies import Sensor, ServicesHere, Social
from api.problems import described
from ingest import follows as follows_of
from schemas.errors import BadEvent, NotThere
from schemas.names import ExerciseName
from store.plans import Plan
from store.social import Follows

router = APIRouter(prefix="/v1/me", tags=["plans"])
SETS_AT_MOST = 500
PLANS, FOLLOWS = "plans:", "follows:"  # what their cursors are of
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_EXAMPLE: dict[str, Any] = {
    "name": "Monday",
    "sets": [
        {"exercise": "bench press", "reps": 8, "weight_kg": 60, "intensity": 0.7},
        {"exercise": "bench press", "reps": 8, "weight_kg": 60, "intensity": 0.8},
    ],
}


class PlannedSet(BaseModel):
    """A set that is to be done; what is left out may be anything."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    exercise: ExerciseName
    reps: int | None = Field(default=None, ge=0, le=10_000, strict=True)
    weight_kg: float | None = Field(default=None, ge=0, le=2_000, strict=True)
    intensity: float | None = Field(default=None, ge=0, le=1, strict=True)


class PlanBody(BaseModel):
    """A plan: its sets in the order in which they are to be done."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _EXAMPLE})

    name: Word
    sets: list[PlannedSet] = Field(max_length=SETS_AT_MOST)


class PlanShape(PlanBody):
    """A plan as it is kept."""

    plan: UUID


class PlanList(BaseModel):
    """A page of the caller's plans, oldest first."""

    plans: list[PlanShape]
    cursor: NextPage


class FollowShape(BaseModel):
    """Somebody whom the caller follows."""

    user: UUID
    since: datetime


class FollowList(BaseModel):
    """A page of those whom the caller follows, by their ids."""

    follows: list[FollowShape]
    cursor: NextPage


@router.get("/plans")
async def list_plans(
    caller: Sensor, services: ServicesHere, limit: PageLimit = 50, cursor: PageCursor = None
) -> PlanList:
    """The caller's plans, oldest first."""
    after = services.cursors.unseal_id(PLANS, cursor)
    rows = await services.records.plans.page(caller.user_id, after, limit + 1)
    page, following = services.cursors.page(PLANS, rows, limit, lambda plan: plan.plan_id)
    return PlanList(plans=[_shape(plan) for plan in page], cursor=following)


@router.put("/plans/{plan}", responses=described(409))
async def put_plan(plan: UUID, body: PlanBody, caller: Sensor, services: ServicesHere) -> PlanShape:
    """Keep a plan; the newest word counts.

    Sessions are compared with the plan as it stood when they were opened.
    """
    kept = await services.recorder.keep_plan(
        caller.user_id, plan, body.name, [one.model_dump() for one in body.sets]
    )
    return _shape(kept)


@router.get("/plans/{plan}")
async def get_plan(plan: UUID, caller: Sensor, services: ServicesHere) -> PlanShape:
    """One plan."""
    kept = await services.records.plans.read(caller.user_id, plan)
    if kept is None:
        raise NotThere(f"There is no plan {plan}.")
    return _shape(kept)


@router.delete("/plans/{plan}", status_code=204, responses=described(409))
async def delete_plan(plan: UUID, caller: Sensor, services: ServicesHere) -> Response:
    """Forget a plan; repeatable."""
    await services.recorder.drop_plan(caller.user_id, plan)
    return Response(status_code=204)


@router.get("/follows")
async def list_follows(
    caller: Social, services: ServicesHere, limit: PageLimit = 50, cursor: PageCursor = None
) -> FollowList:
    """Whom the caller follows, by their ids."""
    after = services.cursors.unseal_id(FOLLOWS, cursor)
    rows = await Follows(services.database).page(caller.user_id, after, limit + 1)
    page, following = services.cursors.page(FOLLOWS, rows, limit, lambda one: one.followee)
    shapes = [FollowShape(user=one.followee, since=one.since) for one in page]
    return FollowList(follows=shapes, cursor=following)


@router.put("/follows/{user}")
async def follow(user: UUID, caller: Social, services: ServicesHere) -> FollowShape:
    """Follow somebody; repeatable."""
    if user == caller.user_id:
        raise BadEvent("Nobody follows himself.", field="user", value=user)
    if await services.users.by_id(user) is None:
        raise NotThere(f"There is no user {user}.")
    follows = Follows(services.database)
    await follows_of.follow(
        services.records.journal, follows, caller.user_id, [user], services.clock()
    )
    kept = await follows.read(caller.user_id, user)
    return FollowShape(user=user, since=kept.since if kept else services.clock())


@router.delete("/follows/{user}", status_code=204)
async def unfollow(user: UUID, caller: Social, services: ServicesHere) -> Response:
    """Follow somebody no more; repeatable."""
    follows = Follows(services.database)
    await follows_of.unfollow(
        services.records.journal, follows, caller.user_id, user, services.clock()
    )
    return Response(status_code=204)


def _shape(plan: Plan) -> PlanShape:
    return PlanShape.model_validate({"plan": plan.plan_id, "name": plan.name, "sets": plan.sets})
