"""For operators: is it alive, is it ready, which version, which numbers, which jobs ran."""

import asyncio
import platform
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.cursors import NextPage, PageCursor, id_in
from api.dependencies import Operate, Services, ServicesHere
from api.problems import described
from schemas.errors import NotReady, NotThere
from schemas.families import FAMILIES
from schemas.statuses import RUN_STATUSES, USER_STATUSES
from store.jobs import JobRun, JobRuns, UserOutcome
from store.node.durability import durability

router = APIRouter(tags=["operating"])
VERSION = "0.1.0"


class Alive(BaseModel):
    """The process answers."""

    alive: Literal[True] = True


class Ready(BaseModel):
    """Requests can be served."""

    ready: Literal[True] = True
    cassandra: str = Field(description="release of the node that answered")
    commitlog_sync: str
    replication: int


class Version(BaseModel):
    """What runs here."""

    version: str
    commit: str = Field(description="empty outside of a checkout")
    api: Literal["v1"] = "v1"
    python: str


class Run(BaseModel):
    """One run of a job."""

    family: str
    run: UUID
    status: str = Field(description=RUN_STATUSES)
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


@router.get("/livez")
async def livez() -> Alive:
    """Whether the process answers; does not ask the database."""
    return Alive()


@router.get("/readyz", responses=described(503))
async def readyz(request: Request) -> Ready:
    """Whether requests can be served: Cassandra answers, fits, and keeps what it acknowledges."""
    services: Services | None = request.app.state.services
    if services is None:
        raise NotReady(request.app.state.connection.missing)
    local = await services.database.run("SELECT release_version FROM system.local")
    await services.database.run("SELECT user_id FROM users LIMIT ?", (1,))
    kept = request.app.state.durability or await asyncio.to_thread(
        durability, services.database, services.config.cassandra
    )
    request.app.state.durability = kept
    return Ready(
        cassandra=local[0].release_version,
        commitlog_sync=kept.commitlog_sync,
        replication=kept.replication,
    )


@router.get("/version")
async def version(request: Request) -> Version:
    """What runs here."""
    return Version(
        version=VERSION, commit=request.app.state.commit, python=platform.python_version()
    )


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus text", "content": {"text/plain": {}}}},
)
async def metrics(request: Request) -> Response:
    """Metrics of all workers in Prometheus' text format."""
    text, media_type = request.app.state.metrics.text()
    return Response(text, media_type=media_type)


@router.get("/v1/jobs")
async def jobs(
    caller: Operate,  # the scope is the point
    services: ServicesHere,
    family: str | None = Query(None, description="one family only"),
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: PageCursor = None,
) -> Runs:
    """Runs of jobs, newest first."""
    prefix = f"jobs {family or ''} "
    before = services.cursors.unseal_id(prefix, cursor)
    families = [family] if family else list(FAMILIES)
    rows = await JobRuns(services.database).page(families, before, limit + 1)
    page, following = services.cursors.page(prefix, rows, limit, lambda run: run.run_id)
    return Runs(jobs=[_run(run) for run in page], cursor=following)


@router.get("/v1/jobs/{family}/{run}")
async def job(
    family: str,
    run: UUID,
    caller: Operate,
    services: ServicesHere,
) -> Run:
    """One run."""
    found = await JobRuns(services.database).read(family, run)
    if found is None:
        raise NotThere(f"There is no run {run} of {family}.")
    return _run(found)


@router.get("/v1/jobs/{family}/{run}/users")
async def job_users(
    family: str,
    run: UUID,
    caller: Operate,
    services: ServicesHere,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: PageCursor = None,
) -> UserRuns:
    """What a run came to for each user, with the reason where nothing was promoted."""
    repository = JobRuns(services.database)
    if await repository.read(family, run) is None:
        raise NotThere(f"There is no run {run} of {family}.")
    prefix = f"job-users {run} "
    after = None
    if cursor:
        user, _, model_id = services.cursors.unseal_for(prefix, cursor).partition(" ")
        after = id_in(user, cursor), model_id
    rows = await repository.users_page(run, after, limit + 1)
    page, following = services.cursors.page(
        prefix, rows, limit, lambda one: f"{one.user_id} {one.model_id}"
    )
    return UserRuns(users=[_user_run(one) for one in page], cursor=following, next=following)


def commit_of(folder: Path) -> str:
    """The commit of a checkout, "" where there is none."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=5,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _user_run(one: UserOutcome) -> UserRun:
    return UserRun(
        user=one.user_id,
        model_id=one.model_id,
        status=one.status,
        reason=one.reason,
        version=one.version,
    )


def _run(run: JobRun) -> Run:
    return Run(
        family=run.family,
        run=run.run_id,
        status=run.status,
        started_at=run.started_at,
        heartbeat_at=run.heartbeat_at,
        finished_at=run.finished_at,
        inputs=dict(run.inputs),
        counts=dict(run.counts),
        metrics=dict(run.metrics),
        reasons=dict(run.reasons),
    )
