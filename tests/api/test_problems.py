"""Every error is a problem document that says what is wrong and leaks nothing."""

import gzip
import inspect
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
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
from tests.api.phone import problem
from tests.cassandra_node import free_ports

ALL = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, errors.MuvrError)
]


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_every_error_has_a_status_matching_its_base_class(cls: type[errors.MuvrError]):
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


def test_problem_names_are_unique():
    names = [kind.name for kind in KINDS.values()]
    assert len(set(names)) == len(names)


JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("path", "headers", "field", "value", "step"),
    [
        ("register", {}, "Content-Type", "", f"send {JSON}"),
        ("register", {"Content-Type": "text/plain"}, "Content-Type", "text/plain", f"send {JSON}"),
        ("register", {"Content-Type": FORM}, "Content-Type", FORM, f"send {JSON}"),
        ("token", {"Content-Type": JSON}, "Content-Type", JSON, f"send {FORM}"),
        (
            "register",
            {"Content-Type": JSON, "Content-Encoding": "gzip"},
            "Content-Encoding",
            "gzip",
            "send the body without one",
        ),
    ],
)
def test_an_unsupported_media_type_or_encoding_is_415_without_the_body(
    service: RunningService, path: str, headers: dict[str, str], field: str, value: str, step: str
):
    """The framework would take the body for one string that holds the password."""
    body = b'{"username": "ada", "password": "a long password"}'
    if "Content-Encoding" in headers:
        body = gzip.compress(body)
    with service.client() as client:
        answer = client.post(f"/v1/auth/{path}", content=body, headers=headers)
    assert "a long password" not in answer.text
    told = problem(answer, 415, "unsupported-media")
    assert (told["field"], told["value"]) == (field, value)
    assert step in told["detail"]


def test_a_log_in_in_parts_is_told_which_field_is_missing(service: RunningService):
    with service.client() as client:
        answer = client.post("/v1/auth/token", files={"username": (None, "ada")})
    assert problem(answer, 422, "bad-input")["field"] == "password"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [(JSON, b"[]"), (JSON, b'"a"'), ("application/merge-patch+json", b"[]"), ("", b"")],
)
def test_a_body_that_is_not_an_object_is_told_what_to_send(
    service: RunningService, content_type: str, body: bytes
):
    headers = {"Content-Type": content_type} if content_type else {}
    with service.client() as client:
        answer = client.post("/v1/auth/register", content=body, headers=headers)
    assert "send one JSON object" in problem(answer, 422, "bad-input")["detail"]


def test_the_database_unavailable_problem_says_the_write_may_be_stored():
    answer = problem_response(
        errors.DatabaseUnavailable("10.0.0.1"), HTTPConnection({"type": "http"})
    )
    assert "may have been stored" in json.loads(bytes(answer.body))["detail"]


@pytest.mark.parametrize(
    ("error", "detail", "members", "headers"),
    [
        (errors.MuvrError("at 10.0.0.1"), "Something went wrong on our side", {}, {}),
        (errors.NotReady("it starts"), "it starts", {}, {"retry-after": "1"}),
        (
            errors.BadInput("rate_hz is 0", field="rate_hz", value=0),
            "rate_hz is 0",
            {"field": "rate_hz", "value": 0},
            {},
        ),
        (errors.MissingChunks("1", missing={"acc": [4]}), "1", {"missing": {"acc": [4]}}, {}),
        (
            errors.LimitExceeded("too many", limit="samples", retry_after_s=60),
            "too many",
            {"limit": "samples"},
            {"retry-after": "60", "ratelimit": '"samples";r=0;t=60'},
        ),
        (
            errors.NotAuthenticated("who?"),
            "who?",
            {},
            {"www-authenticate": 'Bearer realm="muvr", error="invalid_token"'},
        ),
        (
            errors.MissingScope("no"),
            "no",
            {},
            {"www-authenticate": 'Bearer realm="muvr", error="insufficient_scope"'},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_problem_has_the_members_and_headers_of_its_kind(
    error: errors.MuvrError, detail: str, members: dict[str, object], headers: dict[str, str]
):
    answer = problem_response(error, HTTPConnection({"type": "http", "muvr.request_id": "r1"}))
    document = json.loads(bytes(answer.body))
    kind = kind_of(error)
    assert document == {
        "type": f"urn:muvr:problem:{kind.name}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "request_id": "r1",
        **members,
    }
    sent = {name: value for name, value in answer.headers.items() if "content" not in name}
    assert (answer.status_code, sent) == (kind.status, headers)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, True),
        (2**53 - 1, 2**53 - 1),
        (2**53, str(2**53)),  # JavaScript reads it as another number
        (-(2**53), str(-(2**53))),
        (1.5, 1.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (b"a\xff", "a�"),
        ("x" * 120, "x" * 120),
        ("x" * 121, "x" * 120 + "…"),
        ([1, 2], "[1, 2]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_offending_value_is_shown_as_json_and_shortened(value: object, shown: object):
    error = errors.BadInput("it is wrong", field="x", value=value)
    answer = problem_response(error, HTTPConnection({"type": "http"}))
    assert json.loads(bytes(answer.body))["value"] == shown


@pytest.mark.parametrize(
    ("method", "path", "status", "name"),
    [
        ("GET", "/nowhere", 404, "not-there"),
        ("GET", "/v1/sessions/", 404, "not-there"),  # no redirect: see `redirect_slashes`
        ("PUT", "/v1/sessions/", 404, "not-there"),
        ("DELETE", "/v1/classify", 405, "method-not-allowed"),
        ("GET", "/v1/auth/register", 405, "method-not-allowed"),
        ("GET", "/v1/me/models", 401, "not-authenticated"),
    ],
)
def test_framework_errors_are_returned_as_problems(
    service: RunningService, method: str, path: str, status: int, name: str
):
    with service.client() as client:
        answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["type"] == f"urn:muvr:problem:{name}"
    assert told["status"] == status
    assert told["request_id"] == answer.headers["x-request-id"]


def test_a_truncated_json_body_is_a_422_problem(service: RunningService):
    with service.client() as client:
        answer = client.post(
            "/v1/auth/register", content=b"{", headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b"[1", b""])
def test_an_undecodable_body_is_422(service: RunningService, person: Person, body: bytes):
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
def test_a_lone_surrogate_is_422_without_a_token(service: RunningService, field: str, body: bytes):
    with service.client() as client:
        answer = client.post(
            "/v1/auth/register", content=body, headers={"Content-Type": "application/json"}
        )
    assert answer.status_code == 422, answer.text
    assert (answer.json()["field"], answer.json()["value"]) == (field, "?")


def test_the_allow_header_of_405_lists_every_method_of_the_path(service: RunningService):
    with service.client() as client:
        plan = client.patch("/v1/me/plans/1")
        classify = client.get("/v1/classify")
        page = client.post("/")
    assert plan.headers["allow"] == "DELETE, GET, HEAD, PUT"
    assert classify.headers["allow"] == "POST"
    assert page.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/", "/livez", "/docs", "/openapi.json", "/v1/sessions", "/no"])
def test_head_is_answered_like_get_without_the_body(person: Person, path: str):
    with person.client() as client:
        whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    for name in ("content-type", "content-length"):
        assert head.headers[name] == whole.headers[name]


def test_head_of_an_export_reads_no_more_than_its_beginning_and_is_no_error(
    keyspace: Cassandra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    async def endless(*_: object) -> AsyncIterator[bytes]:
        while True:
            read.append(1)
            yield b"a line\n"

    read: list[int] = []
    monkeypatch.setattr("api.own_data.export_user", endless)
    config = settings(keyspace, tmp_path)
    config = config.model_copy(update={"api": config.api.model_copy(update={"access_log": True})})
    lines: list[str] = []
    with (
        running(config, create_app(config, RequestLog(lines.append))) as service,
        service.register().client() as client,
    ):
        head = client.head("/v1/me/export")
        assert (head.status_code, head.content) == (200, b"")
        assert client.get("/livez").status_code == 200
    assert len(read) < 10
    logged = [json.loads(line) for text in lines for line in text.splitlines()]
    told = [(line["method"], line["status"], line["problem"]) for line in logged if "route" in line]
    assert ("HEAD", 200, None) in told
    assert not any("error" in line for line in logged)


def test_only_a_valid_request_id_is_kept(service: RunningService):
    with service.client() as client:
        mine = client.get("/livez", headers={"X-Request-Id": "abcd-1234"})
        evil = client.get("/livez", headers={"X-Request-Id": "a b<script>"})
    assert mine.headers["x-request-id"] == "abcd-1234"
    assert evil.headers["x-request-id"] != "a b<script>"


def test_an_oversized_body_is_413_with_and_without_content_length(
    service: RunningService, person: Person
):
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


def test_a_client_that_leaves_within_its_body_is_no_problem_of_its_request(
    service: RunningService,
):
    def left() -> float:
        with service.client() as client:
            text = client.get("/metrics").text
        route = 'muvr_requests_total{method="POST",route="/v1/auth/register",status="499"} '
        return sum(float(line[len(route) :]) for line in text.splitlines() if route in line)

    before = left()
    with socket.create_connection(("127.0.0.1", service.config.api.port), timeout=10) as line:
        line.sendall(
            b"POST /v1/auth/register HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 100\r\n\r\n{"
        )
        time.sleep(0.2)
    deadline = time.monotonic() + 10
    while left() == before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left() == before + 1


def test_an_unexpected_error_is_a_500_that_does_not_leak_its_message(
    keyspace: Cassandra, tmp_path: Path
):
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


def test_without_cassandra_requests_are_503_with_retry_after(tmp_path: Path):
    not_found = Cassandra(port=free_ports(1)[0])
    with running(settings(not_found, tmp_path)) as service, service.client() as client:
        assert client.get("/livez").status_code == 200
        page = client.get("/")
        assert (page.status_code, page.headers["retry-after"]) == (503, "1")
        for method, path in (("GET", "/readyz"), ("GET", "/v1/me/models"), ("GET", "/v1/sessions")):
            answer = client.request(method, path, headers={"Authorization": "Bearer x"})
            assert answer.status_code == 503, path
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.headers["content-type"] == "application/problem+json"
            assert str(not_found.port) not in answer.text  # the address is not disclosed


@pytest.mark.parametrize("body", [b'{"username" "a"}', b"\xff\xfe", b"{", b'{"username": "a"'])
def test_invalid_json_is_reported_on_the_field_body(service: RunningService, body: bytes):
    with service.client() as client:
        headers = {"Content-Type": "application/json"}
        answer = client.post("/v1/auth/register", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["field"] == "body"
    assert answer.json()["detail"].startswith("body: no JSON at character ")


def test_a_websocket_to_an_unknown_route_gets_a_404_problem(service: RunningService):
    url = service.url.replace("http://", "ws://") + "/v1/sessions"
    with pytest.raises(InvalidStatus) as refused:
        connect(url, open_timeout=20)
    answer = refused.value.response
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert json.loads(answer.body or b"")["type"] == "urn:muvr:problem:not-there"


HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
}


@pytest.mark.parametrize(
    ("changed", "method", "status", "name", "reason"),
    [
        ({"Sec-WebSocket-Key": "short"}, "GET", 400, "bad-request", "Sec-WebSocket-Key"),
        ({"Sec-WebSocket-Version": "12"}, "GET", 400, "bad-request", "Sec-WebSocket-Version"),
        ({}, "POST", 405, "method-not-allowed", "POST"),
    ],
)
def test_an_invalid_websocket_handshake_is_a_problem(
    service: RunningService,
    changed: dict[str, str],
    method: str,
    status: int,
    name: str,
    reason: str,
):
    with service.client() as client:
        answer = client.request(method, "/v1/sessions", headers={**HANDSHAKE, **changed})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code == status
    told = answer.json()
    assert (told["type"], told["status"]) == (f"urn:muvr:problem:{name}", status)
    assert reason in told["detail"]
