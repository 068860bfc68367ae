"""Operations: readiness, metrics, logs, jobs, the OpenAPI document."""

import asyncio
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from api.metrics import Metrics
from api.request_log import RequestLog
from models.signal.pieces import Piece
from pipelines.lifecycle.runs import run_id_at
from schemas.config import Cassandra
from schemas.statuses import RunStatus, UserStatus
from store.champions import Champions
from store.jobs import JobRuns, UserOutcome
from tests.api.conftest import PASSWORD, Person, RunningService, logging
from tests.api.logins import operator_token
from tests.cassandra_node import CHECKOUT


def test_readyz_reports_cassandra_version_and_commitlog_sync(service: RunningService):
    with service.client() as client:
        ready = client.get("/readyz").json()
        version = client.get("/version").json()
    assert ready["ready"] is True
    assert ready["commitlog_sync"] == "group"
    assert re.match(r"\d+\.\d+", ready["cassandra"])
    assert version["api"] == "v1"


def test_metrics_are_labelled_by_route_not_by_path(service: RunningService, person: Person):
    with person.client() as client:
        before = client.get("/metrics").text
        for _ in range(3):
            client.get("/v1/me/models/activity")
        client.get(f"/secret-{person.username}")
        after = client.get("/metrics").text

    def count(text: str) -> float:
        found = re.search(
            r'muvr_requests_total\{method="GET",route="/v1/me/models/\{family\}",'
            r'status="404"\} (\S+)',
            text,
        )
        return float(found[1]) if found else 0.0

    assert count(after) - count(before) == 3
    assert person.username not in after
    for name in (
        "muvr_request_seconds_bucket",
        "muvr_model_cache_bytes",
        "muvr_ingest_lag_seconds",
    ):
        assert name in after


def test_the_ingest_lag_of_an_irregular_chunk_uses_its_last_timestamp():
    metrics = Metrics()
    counts = np.zeros((3, 3), dtype=np.int16)
    t_ms = np.array([0, 60_000, 3_600_000], dtype=np.int32)  # nominally 60 ms
    metrics.count_chunk(Piece(time.time_ns() - 3600 * 10**9, 50.0, "g", 0.001, counts, t_ms))
    text = metrics.text()[0].decode()
    assert 'muvr_ingest_lag_seconds_bucket{le="30.0"} 1.0' in text


def test_logs_identify_requests_without_personal_data(keyspace: Cassandra, tmp_path: Path):
    lines: list[str] = []
    with logging(keyspace, tmp_path, lines) as service:
        person = service.register()
        user_id = person.user_id
        with person.client() as client:
            answer = client.get(f"/v1/sessions/{uuid.uuid4()}")
    written = "".join(lines)
    entries = map(json.loads, written.splitlines())
    (line,) = [entry for entry in entries if entry["request_id"] == answer.headers["x-request-id"]]
    assert line["route"] == "/v1/sessions/{session}"
    assert line["status"] == 404
    assert line["problem"] == "not-there"
    for personal in (person.username, str(user_id), PASSWORD, "127.0.0.1"):
        assert personal not in written


def test_log_lines_of_one_loop_iteration_are_written_together():
    written: list[str] = []
    log = RequestLog(written.append)

    async def serve() -> None:
        for status in (200, 404):
            log.line(status=status)
        await asyncio.sleep(0)
        log.line(status=503)
        assert written == ['{"status":200}\n{"status":404}\n']
        await asyncio.sleep(0)

    asyncio.run(serve())
    assert written[1:] == ['{"status":503}\n']


def test_a_log_file_is_flushed_after_each_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "service.log"

    async def serve() -> None:
        RequestLog().line(status=200)
        await asyncio.sleep(0)
        assert path.read_text() == '{"status":200}\n'

    with path.open("w") as file:
        monkeypatch.setattr("sys.stdout", file)
        asyncio.run(serve())


@pytest.fixture
def operator(person: Person) -> str:
    """An operator's access token."""
    return operator_token(person)


def test_the_document_lists_every_run_status(service: RunningService):
    shapes = service.app.openapi()["components"]["schemas"]
    for shape, words in (("Run", RunStatus), ("UserRun", UserStatus)):
        says = shapes[shape]["properties"]["status"]["description"]
        assert says.split(", ") == list(get_args(words))
        assert "not-learned" in says


def test_the_document_says_recommendations_may_include_known_exercises(service: RunningService):
    says = service.app.openapi()["paths"]["/v1/me/recommendations"]["get"]["description"]
    assert "may do some of them already" in says


def test_runs_and_their_users_are_paginated(service: RunningService, operator: str):
    began = datetime.now(UTC)
    run_id = run_id_at(began)
    jobs = JobRuns(service.services.database)
    users = [UserOutcome(uuid.uuid4(), "wrist-acc6", "promoted", "", "abc", "{}") for _ in range(5)]

    async def work() -> None:
        await jobs.start("exercise", run_id, {"users": "all"}, began)
        await jobs.write_users(run_id, users)
        await jobs.finish(
            "exercise",
            run_id,
            "done",
            began + timedelta(seconds=3),
            counts={"promoted": 5},
            metrics={"windows": 0.99},
            reasons={},
        )

    service.run(work())
    with service.client(operator) as client:
        runs = client.get("/v1/jobs", params={"family": "exercise"}).json()["jobs"]
        assert str(run_id) in [run["run"] for run in runs]
        one = client.get(f"/v1/jobs/exercise/{run_id}").json()
        assert one["counts"] == {"promoted": 5}
        assert not one["withdrawn"]
        service.run(Champions(service.services.database).withdraw(run_id, "too early", began))
        assert client.get(f"/v1/jobs/exercise/{run_id}").json()["withdrawn"]
        listed = client.get("/v1/jobs", params={"family": "exercise"}).json()["jobs"]
        assert [run["run"] for run in listed if run["withdrawn"]] == [str(run_id)]
        seen, cursor, pages = [], None, 0
        while pages == 0 or cursor:
            params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = client.get(f"/v1/jobs/exercise/{run_id}/users", params=params).json()
            seen += [user["user"] for user in page["users"]]
            cursor, pages = page["cursor"], pages + 1
        assert pages == 3
        assert sorted(seen) == sorted(str(user.user_id) for user in users)
        other = client.get(f"/v1/jobs/exercise/{uuid.uuid4()}/users")
        forged = client.get(
            f"/v1/jobs/exercise/{run_id}/users", params={"cursor": "AAAA" + "B" * 40}
        )
    assert other.status_code == 404
    assert forged.status_code == 422
    assert forged.json()["type"] == "urn:muvr:problem:bad-cursor"


def test_a_page_of_a_large_run_reads_only_its_rows(
    service: RunningService, operator: str, monkeypatch: pytest.MonkeyPatch
):
    database = service.services.database
    run_id = run_id_at(datetime.now(UTC))
    users = [UserOutcome(uuid.uuid4(), "wrist-acc6", "promoted", "", "", "{}") for _ in range(640)]
    service.run(JobRuns(database).start("exercise", run_id, {}, datetime.now(UTC)))
    service.run(JobRuns(database).write_users(run_id, users))
    rows, ask = [], database.run

    async def counted(cql: str, values: Sequence[object] = ()) -> list[Any]:
        found = await ask(cql, values)
        rows.extend(found if "job_run_users" in cql else ())
        return found

    monkeypatch.setattr(database, "run", counted)
    with service.client(operator) as client:
        answer = client.get(f"/v1/jobs/exercise/{run_id}/users", params={"limit": 5})
    assert len(answer.json()["users"]) == 5
    assert len(rows) <= 20


def test_a_cursor_of_another_run_is_rejected(service: RunningService, operator: str):
    jobs = JobRuns(service.services.database)
    run_id = run_id_at(datetime.now(UTC))
    service.run(jobs.start("exercise", run_id, {}, datetime.now(UTC)))
    cursor = service.services.cursors.seal(f"job-users {uuid.uuid4()} x")
    with service.client(operator) as client:
        answer = client.get(f"/v1/jobs/exercise/{run_id}/users", params={"cursor": cursor})
    assert answer.status_code == 422


def test_gauges_of_killed_workers_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that the system killed holds no connections and no models."""
    count = (
        "import sys, time; from api.metrics import Metrics; Metrics().live.set(7); "
        "print('counted', flush=True); time.sleep(60)"
    )
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))

    def live_sessions() -> str:
        """In a process of its own: the library reads the variable when it is imported."""
        show = "from api.metrics import Metrics; print(Metrics().text()[0].decode())"
        shown = subprocess.run(
            [sys.executable, "-c", show], cwd=CHECKOUT, capture_output=True, text=True, check=True
        )
        return "".join(re.findall(r"^muvr_live_sessions (\S+)$", shown.stdout, re.MULTILINE))

    with subprocess.Popen(
        [sys.executable, "-c", count], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "counted\n"
        assert live_sessions() == "7.0"
        worker.kill()
    assert live_sessions() in ("", "0.0")
