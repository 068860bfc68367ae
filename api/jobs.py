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
from schemas.statuses import RUN_STATUSES, USER_STATUSES
from store.champions import Champions
from store.jobs import JobRun, JobRuns, UserOutcome

router = APIRouter(tags=["operations"])


class Run(BaseModel):
    """One run of a job, such as the training of a family."""

    family: str = Field(description="the job: a family of models or results, mart or replay")
    run: UUID = Field(description="id of the run: a UUIDv7 that the job made")
    status: str = Field(description=RUN_STATUSES)
    withdrawn: bool = Field(description="whether an operator has withdrawn it since")
    started_at: datetime = Field(description="its start, UTC, by the clock of the job")
    heartbeat_at: datetime | None = Field(
        description="its last sign of life, UTC; a run that is `running` gives one every 15 s, and "
        "was probably killed where the last one is over a minute old"
    )
    finished_at: datetime | None = Field(description="its end, UTC; null while it is running")
    inputs: dict[str, Any] = Field(description="what it was started with, such as `users`")
    counts: dict[str, int] = Field(
        description="what it counted: rows, sets, models by their status; empty while it is running"
    )
    metrics: dict[str, Any] = Field(
        description="what it was judged by, and `seconds` by step; empty while it is running"
    )
    reasons: dict[str, int] = Field(description="reason to the number of users it held for")


class UserRun(BaseModel):
    """What a run came to for one user and one input."""

    user: UUID = Field(description="id of the user")
    model_id: str = Field(
        description="the input: wrist-acc6, wrist-acc3 or sets; journal in a replay; else empty"
    )
    status: str = Field(description=USER_STATUSES)
    reason: str = Field(description="why, for people; empty where there is nothing to say")
    version: str = Field(description="of the model; empty without one")


class Runs(BaseModel):
    """A page of runs, newest first."""

    jobs: list[Run] = Field(description="the newest first")
    cursor: NextPage


class UserRuns(BaseModel):
    """A page of the outcomes of a run."""

    users: list[UserRun] = Field(description="in a fixed order, which is not by id")
    cursor: NextPage


@router.get("/v1/jobs", summary="List job runs", response_description="A page of runs")
async def list_job_runs(
    caller: Operate,  # named for its scope only
    services: ServicesDep,
    family: str | None = Query(None, description="one family only"),
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: PageCursor = None,
) -> Runs:
    """Runs of jobs, newest first: of families, the mart and replays."""
    prefix = f"jobs {family or ''} "
    before = services.cursors.unseal_id(prefix, cursor)
    runs = JobRuns(services.database)
    rows = await runs.page([family] if family else await runs.families(), before, limit + 1)
    page, next_cursor = services.cursors.page(prefix, rows, limit, lambda run: run.run_id)
    withdrawn = set(await Champions(services.database).withdrawn())
    return Runs(jobs=[_run(run, withdrawn) for run in page], cursor=next_cursor)


@router.get("/v1/jobs/{family}/{run}", summary="Get a job run", response_description="The run")
async def get_job_run(
    family: str,
    run: UUID,
    caller: Operate,
    services: ServicesDep,
) -> Run:
    """One run of a family's job."""
    stored = await _stored_run(JobRuns(services.database), family, run)
    return _run(stored, await Champions(services.database).withdrawn())


@router.get(
    "/v1/jobs/{family}/{run}/users",
    summary="List the users of a job run",
    response_description="A page of outcomes",
)
async def list_job_run_users(
    family: str,
    run: UUID,
    caller: Operate,
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: PageCursor = None,
) -> UserRuns:
    """What a run came to for each user, with the reason where nothing was promoted."""
    runs = JobRuns(services.database)
    await _stored_run(runs, family, run)  # 404 where there is none
    prefix = f"job-users {run} "
    after = None
    if cursor:
        user, _, model_id = services.cursors.unseal_for(prefix, cursor).partition(" ")
        after = id_in(user, cursor), model_id
    rows = await runs.users_page(run, after, limit + 1)
    page, next_cursor = services.cursors.page(
        prefix, rows, limit, lambda outcome: f"{outcome.user_id} {outcome.model_id}"
    )
    return UserRuns(users=[_user_run(outcome) for outcome in page], cursor=next_cursor)


async def _stored_run(runs: JobRuns, family: str, run_id: UUID) -> JobRun:
    """One run of a family's job.

    Raises:
        NotFound: there is none.
    """
    run = await runs.read(family, run_id)
    if run is None:
        raise NotFound(f"There is no run {run_id} of {family}.")
    return run


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
