"""Slow, half-open and too many connections do not harm the service."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from api.problems import BY_STATUS
from ingest.erasure import erase_user
from schemas.config import Cassandra
from tests.api.conftest import PASSWORD, RunningService
from tests.api.lines import ask_for_export, dial, exporting, hasty_service, rest
from tests.api.served_workers import watched

HALF_A_BODY = (
    b"POST /v1/auth/register HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    b"content-length: 100\r\n\r\n{"
)


@pytest.fixture(scope="module")
def hasty(
    keyspace: Cassandra, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service with short timeouts and few connections."""
    folder = tmp_path_factory.mktemp("hasty")
    with hasty_service(keyspace, folder, body_timeout_s=3.0, connections=5) as service:
        yield service


@contextmanager
def crowd(service: RunningService) -> Iterator[None]:
    """All connections are taken, by requests whose bodies are waited for, until the block ends."""
    with ExitStack() as lines:
        for _ in range(5):
            lines.enter_context(dial(service)).sendall(HALF_A_BODY)
        time.sleep(0.1)
        yield
    with service.client() as client:
        assert any(client.get("/livez").status_code == 200 for _ in watched(20))


def test_an_idle_connection_is_closed(hasty: RunningService):
    began = time.monotonic()
    with dial(hasty) as line:
        assert rest(line) == b""
        assert time.monotonic() - began > 0.5


def test_incomplete_headers_are_answered_408(hasty: RunningService):
    with dial(hasty) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\nx-dri")
        answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"] == "urn:muvr:problem:too-slow"


def test_oversized_headers_are_answered_431(hasty: RunningService):
    with dial(hasty) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\n")
        answer = b""
        try:
            for number in range(4000):
                line.sendall(b"x-%d: %s\r\n" % (number, b"y" * 60))
            answer = rest(line)
        except (BrokenPipeError, ConnectionResetError):
            return  # closed while we were still sending, which is acceptable
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431")
    problem = json.loads(body)
    assert problem["type"] == "urn:muvr:problem:head-too-large"
    assert problem["title"] == BY_STATUS[431].title


def test_invalid_http_gets_a_problem(hasty: RunningService):
    with dial(hasty) as line:
        line.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in answer


def test_an_incomplete_body_is_answered_408(hasty: RunningService):
    with dial(hasty) as line:
        line.sendall(HALF_A_BODY)
        answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 408")


def test_a_connection_over_the_limit_is_told_to_retry(hasty: RunningService):
    with crowd(hasty), dial(hasty) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1" in answer.lower()


def test_a_websocket_over_the_limit_is_told_to_retry(hasty: RunningService):
    """A live connection counts like any other, and so does one that wants to become live."""
    with crowd(hasty), pytest.raises(InvalidStatus) as refused:
        connect(hasty.url.replace("http://", "ws://") + "/v1/sessions", open_timeout=20)
    answer = refused.value.response
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert json.loads(answer.body or b"")["type"] == "urn:muvr:problem:crowded"


def test_the_header_deadline_restarts_with_each_request(hasty: RunningService):
    """Each request has its own deadline, so a keep-alive connection may stay open."""
    with hasty.client() as client:
        for _ in range(6):
            assert client.get("/livez").status_code == 200
            time.sleep(0.4)


def test_a_slow_export_is_not_cut_by_the_request_timeout(
    hasty: RunningService, monkeypatch: pytest.MonkeyPatch
):
    exporting(monkeypatch, lines=10, each_bytes=10, pause_s=0.25)  # 2.5 s; timeouts: 1.5 s
    with hasty.register().client() as client:
        lines = client.get("/v1/me/export").text.splitlines()
    assert json.loads(lines[-1]) == {"complete": True, "lines": 10}


def test_a_slow_client_receives_a_long_export_line(
    hasty: RunningService, monkeypatch: pytest.MonkeyPatch
):
    exporting(monkeypatch, lines=1, each_bytes=16 * 2**20)
    answer = b""
    with ask_for_export(hasty, b"connection: close") as line:
        while part := line.recv(65536):
            answer = (answer + part)[-1000:]
            time.sleep(0.01)
    assert b'"complete":true' in answer


def test_an_unread_export_is_cancelled(hasty: RunningService, monkeypatch: pytest.MonkeyPatch):
    exporting(monkeypatch, lines=40, each_bytes=2**20)  # more than sockets buffer
    with ask_for_export(hasty, b"connection: close") as line:
        time.sleep(6)
        answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"complete":true' not in answer


def test_a_slow_erasure_is_not_cut_by_the_request_timeout(
    hasty: RunningService, monkeypatch: pytest.MonkeyPatch
):
    async def erase_slowly(*given: Any) -> Any:
        await asyncio.sleep(2.5)
        return await erase_user(*given)

    monkeypatch.setattr("api.own_data.erase_user", erase_slowly)
    person = hasty.register()
    with person.client() as client:
        answer = client.request("DELETE", "/v1/me")
        assert answer.status_code == 200, answer.text
        assert answer.json()["deleted"]["users"] == 1
        form = {"username": person.username, "password": PASSWORD}
        assert client.post("/v1/auth/token", data=form).status_code == 401
