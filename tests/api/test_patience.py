"""Slow, half-open and too many clients do no harm."""

import json
import socket
import time
from collections.abc import Iterator

import pytest

from schemas.config import Api, Cassandra
from tests.api.conftest import RunningService, running, settings
from tests.cassandra_node import free_ports


@pytest.fixture(scope="module")
def hasty(
    keyspace: Cassandra, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service with little patience and few places."""
    api = Api(
        port=free_ports(1)[0],
        access_log=False,
        idle_timeout_s=1,
        body_timeout_s=1.0,
        connections=5,
    )
    with running(settings(keyspace, tmp_path_factory.mktemp("hasty"), api=api)) as service:
        yield service


def dial(service: RunningService) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.config.api.port), timeout=10)


def rest(line: socket.socket) -> bytes:
    """Everything until the other side hangs up."""
    found = b""
    while part := line.recv(65536):
        found += part
    return found


def test_a_connection_that_says_nothing_is_closed(hasty: RunningService):
    with dial(hasty) as line:
        began = time.monotonic()
        assert rest(line) == b""
        assert 0.5 < time.monotonic() - began < 5


def test_a_head_that_drips_is_answered_408(hasty: RunningService):
    with dial(hasty) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\nx-dri")
        answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"] == "urn:muvr:problem:too-slow"


def test_a_head_without_an_end_is_answered_431(hasty: RunningService):
    with dial(hasty) as line:
        line.sendall(b"GET /livez HTTP/1.1\r\n")
        answer = b""
        try:
            for number in range(4000):
                line.sendall(b"x-%d: %s\r\n" % (number, b"y" * 60))
            answer = rest(line)
        except (BrokenPipeError, ConnectionResetError):
            return  # it hung up while we were still talking, which is as good
    assert answer.startswith(b"HTTP/1.1 431")


def test_what_is_no_http_is_a_problem_too(hasty: RunningService):
    with dial(hasty) as line:
        line.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in answer


def test_a_body_that_drips_is_answered_408(hasty: RunningService):
    with dial(hasty) as line:
        line.sendall(
            b"POST /v1/auth/register HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
            b"content-length: 100\r\n\r\n{"
        )
        answer = rest(line)
    assert answer.startswith(b"HTTP/1.1 408")


def test_one_connection_too_many_is_told_to_come_back(hasty: RunningService):
    lines = [dial(hasty) for _ in range(5)]
    try:
        time.sleep(0.1)
        with dial(hasty) as line:
            line.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
            answer = rest(line)
    finally:
        for line in lines:
            line.close()
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1" in answer.lower()
    time.sleep(0.2)
    with hasty.client() as client:
        assert client.get("/livez").status_code == 200


def test_a_long_conversation_is_not_mistaken_for_a_slow_one(hasty: RunningService):
    """Each head has the deadline anew: a kept-alive connection may live on."""
    with hasty.client() as client:
        for _ in range(6):
            assert client.get("/livez").status_code == 200
            time.sleep(0.4)
