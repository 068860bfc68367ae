"""Every error is a problem, says what is wrong, and gives nothing away."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from api.app import create_app
from api.observe import RequestLog
from api.problems import KINDS, kind_of, problem_response
from schemas import errors
from schemas.config import Cassandra
from tests.api.conftest import Person, RunningService, running, settings
from tests.cassandra_node import free_ports

ALL = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.MuvrError)
]


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_every_error_has_a_kind_that_fits_its_branch(cls: type[errors.MuvrError]):
    error = cls.__new__(cls)
    kind = kind_of(error)
    branch = {
        errors.BadInput: range(406, 423),
        errors.NotFound: (404, 410),
        errors.AccessDenied: (401, 403),
        errors.Conflict: (409, 412),
        errors.Retryable: (503,),
    }
    for parent, statuses in branch.items():
        if issubclass(cls, parent):
            assert kind.status in statuses


def test_kinds_have_names_of_their_own():
    names = [kind.name for kind in KINDS.values()]
    assert len(set(names)) == len(names)


def test_a_body_that_is_no_object_is_not_shown(service: RunningService):
    """Sent without its media type, a registration is one text, with the password in it."""
    body = b'{"username": "ada", "password": "a long password"}'
    with service.client() as client:
        answer = client.post("/v1/auth/register", content=body)
    assert answer.status_code == 422
    assert "a long password" not in answer.text
    assert "Content-Type: application/json" in answer.json()["detail"]


def test_a_database_that_went_away_may_have_kept_it():
    answer = problem_response(
        errors.DatabaseUnavailable("10.0.0.1"), HTTPConnection({"type": "http"})
    )
    assert "may have been kept" in json.loads(bytes(answer.body))["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/nowhere", 404, "not-there"),
        ("DELETE", "/v1/classify", 405, "method-not-allowed"),
        ("GET", "/v1/auth/register", 405, "method-not-allowed"),
        ("GET", "/v1/me/models", 401, "not-authenticated"),
    ],
)
def test_errors_of_the_framework_are_problems(
    service: RunningService, method: str, path: str, status: int, name: str
):
    with service.client() as client:
        answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:muvr:problem:{name}"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_a_body_that_is_no_json_names_the_body(service: RunningService):
    with service.client() as client:
        answer = client.post(
            "/v1/auth/register", content=b"{", headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[1", b""])
def test_a_body_that_does_not_decode_is_422(service: RunningService, person: Person, body: bytes):
    with person.client() as client:
        answer = client.put(
            f"/v1/me/plans/{person.user_id}",
            content=body,
            headers={"Content-Type": "application/json"},
        )
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("username", rb'{"username": "\ud83d", "password": "correct horse battery"}'),
        ("body", rb'{"username": "a", "password": "correct horse battery", "\ud83d": 1}'),
    ],
    ids=["value", "key"],
)
def test_half_an_emoji_is_422_also_without_a_token(
    service: RunningService, field: str, body: bytes
):
    with service.client() as client:
        answer = client.post(
            "/v1/auth/register", content=body, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422, answer.text
    assert (answer.json()["field"], answer.json()["value"]) == (field, "?")


def test_405_names_every_method_of_the_path(service: RunningService):
    with service.client() as client:
        plan = client.patch("/v1/me/plans/1")
        classify = client.get("/v1/classify")
    assert plan.headers["allow"] == "DELETE, GET, PUT"
    assert classify.headers["allow"] == "POST"


def test_a_request_id_is_kept_if_it_is_one(service: RunningService):
    with service.client() as client:
        mine = client.get("/livez", headers={"X-Request-Id": "abcd-1234"})
        evil = client.get("/livez", headers={"X-Request-Id": "a b<script>"})
    assert mine.headers["x-request-id"] == "abcd-1234"
    assert evil.headers["x-request-id"] != "a b<script>"


def test_too_large_a_body_is_413_announced_or_not(service: RunningService, person: Person):
    def pieces() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(64 * 1024)

    with person.client() as client:
        announced = client.post("/v1/classify", content=bytes(3 * 2**20))
        chunked = client.post("/v1/classify", content=pieces())
        form = client.post("/v1/auth/register", content=pieces())
    for answer in (announced, chunked, form):
        assert answer.status_code == 413, answer.text
        assert answer.json()["type"] == "urn:muvr:problem:too-large"


def test_the_unexpected_is_a_500_that_tells_only_the_log(keyspace: Cassandra, tmp_path: Path):
    config = settings(keyspace, tmp_path)
    config = config.model_copy(update={"api": config.api.model_copy(update={"access_log": True})})
    lines: list[str] = []
    app = create_app(config, RequestLog(lines.append))

    @app.get("/boom")
    async def boom() -> None:
        raise RuntimeError("the password of anna is hunter2")

    with running(config, app) as service, service.client() as client:
        answer = client.get("/boom")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:muvr:problem:internal"
    written = "".join(lines)
    assert "hunter2" not in answer.text + written
    told = [line for line in map(json.loads, written.splitlines()) if line.get("error")]
    assert told[0]["error"] == "RuntimeError"
    assert told[0]["request_id"] == answer.headers["x-request-id"]
    assert any("test_problems" in place for place in told[0]["places"])


def test_without_cassandra_everything_says_when_to_come_back(tmp_path: Path):
    not_found = Cassandra(port=free_ports(1)[0])
    with running(settings(not_found, tmp_path)) as service, service.client() as client:
        assert client.get("/livez").status_code == 200
        assert client.get("/").status_code == 503
        for method, path in (("GET", "/readyz"), ("GET", "/v1/me/models"), ("GET", "/v1/sessions")):
            answer = client.request(method, path, headers={"Authorization": "Bearer x"})
            assert answer.status_code == 503, path
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["content-type"] == "application/problem+json"
            assert str(not_found.port) not in answer.text  # where the database lives is nobody's


@pytest.mark.parametrize("body", [b'{"username" "a"}', b"\xff\xfe", b"{", b'{"username": "a"'])
def test_a_body_that_is_no_json_is_what_is_wrong(service: RunningService, body: bytes):
    with service.client() as client:
        headers = {"Content-Type": "application/json"}
        answer = client.post("/v1/auth/register", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["field"] == "body"
    assert answer.json()["detail"].startswith("body: no JSON at character ")


def test_a_socket_to_nowhere_is_told_so_as_a_problem(service: RunningService):
    url = service.url.replace("http://", "ws://") + "/v1/sessions"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, open_timeout=20)
    answer = refused.value.response
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body or b"")["type"] == "urn:muvr:problem:not-there"
