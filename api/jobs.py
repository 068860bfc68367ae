"""For operators: the runs of jobs, and their outcomes per user."""

from collections.abc import Collection
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.cursors import NextPage, PageCursor, id_in
from api.dependencies import Operate, ServicesDep
from schemas.errors import NotFound
from schemas.families import FAMILIES
from schemas.statuses import RUN_STATUSES, USER_STATUSES
from store.champions import Champions
from store.jobs import JobRun, JobRuns, UserOutcome

router = APIRouter(tags=["operations"])


class Run(BaseModel):
    """One run of a job."""

    family: str
    run: UUID
    status: str = Field(description=RUN_STATUSES)
    withdrawn: bool = Field(description="whether an operator has withdrawn it since")
    started_at: datetime
    heartbeat_at: datetime | None
    finished_at: datetime | None
    inputs: dict[str, Any]
    counts: dict[str, int]
    metrics: dict[str, Any]
    reasons: dict[str, int] = Field(description="reason to the number of users it held for")


class UserRun(BaseModel):
    """What a run came to for one user."""

    user: UUID
    model_id: str
    status: str = Field(description=USER_STATUSES)
    reason: str
    version: str


class Runs(BaseModel):
    """A page of runs, newest first."""

    jobs: list[Run]
    cursor: NextPage


class UserRuns(BaseModel):
    """A page of the outcomes of a run."""

    users: list[UserRun]
    cursor: NextPage
    next: str | None = Field(description="the same as `cursor`, under its first name")


@router.get("/v1/jobs", summary="List job runs")
async def list_job_runs(
    caller: Operate,  # named for its scope only
    services: ServicesDep,
    family: str | None = Query(None, description="one family only"),
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: PageCursor = None,
) -> Runs:
    """Runs of jobs, newest first."""
    prefix = f"jobs {family or ''} "
    before = services.cursors.unseal_id(prefix, cursor)
    families = [family] if family else list(FAMILIES)
    rows = await JobRuns(services.database).page(families, before, limit + 1)
    page, next_cursor = services.cursors.page(prefix, rows, limit, lambda run: run.run_id)
    withdrawn = set(await Champions(services.database).withdrawn())
    return Runs(jobs=[_run(run, withdrawn) for run in page], cursor=next_cursor)


@router.get("/v1/jobs/{family}/{run}", summary="Get a job run")
async def get_job_run(
    family: str,
    run: UUID,
    caller: Operate,
    services: ServicesDep,
) -> Run:
    """One run of a family's job."""
    stored = await JobRuns(services.database).read(family, run)
    if stored is None:
        raise NotFound(f"There is no run {run} of {family}.")
    return _run(stored, await Champions(services.database).withdrawn())


@router.get("/v1/jobs/{family}/{run}/users", summary="List the users of a job run")
async def list_job_run_users(
    family: str,
    run: UUID,
    caller: Operate,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: PageCursor = None,
) -> UserRuns:
    """What a run came to for each user, with the reason where nothing was promoted."""
    repository = JobRuns(services.database)
    if await repository.read(family, run) is None:
        raise NotFound(f"There is no run {run} of {family}.")
    prefix = f"job-users {run} "
    after = None
    if cursor:
        user, _, model_id = services.cursors.unseal_for(prefix, cursor).partition(" ")
        after = id_in(user, cursor), model_id
    rows = await repository.users_page(run, after, limit + 1)
    page, next_cursor = services.cursors.page(
        prefix, rows, limit, lambda outcome: f"{outcome.user_id} {outcome.model_id}"
    )
    return UserRuns(
        users=[_user_run(outcome) for outcome in page], cursor=next_cursor, next=next_cursor
    )


def _user_run(outcome: UserOutcome) -> UserRun:
    return UserRun(
        user=outcome.user_id,
        model_id=outcome.model_id,
        status=outcome.status,
        reason=outcome.reason,
        version=outcome.version,
    )


def _run(run: JobRun, withdrawn: Collection[UUID]) -> Run:
    return Run(
        family=run.family,
        run=run.run_id,
        status=run.status,
        withdrawn=run.run_id in withdrawn,
        started_at=run.started_at,
        heartbeat_at=run.heartbeat_at,
        finished_at=run.finished_at,
        inputs=dict(run.inputs),
        counts=dict(run.counts),
        metrics=dict(run.metrics),
        reasons=dict(run.reasons),
    )
