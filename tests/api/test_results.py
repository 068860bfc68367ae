"""Results of the batch jobs as users see them."""

import asyncio
from contextlib import closing
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from pipelines.lifecycle.runs import run_id_at
from store.credentials import open_as
from store.database import Database
from store.jobs import JobRuns
from store.live_runs import LiveRuns
from store.watermarks import Watermarks
from tests.api.conftest import RunningService

RUN = UUID(int=77)


@pytest.fixture
def store(service: RunningService):
    """The jobs' database; rows of the family `rank` are deleted afterwards."""
    with closing(open_as(service.config, "spark")) as database:
        yield database
        for table in ("live_runs", "watermarks", "job_runs"):
            database.execute(f"DELETE FROM {table} WHERE family = 'rank'")


def test_staleness_is_measured_from_the_last_check_for_changes(
    service: RunningService, store: Database
):
    now = datetime.now(UTC)
    person = service.register()
    store.execute(
        "INSERT INTO ranks (run_id, user_id, rank, position) VALUES (?, ?, 1.0, 1)",
        (RUN, person.user_id),
    )
    assert asyncio.run(LiveRuns(store).go_live("rank", RUN, now - timedelta(days=30), {}, None))
    with person.client() as client:
        assert client.get("/v1/me/rank").json()["stale"] is True
        asyncio.run(Watermarks(store).advance("rank", RUN, now - timedelta(days=6), now))
        answer = client.get("/v1/me/rank").json()
    assert (answer["stale"], answer["position"]) == (False, 1)
    assert now - datetime.fromisoformat(answer["as_of"]) > timedelta(days=29)


def test_a_run_that_found_only_what_the_one_before_had_read_has_checked_too(
    service: RunningService, store: Database
):
    now, person = datetime.now(UTC), service.register()
    since, last = now - timedelta(days=30), now - timedelta(days=6)
    row = "INSERT INTO ranks (run_id, user_id, rank, position) VALUES (?, ?, 1.0, 1)"
    store.execute(row, (RUN, person.user_id))
    assert asyncio.run(LiveRuns(store).go_live("rank", RUN, since, {}, None))
    asyncio.run(Watermarks(store).advance("rank", RUN, since, now))
    ended = {"counts": {}, "metrics": {}, "reasons": {}}
    with person.client() as client:
        for users, status in ((1, "nothing-to-do"), ("changed", "failed")):
            run = run_id_at(last)
            asyncio.run(JobRuns(store).start("rank", run, {"users": users}, last))
            asyncio.run(JobRuns(store).finish("rank", run, status, last, **ended))
            assert client.get("/v1/me/rank").json()["stale"] is True
        asyncio.run(JobRuns(store).finish("rank", run, "nothing-to-do", last, **ended))
        assert client.get("/v1/me/rank").json()["stale"] is False
        for minutes in range(1, 12):  # a job that fails is tried again each half hour
            at = last + timedelta(minutes=minutes)
            asyncio.run(JobRuns(store).start("rank", run_id_at(at), {"users": "changed"}, at))
        assert client.get("/v1/me/rank").json()["stale"] is False


def test_the_reason_of_the_last_run_is_reported_when_no_run_is_live(
    service: RunningService, store: Database
):
    """The formerly live run was cleared: it was of users who are gone."""
    now, person = datetime.now(UTC), service.register()
    runs, live = JobRuns(store), LiveRuns(store)
    asyncio.run(runs.start("rank", RUN, {}, now))
    ended = {"counts": {}, "metrics": {}, "reasons": {"nobody follows anybody yet": 1}}
    asyncio.run(runs.finish("rank", RUN, "not-learned", now, **ended))
    assert asyncio.run(live.go_live("rank", RUN, now, {}, None))
    assert asyncio.run(live.clear("rank", RUN))
    with person.client() as client:
        answer = client.get("/v1/me/rank")
    assert (answer.status_code, answer.json()["type"]) == (404, "urn:muvr:problem:not-computed-yet")
    said = "No run of rank is live. The last one says: nobody follows anybody yet."
    assert answer.json()["detail"] == said
