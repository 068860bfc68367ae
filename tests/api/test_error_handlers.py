"""Errors that reach the framework: unreadable bodies, unknown methods and paths."""

import gzip
import socket
import time

import pytest

from tests.api.conftest import Person, RunningService
from tests.api.phone import problem

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


@pytest.mark.parametrize("body", [b'{"username" "a"}', b"\xff\xfe", b"{", b'{"username": "a"'])
def test_invalid_json_is_reported_on_the_field_body(service: RunningService, body: bytes):
    with service.client() as client:
        headers = {"Content-Type": "application/json"}
        answer = client.post("/v1/auth/register", content=body, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["field"] == "body"
    assert answer.json()["detail"].startswith("body: no JSON at character ")


def test_the_allow_header_of_405_lists_every_method_of_the_path(service: RunningService):
    with service.client() as client:
        plan = client.patch("/v1/me/plans/1")
        classify = client.get("/v1/classify")
        page = client.post("/")
    assert plan.headers["allow"] == "DELETE, GET, HEAD, PUT"
    assert classify.headers["allow"] == "POST"
    assert page.headers["allow"] == "GET, HEAD"


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
