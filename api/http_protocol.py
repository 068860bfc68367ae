"""Closes connections that send no request in time, and refuses request heads that are too long.

uvicorn starts its idle timer only after a first response, and httptools does not limit the head,
nor what a chunked body has beside its bytes: trailers and extensions of chunks. The body has its
own limits in `api.request_state` and `api.request_timeouts`.
"""

import asyncio
from functools import partial
from typing import Any, cast

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.closing_transport import closing, left_bytes
from api.problems import BY_STATUS, CROWDED, KINDS, MEDIA_TYPE, ProblemKind, unread_problem
from api.scope_keys import LEFT_BYTES
from schemas.errors import RequestTimedOut

MAX_HEAD_BYTES = 64 * 1024
CROWDED_DETAIL = "Too many connections at this moment."


class DeadlineProtocol(HttpToolsProtocol):
    """uvicorn's protocol with a deadline for each request head: `api.idle_timeout_s`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_complete = False
        self._in_head = False
        self._loose_bytes = 0  # received since the last head or part of a body
        self._max_connections = self.limit_concurrency
        self.limit_concurrency = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start the timer for the first head."""
        super().connection_made(closing(transport, self.loop, self.timeout_keep_alive))
        if self._max_connections is not None and len(self.connections) > self._max_connections:
            self.app = _too_many_connections
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse a head that is too long, and a body with too much beside it.

        A head that comes in one piece, as most do, needs no timer.
        """
        idle = self.cycle is None or self.cycle.response_complete
        self._loose_bytes += len(data)
        self._head_complete = False
        super().data_received(data)
        if self._head_timer is None and idle and not self._head_complete:
            self._start_timer()
        if self._loose_bytes > MAX_HEAD_BYTES:
            self._refuse_rest()

    def on_message_begin(self) -> None:
        """Take headers from here on."""
        self._in_head = True
        super().on_message_begin()
        scope = cast("dict[str, Any]", self.scope)
        scope[LEFT_BYTES] = partial(left_bytes, self.transport)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header of the head; trailers, which the parser gives here as well, are dropped.

        They would be headers that no proxy has seen, such as X-Forwarded-For.
        """
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the timer: the head is complete."""
        self._head_complete = True
        self._in_head = False
        self._loose_bytes = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._loose_bytes = 0
        super().on_body(body)

    def eof_received(self) -> None:
        """Close, with an end: the loop itself closes what is inside the transport."""
        self.transport.close()

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
        if self._in_head:
            self._refuse(KINDS[RequestTimedOut], "The head did not arrive in time.")
        elif not self.transport.is_closing():
            self.transport.close()

    def _refuse_rest(self) -> None:
        """End a connection that sends a head, or trailers and extensions of chunks, without an end.

        It is told why, unless that could be taken for the answer to another request, or a part.
        """
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            is_free = True
        else:
            is_free = not self._in_head and not cycle.response_started
            cycle.disconnected = True  # nothing is written after the refusal
            cycle.message_event.set()
        if is_free:
            what = "head is" if self._in_head else "trailers or extensions of chunks are"
            self._refuse(BY_STATUS[431], f"The {what} longer than {MAX_HEAD_BYTES} bytes.")
        else:
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
