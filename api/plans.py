"""Plans: list, store, read, delete."""

from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.cursors import NextPage, PageCursor, PageLimit
from api.dependencies import Sensor, ServicesDep
from api.problems import problem_responses
from api.quota import cost_of_bytes
from schemas.errors import NotFound
from schemas.events import PlanBody
from store.plans import Plan

router = APIRouter(prefix="/v1/me", tags=["plans"])
CURSOR = "plans:"


class PlanSchema(PlanBody):
    """A plan as stored."""

    plan: UUID = Field(description="id of the plan: a UUIDv7 that the client made")


class PlanList(BaseModel):
    """A page of the caller's plans, oldest first."""

    plans: list[PlanSchema] = Field(description="by id, which is by time of creation")
    cursor: NextPage


@router.get("/plans", summary="List plans", response_description="A page of plans")
async def list_plans(
    caller: Sensor, services: ServicesDep, limit: PageLimit = 50, cursor: PageCursor = None
) -> PlanList:
    """The caller's plans, oldest first."""
    after = services.cursors.unseal_id(CURSOR, cursor)
    rows = await services.records.plans.page(caller.user_id, after, limit + 1)
    page, next_cursor = services.cursors.page(CURSOR, rows, limit, lambda plan: plan.plan_id)
    return PlanList(plans=[_schema(plan) for plan in page], cursor=next_cursor)


@router.put(
    "/plans/{plan}",
    summary="Store a plan",
    response_description="The plan as stored",
    responses=problem_responses(409),
)
async def put_plan(plan: UUID, body: PlanBody, caller: Sensor, services: ServicesDep) -> PlanSchema:
    """Store a plan; the newest version counts.

    A session is compared with the version at its start on the server's clock, or with the first one
    if the plan came later. So each version is stored, and counts as a sample of the day for four of
    its bytes. A repeat is free.
    """
    cost_of = cost_of_bytes(services, caller.user_id)
    plan_row = await services.recorder.put_plan(caller.user_id, plan, body.model_dump(), cost_of)
    return _schema(plan_row)


@router.get("/plans/{plan}", summary="Get a plan", response_description="The newest version")
async def get_plan(plan: UUID, caller: Sensor, services: ServicesDep) -> PlanSchema:
    """The newest version of a plan."""
    plan_row = await services.records.plans.read(caller.user_id, plan)
    if plan_row is None:
        raise NotFound(f"There is no plan {plan}.")
    return _schema(plan_row)


@router.delete(
    "/plans/{plan}",
    status_code=204,
    summary="Delete a plan",
    response_description="Deleted",
    responses=problem_responses(409),
)
async def delete_plan(plan: UUID, caller: Sensor, services: ServicesDep) -> Response:
    """Delete a plan; repeatable. A plan that the caller never had is a 404."""
    await services.recorder.delete_plan(caller.user_id, plan)
    return Response(status_code=204)


def _schema(plan: Plan) -> PlanSchema:
    return PlanSchema.model_validate({"plan": plan.plan_id, "name": plan.name, "sets": plan.sets})
