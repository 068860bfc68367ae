"""Closes connections that send no request in time, and refuses request heads that are too long.

uvicorn starts its idle timer only after a first response, and httptools does not limit the head;
the body has its own limits in `api.request_middleware`.
"""

import asyncio
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problems import BY_STATUS, CROWDED, KINDS, MEDIA_TYPE, ProblemKind, unread_problem
from schemas.errors import RequestTimedOut

MAX_HEAD_BYTES = 64 * 1024
CROWDED_DETAIL = "Too many connections at this moment."


class DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline for each request head: `api.idle_timeout_s`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._head_complete = False
        self._max_connections = self.limit_concurrency
        self.limit_concurrency = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the timer for the first head."""
        super().connection_made(transport)
        if self._max_connections is not None and len(self.connections) > self._max_connections:
            self.app = _too_many_connections
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse a head that is too long.

        A head that comes in one piece, as most do, needs no timer.
        """
        idle = self.cycle is None or self.cycle.response_complete
        if self._head_timer is None:
            self._head_bytes = 0
        self._head_bytes += len(data)
        self._head_complete = False
        super().data_received(data)
        if self._head_timer is None and idle and not self._head_complete:
            self._start_timer()
        if self._head_timer is not None and self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(BY_STATUS[431], f"The head is longer than {MAX_HEAD_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        """Stop the timer: the head is complete."""
        self._head_complete = True
        self._stop_timer()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer with the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection to the WebSocket protocol, unless there are too many."""
        if self.app is _too_many_connections:
            self._refuse(CROWDED, CROWDED_DETAIL, b"retry-after: 1\r\n")
        else:
            super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Answer invalid HTTP with a problem, like any other error."""
        self._refuse(BY_STATUS[400], msg)

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.timeout_keep_alive, self._on_timeout)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_timeout(self) -> None:
        self._head_timer = None
        if self._head_bytes:
            self._refuse(KINDS[RequestTimedOut], "The head did not arrive in time.")
        elif not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, kind: ProblemKind, detail: str, more_headers: bytes = b"") -> None:
        if self.transport.is_closing():
            return
        body = unread_problem(kind, detail)
        head = (
            f"HTTP/1.1 {kind.status} {kind.name}\r\ncontent-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n"
        )
        self.transport.write(head.encode() + more_headers + b"\r\n" + body)
        self.transport.close()


async def _too_many_connections(scope: Scope, receive: Receive, send: Send) -> None:
    """The response to a connection over the limit."""
    body = unread_problem(CROWDED, CROWDED_DETAIL)
    headers = {"Retry-After": "1", "Connection": "close"}
    await Response(body, CROWDED.status, headers, media_type=MEDIA_TYPE)(scope, receive, send)
