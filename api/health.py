"""For operators: liveness, readiness, version and metrics."""

import asyncio
import platform
import subprocess
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.dependencies import services_of
from api.problems import problem_responses
from schemas.errors import NotReady
from store.durability import durability_of

router = APIRouter(tags=["operations"])
VERSION = "0.1.0"
KEY_PROBLEM = "One of the two newest signing keys cannot be used; the service's log says why."
"""All that strangers are told: the reason names a path."""


class Alive(BaseModel):
    """The process responds."""

    alive: Literal[True] = Field(default=True, description="always true")


class Ready(BaseModel):
    """Requests can be served; else the response is a problem."""

    ready: Literal[True] = Field(default=True, description="always true")
    cassandra: str = Field(description="release of the node that responded")
    commitlog_sync: str = Field(
        description="how commit logs are synced (group, batch or periodic): where nodes keep the "
        "only copies, by the least safe one"
    )
    replication: int = Field(description="copies of each row in the local data centre")
    signing_keys: str = Field(
        description="what is wrong with one of the two newest, while the other signs; else empty"
    )


class Version(BaseModel):
    """What runs here."""

    version: str = Field(description="of Muvr")
    commit: str = Field(description="12 hex digits; empty outside of a checkout")
    api: Literal["v1"] = Field(default="v1", description="version of the API, as in its paths")
    python: str = Field(description="version of Python")


@router.get("/livez", summary="Liveness", response_description="Alive")
async def livez() -> Alive:
    """Whether the process answers; does not ask the database."""
    return Alive()


@router.get(
    "/readyz",
    summary="Readiness",
    response_description="Ready",
    responses=problem_responses(503),
)
async def readyz(request: Request) -> Ready:
    """Whether requests can be served: Cassandra answers, is migrated, and writes durably.

    Also whether tokens can be signed, though a key beside the one that signs cannot be used.
    """
    services = services_of(request)
    key_problem = KEY_PROBLEM if services.tokens.key_problem else ""
    if not services.tokens.can_sign:
        raise NotReady(KEY_PROBLEM)
    local = await services.database.run("SELECT release_version FROM system.local")
    await services.database.run("SELECT user_id FROM users LIMIT ?", (1,))
    kept = request.app.state.durability or await asyncio.to_thread(
        durability_of, services.database, services.config.cassandra
    )
    request.app.state.durability = kept
    return Ready(
        cassandra=local[0].release_version,
        commitlog_sync=kept.commitlog_sync,
        replication=kept.replication,
        signing_keys=key_problem,
    )


@router.get("/version", summary="Version", response_description="The versions")
async def version(request: Request) -> Version:
    """What runs here."""
    return Version(
        version=VERSION, commit=request.app.state.commit, python=platform.python_version()
    )


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus text", "content": {"text/plain": {}}}},
)
async def metrics(request: Request) -> Response:
    """Metrics of all workers in Prometheus' text format."""
    text, media_type = request.app.state.metrics.text()
    return Response(text, media_type=media_type)


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
