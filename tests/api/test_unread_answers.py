"""What clients do not read, and what they send beside heads and bodies, is bounded."""

import asyncio
import base64
import fcntl
import json
import os
import socket
import sys
import termios
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

import psutil
import pytest
import uvloop

from api.closing_transport import left_bytes
from api.websocket_protocol import MAX_FRAGMENTS
from schemas.config import Cassandra
from tests.api.conftest import RunningService
from tests.api.lines import ask_for_export, dial, exporting, hasty_service

MOST_BUFFERED = 48 * 2**20  # bytes that the system's own buffers of a connection may take
MASK = b"\x00\x00\x00\x00"
PING = b"\x89\xfd" + MASK + bytes(125)


@pytest.fixture(scope="module")
def hasty(
    keyspace: Cassandra, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningService]:
    """A service with short timeouts, on the loop that installations have."""
    folder = tmp_path_factory.mktemp("hasty")
    with hasty_service(keyspace, folder, uvloop.run, body_timeout_s=4.0) as service:
        yield service


def go_live(service: RunningService) -> socket.socket:
    """A live connection, accepted and not authenticated."""
    line = dial(service)
    key = base64.b64encode(os.urandom(16))
    line.sendall(
        b"GET /v1/sessions/%s/live HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\n"
        b"upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: %s\r\n\r\n"
        % (str(uuid.uuid4()).encode(), key)
    )
    assert line.recv(65536).startswith(b"HTTP/1.1 101")
    return line


def is_served(service: RunningService, line: socket.socket) -> bool:
    """Whether the service, which runs in this process, still has its end of a connection."""
    port = line.getsockname()[1]
    return any(
        one.raddr and (one.laddr.port, one.raddr.port) == (service.config.api.port, port)
        for one in psutil.Process().net_connections("tcp")
    )


def wait_until_ended(service: RunningService, line: socket.socket) -> None:
    deadline = time.monotonic() + 40
    while is_served(service, line):
        assert time.monotonic() < deadline, "the service keeps the connection"
        time.sleep(0.05)


def wait_until_full(line: socket.socket) -> None:
    """Until nothing more arrives: the rest of a long answer, which is not read, has to wait."""
    before, now, deadline = -1, 0, time.monotonic() + 40
    while not now or now != before:
        assert time.monotonic() < deadline, "nothing arrives, or there is no end of it"
        time.sleep(0.3)
        before, now = (
            now,
            int.from_bytes(fcntl.ioctl(line, termios.FIONREAD, bytes(4)), sys.byteorder),
        )


def flood(line: socket.socket, data: bytes) -> int:
    """Send the same again and again without reading; how many bytes were taken."""
    line.settimeout(1)
    sent = 0
    try:
        while sent < 2 * MOST_BUFFERED:
            sent += line.send(data)
    except OSError:
        pass
    return sent


def test_pings_are_not_read_while_their_answers_are_not_taken(hasty: RunningService):
    with go_live(hasty) as line:
        assert flood(line, PING * 5000) < MOST_BUFFERED


def test_an_unread_connection_ends_although_its_last_problem_is_not_taken(
    hasty: RunningService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("api.live.AUTH_TIMEOUT_S", 2.0)
    monkeypatch.setattr("api.live_connection.FAREWELL_S", 0.3)
    with go_live(hasty) as line:
        flood(line, PING * 5000)
        wait_until_ended(hasty, line)


def test_a_client_that_reads_late_gets_all_answers_to_its_pings(
    hasty: RunningService, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("api.live.AUTH_TIMEOUT_S", 120.0)
    with go_live(hasty) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        count, found = 40_000, 0
        line.setblocking(False)
        left = memoryview(PING * count)
        deadline = time.monotonic() + 100
        while found < count * 127 and time.monotonic() < deadline:
            with suppress(BlockingIOError):
                left = left[line.send(left) :] if left else left
            try:
                found += len(line.recv(65536))
            except BlockingIOError:
                time.sleep(0.001)
        assert found == count * 127


def test_a_message_of_endless_empty_fragments_is_refused(hasty: RunningService):
    with go_live(hasty) as line:
        line.sendall(b"\x01\x80" + MASK + (b"\x00\x80" + MASK) * (MAX_FRAGMENTS + 10))
        answer = line.recv(65536)
    assert answer[0] == 0x88  # close
    assert int.from_bytes(answer[2:4], "big") == 1009


def test_a_message_of_many_fragments_is_taken(hasty: RunningService):
    text = json.dumps({"auth": "no token"}).encode()
    parts = [b"\x00\x81" + MASK + text[n : n + 1] for n in range(1, len(text))]
    with go_live(hasty) as line:
        line.sendall(b"\x01\x81" + MASK + text[:1] + b"".join(parts) + b"\x80\x80" + MASK)
        answer = line.recv(65536)
    assert b"not-authenticated" in answer


@pytest.fixture
def long_export(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let exports be longer than all buffers: 40 MiB, which nobody has recorded here."""
    exporting(monkeypatch, lines=40, each_bytes=2**20)


@pytest.mark.usefixtures("long_export")
def test_a_cut_answer_that_nobody_takes_ends_its_connection(hasty: RunningService):
    with ask_for_export(hasty) as line:
        assert line.recv(100).startswith(b"HTTP/1.1 200")
        assert is_served(hasty, line)
        wait_until_ended(hasty, line)


@pytest.mark.usefixtures("long_export")
def test_a_client_that_sends_no_more_and_does_not_read_loses_its_connection(hasty: RunningService):
    """At the end of what it sends, the loop closes its side by itself."""
    with ask_for_export(hasty) as line:
        assert line.recv(100).startswith(b"HTTP/1.1 200")
        wait_until_full(line)  # else all that was written is sent, and the end is a usual one
        line.shutdown(socket.SHUT_WR)
        assert is_served(hasty, line)
        wait_until_ended(hasty, line)


def test_a_client_that_reads_slowly_makes_progress_in_the_systems_buffer():
    async def transfer() -> tuple[int, int, int, int]:
        """What waits in the process and what is left, before and after a little was read."""
        found: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()

        class Sender(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                found.set_result(cast("asyncio.Transport", transport))

        server = await asyncio.get_running_loop().create_server(Sender, "127.0.0.1", 0)
        with socket.create_connection(server.sockets[0].getsockname()) as line:
            transport = await found
            transport.write(bytes(2 * MOST_BUFFERED))
            before = await steady(transport)
            for _ in range(100):
                line.recv(4096)
                await asyncio.sleep(0.001)
                if left_bytes(transport) < before[1]:
                    break
            after = transport.get_write_buffer_size(), left_bytes(transport)
            transport.abort()
            server.close()
        return *before, *after

    async def steady(transport: asyncio.Transport) -> tuple[int, int]:
        before = (-1, -1)
        while (now := (transport.get_write_buffer_size(), left_bytes(transport))) != before:
            before = now
            await asyncio.sleep(0.2)
        return now

    waiting, left, still_waiting, still_left = uvloop.run(transfer())
    assert waiting < left
    assert (still_waiting, still_left < left) == (waiting, True)


CHUNKED = (
    b"POST /v1/auth/revoke HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n"
)
BODY = b'{"token": "none"}'
CHUNK = b"%x\r\n%s\r\n" % (len(BODY), BODY)


def answer_to(service: RunningService, *parts: bytes) -> bytes:
    with dial(service) as line:
        found = b""
        try:
            for part in parts:
                line.sendall(part)
                time.sleep(0.05)
            while part := line.recv(65536):
                found += part
        except (BrokenPipeError, ConnectionResetError):
            pass  # ended while this side was still sending
    return found


@pytest.mark.parametrize("pieces", [1, 3])
def test_trailers_are_no_headers(hasty: RunningService, pieces: int):
    parts = (CHUNKED, CHUNK, b"0\r\nx-request-id: from-a-trailer\r\n\r\n")
    answer = answer_to(hasty, *(parts if pieces == 3 else [b"".join(parts)]))
    assert answer.startswith(b"HTTP/1.1 204")
    assert b"from-a-trailer" not in answer


@pytest.mark.parametrize(
    "beside",
    [
        b"0\r\n" + b"x: y\r\n" * 200_000,
        b"0\r\nx: " + b"y" * 2**20,
        b"1;" + b"y" * 2**20,
    ],
    ids=["trailers", "a trailer", "an extension"],
)
def test_what_comes_beside_a_body_is_bounded(hasty: RunningService, beside: bytes):
    answer = answer_to(hasty, CHUNKED, CHUNK, beside)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431")


def test_next_head_without_an_end_is_bounded_while_a_request_is_answered(
    hasty: RunningService, monkeypatch: pytest.MonkeyPatch
):
    exporting(monkeypatch, lines=100, each_bytes=1, pause_s=0.1)
    with ask_for_export(hasty) as line:
        assert line.recv(100).startswith(b"HTTP/1.1 200")
        line.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n")
        assert flood(line, b"x-much: " + b"y" * 1000 + b"\r\n") < MOST_BUFFERED
        wait_until_ended(hasty, line)
