"""Pagination: the same parameters for all lists, every item once and in order."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from api.app import create_app
from ingest.follows import follow_all
from pipelines.lifecycle.runs import run_id_at
from schemas.config import Config
from store.follows import Follows
from store.jobs import JobRuns
from tests.api.conftest import Person, RunningService
from tests.api.logins import operator_token
from tests.api.phone import fresh_id

LISTS = (
    "/v1/sessions",
    "/v1/me/plans",
    "/v1/me/follows",
    "/v1/jobs",
    "/v1/jobs/{family}/{run}/users",
)
DOCUMENT: dict[str, Any] = create_app(Config()).openapi()


def walk(client: httpx.Client, path: str, name: str, **params: object) -> list[list[Any]]:
    """All pages of a list, or those after `cursor`."""
    pages: list[list[Any]] = []
    while True:
        answer = client.get(path, params=params)
        assert answer.status_code == 200, answer.text
        pages.append(answer.json()[name])
        params["cursor"] = answer.json()["cursor"]
        if params["cursor"] is None:
            return pages


@pytest.fixture
def operator(person: Person) -> httpx.Client:
    return person.service.client(operator_token(person))


@pytest.mark.parametrize("path", LISTS)
def test_the_document_describes_the_pagination_of_every_list(path: str):
    operation = DOCUMENT["paths"][path]["get"]
    assert {"limit", "cursor"} <= {parameter["name"] for parameter in operation["parameters"]}
    shape = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert "cursor" in DOCUMENT["components"]["schemas"][shape.rpartition("/")[2]]["properties"]


@pytest.mark.parametrize("path", [path for path in LISTS if "{" not in path])
def test_an_invalid_limit_or_cursor_is_refused(
    operator: httpx.Client, service: RunningService, path: str
):
    elsewhere = service.services.cursors.seal(f"somewhere else {uuid.uuid4()}")
    with operator:
        for cursor in ("made-up", elsewhere):
            answer = operator.get(path, params={"cursor": cursor})
            assert answer.status_code == 422
            assert answer.json()["type"] == "urn:muvr:problem:bad-cursor"
        for limit in (0, 201):
            answer = operator.get(path, params={"limit": limit})
            assert (answer.status_code, answer.json()["field"]) == (422, "limit")


def test_plans_are_paginated_oldest_first(person: Person):
    ids = sorted(str(fresh_id()) for _ in range(4))
    with person.client() as client:
        for plan in ids:
            body = {"name": "Monday", "sets": [{"exercise": "bench press"}]}
            assert client.put(f"/v1/me/plans/{plan}", json=body).status_code == 200
        pages = walk(client, "/v1/me/plans", "plans", limit=2)
        assert [[one["plan"] for one in page] for page in pages] == [ids[:2], ids[2:]]
        first = client.get("/v1/me/plans", params={"limit": 2}).json()
        client.delete(f"/v1/me/plans/{ids[0]}")  # deleting earlier items does not shift the page
        rest = client.get("/v1/me/plans", params={"cursor": first["cursor"]}).json()
        assert [plan["plan"] for plan in rest["plans"]] == ids[2:]
    with person.service.register().client() as stranger:
        theirs = stranger.get("/v1/me/plans", params={"cursor": first["cursor"]}).json()
    assert theirs == {"plans": [], "cursor": None}


def test_follows_are_paginated(service: RunningService, person: Person):
    services = service.services
    others = [uuid.uuid4() for _ in range(5)]
    follows = Follows(services.database)
    now = services.clock()
    service.run(follow_all(services.records.changes, follows, person.user_id, others, now))
    with person.client() as client:
        pages = walk(client, "/v1/me/follows", "follows", limit=2)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one["user"] for page in pages for one in page] == sorted(map(str, others))
    assert all(one["since"] for page in pages for one in page)


def test_runs_of_all_jobs_are_paginated_newest_first(
    service: RunningService, operator: httpx.Client
):
    jobs = JobRuns(service.services.database)
    began = datetime.now(UTC)
    runs = [
        (name, run_id_at(at := began + timedelta(seconds=n)), at)
        for n, name in enumerate(("rank", "mart", "rank", "exercise", "rank"))
    ]
    later = run_id_at(began + timedelta(seconds=9))

    async def start() -> None:
        await asyncio.gather(*(jobs.start(name, run, {}, at) for name, run, at in runs))

    service.run(start())
    newest = [str(run) for _, run, _ in reversed(runs)]
    with operator:
        first = operator.get("/v1/jobs", params={"limit": 2}).json()
        assert [job["run"] for job in first["jobs"]] == newest[:2]
        service.run(jobs.start("rank", later, {}, began))  # newer items do not shift the page
        rest = walk(operator, "/v1/jobs", "jobs", limit=2, cursor=first["cursor"])
        assert [one["run"] for page in rest for one in page][:3] == newest[2:]
        ranks = walk(operator, "/v1/jobs", "jobs", limit=1, family="rank")
        assert [page[0]["run"] for page in ranks[:4]] == [str(later), *newest[::2]]
        other = operator.get("/v1/jobs", params={"family": "rank", "cursor": first["cursor"]})
    assert other.status_code == 422
