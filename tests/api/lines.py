"""Connections to a hasty service, byte by byte, and exports of any length to ask it for."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from schemas.config import Api, Cassandra
from tests.api.conftest import RunningService, running, settings


def hasty_service(
    keyspace: Cassandra,
    folder: Path,
    run: Callable[[Coroutine[Any, Any, None]], None] = asyncio.run,
    **limits: float,
) -> AbstractContextManager[RunningService]:
    """A service with short timeouts, on the event loop of `run`."""
    short = {"idle_timeout_s": 1, "request_timeout_s": 1.5, **limits}
    api = Api(access_log=False, **short)
    return running(settings(keyspace, folder, api=api), run=run)


def dial(service: RunningService) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.config.api.port), timeout=10)


def rest(line: socket.socket) -> bytes:
    """Everything until the server closes the connection."""
    found = b""
    while part := line.recv(65536):
        found += part
    return found


def ask_for_export(service: RunningService, *headers: bytes) -> socket.socket:
    """A connection of a new user, whose export is asked for and not read yet."""
    token = service.register().tokens["access_token"].encode()
    line = dial(service)  # now: it has a second to ask
    head = (b"GET /v1/me/export HTTP/1.1", b"host: x", b"authorization: Bearer " + token, *headers)
    line.sendall(b"\r\n".join(head) + b"\r\n\r\n")
    return line


def exporting(patch: pytest.MonkeyPatch, lines: int, each_bytes: int, pause_s: float = 0.0) -> None:
    """Replace every export by `lines` lines of `each_bytes` bytes."""

    async def export_user(*_: object) -> AsyncIterator[dict[str, Any]]:
        for _ in range(lines):
            await asyncio.sleep(pause_s)
            yield {"table": "samples", "row": "x" * each_bytes}

    patch.setattr("api.own_data.export_user", export_user)
