"""Every error is a problem document that says what is wrong and leaks nothing."""

import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.requests import HTTPConnection

from api.problems import KINDS, kind_of, problem_response
from api.scope_keys import REQUEST_ID
from schemas import errors
from schemas.config import Cassandra
from tests.api.conftest import Person, RunningService, logging, running, settings
from tests.ports import free_ports

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
    answer = problem_response(error, HTTPConnection({"type": "http", REQUEST_ID: "r1"}))
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


def test_an_unexpected_error_is_a_500_that_does_not_leak_its_message(
    keyspace: Cassandra, tmp_path: Path
):
    lines: list[str] = []

    async def boom() -> None:
        raise RuntimeError("the password of anna is hunter2")

    with logging(keyspace, tmp_path, lines) as service, service.client() as client:
        service.app.get("/boom")(boom)
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
