"""The outermost ASGI layer: request ids, size limits, time-outs, metrics, errors as problems."""

import asyncio
import random
import re
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.observe import Metrics, RequestLog
from api.problems import CLIENT_CLOSED_REQUEST, problem_response, unexpected
from api.scope_keys import (
    HEADERS,
    LEFT_BYTES,
    MAX_BODY_BYTES,
    NO_TIMEOUT,
    PROBLEM,
    RATE_LIMIT,
    REQUEST_ID,
)
from schemas.config import Config
from schemas.errors import MuvrError, RequestTimedOut, ResponseTimedOut, TooLarge

_ID = re.compile(rb"^[A-Za-z0-9_\-]{8,64}$")
_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class RequestMiddleware:
    """Wraps the application; plain ASGI, which takes some microseconds a request."""

    def __init__(
        self, app: ASGIApp, *, config: Config, metrics: Metrics, log: RequestLog | None
    ) -> None:
        self._app = app
        self._max_body_bytes = int(config.limits.body_mb * 2**20)
        self._body_timeout_s = config.api.body_timeout_s
        self._timeout_s = config.api.request_timeout_s
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "HEAD":  # answered like GET, without the body
            scope = {**scope, "method": "GET"}
        state = _RequestState(method, scope, receive, send, self._max_body_bytes)
        timeouts = _Timeouts(state, self._body_timeout_s, self._timeout_s)
        try:
            try:
                await self._app(scope, state.receive, state.send)
            finally:
                timeouts.end()
        except asyncio.CancelledError:
            if state.absorb_cancellation():
                return
            absorbed = timeouts.absorb_cancellation()
            if not absorbed:
                raise
            await state.respond(timeouts.problem)
        except MuvrError as problem:
            await state.respond(problem)
        except ClientDisconnect:
            state.status = state.status or CLIENT_CLOSED_REQUEST
        except Exception as problem:  # noqa: BLE001 (last resort: logged, and answered as 500)
            if self._log is not None:
                self._log.log_error(problem, request_id=state.request_id)
            await state.respond(None)
        finally:
            self._record(state)

    def _record(self, state: "_RequestState") -> None:
        took_s = time.perf_counter() - state.started_s
        route = getattr(state.scope.get("route"), "path", "none")
        method = state.method if route != "none" else "any"
        self._metrics.count_request(route, method, state.status, took_s)
        problem = state.scope.get(PROBLEM)
        if problem:
            self._metrics.count_problem(problem)
        if self._log is not None:
            self._log.line(
                at=datetime.now(UTC),
                request_id=state.request_id,
                method=method,
                route=route,
                status=state.status,
                problem=problem,
                ms=round(took_s * 1e3, 2),
                bytes_in=state.bytes_received,
                bytes_out=state.bytes_sent,
            )


class _RequestState:
    """The state of one request: what was received and sent."""

    def __init__(
        self, method: str, scope: Scope, receive: Receive, send: Send, max_body_bytes: int
    ) -> None:
        self.method = method
        self.scope = scope
        self.started_s = time.perf_counter()
        self.bytes_received = 0
        self.bytes_sent = 0
        self.status = 0
        headers = _RequestHeaders.of(scope)
        self.request_id = headers.request_id
        scope[REQUEST_ID] = self.request_id
        self._receive = receive
        self._send = send
        self._max_body_bytes = max_body_bytes
        self._received_before = 0
        self.awaiting_body = False
        self._task = cast("asyncio.Task[None]", asyncio.current_task())
        self._is_ended_early = False
        self._content_length = headers.body_bytes
        self.body_complete = not headers.has_body
        self.body_complete_s = self.started_s

    async def receive(self) -> Message:
        """The next message; of a body, as long as it is within the limit.

        Raises:
            TooLarge: the body is over the limit.
        """
        if self.body_complete:  # only a disconnect can follow
            return await self._receive()
        self._check_size(self._content_length)
        self.awaiting_body = True
        message = await self._receive()
        self.awaiting_body = False
        self.bytes_received += len(message.get("body", b""))
        self._check_size(self.bytes_received)
        if not message.get("more_body", False):
            self.body_complete = True
            self.body_complete_s = time.perf_counter()
        return message

    def take_progress(self) -> bool:
        """End a part of a long body; whether it arrived fast enough to wait for another one.

        Since the last call at least as many bytes must have arrived as a usual body may have. So
        only bodies with a larger limit can be: each such part gets the time of a usual body.
        """
        previous, self._received_before = self._received_before, self.bytes_received
        return self.bytes_received - previous >= self._max_body_bytes

    def left_bytes(self) -> int:
        """Bytes of the response that were sent and that the client has not taken."""
        left_bytes = self.scope.get(LEFT_BYTES)
        return left_bytes() if left_bytes is not None else 0

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send a message of the response, with the headers that every response has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            headers.append((b"x-request-id", self.request_id.encode()))
            headers.extend(_SAFE)
            rate_limit = self.scope.get(RATE_LIMIT)
            if rate_limit is not None:
                headers.extend(rate_limit.headers("default"))
            if not self.body_complete and self.status >= 400:
                headers.append((b"connection", b"close"))  # the rest of the body is not read
            message["headers"] = headers
            await self._send(message)
        elif self.method == "HEAD":
            await self._send({"type": "http.response.body"})
            if message.get("more_body", False):
                await self._end_early()
        else:
            await self._send(message)
            self.bytes_sent += len(message.get("body", b""))  # counted once the client has taken it

    async def _end_early(self) -> None:
        """Cancel the request, because nobody takes the rest of its response."""
        self._is_ended_early = True
        self._task.cancel()
        await asyncio.Event().wait()  # until the cancellation arrives here

    def absorb_cancellation(self) -> bool:
        """Whether the task was cancelled by `_end_early`; then it is cancelled no more."""
        return self._is_ended_early and self._task.uncancel() == 0

    async def respond(self, problem: MuvrError | None) -> None:
        """Send an error response, unless a response has begun."""
        if self.status:
            return
        request = Request(self.scope)
        response = problem_response(problem, request) if problem else unexpected(request)
        await response(self.scope, self._receive, self.send)

    def _check_size(self, size: int) -> None:
        max_body_bytes = self.scope.get(MAX_BODY_BYTES, self._max_body_bytes)
        if size > max_body_bytes:
            raise TooLarge(
                f"The body has {size} bytes or more; the cap is {max_body_bytes}.",
                field="body",
                value=size,
            )


class _Timeouts:
    """Cancels the task of a request whose body, or whose response, is not complete in time.

    A response that has begun may last as long as the client goes on reading it: an export to a slow
    phone takes minutes. Every `timeout_s` it is checked, and cancelled if nothing was sent or taken
    since.

    There is one timer, which a usual request only starts and stops: `asyncio.timeout` around body
    and response would each add a twentieth to the time of a chunk. When it ends and the body is
    complete, it is set to the rest of the response's time, which began with the body's last byte.
    """

    def __init__(self, state: _RequestState, body_timeout_s: float, timeout_s: float) -> None:
        self.problem: MuvrError | None = None
        self._state = state
        self._body_timeout_s = body_timeout_s
        self._timeout_s = timeout_s
        self._sent_before, self._left_before = -1, 0
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if state.body_complete:
            self._start_response_timer()
        else:
            self._timer = self._loop.call_later(body_timeout_s, self._on_body_timeout)

    def end(self) -> None:
        """Stop the timer: the request is over."""
        self._timer.cancel()

    def absorb_cancellation(self) -> bool:
        """Let the task go on if it was cancelled here, and by nothing else; whether it does."""
        return self.problem is not None and self._task is not None and self._task.uncancel() == 0

    def _on_body_timeout(self) -> None:
        if not self._state.awaiting_body:
            since_s = time.perf_counter() - self._state.body_complete_s
            self._start_response_timer(since_s if self._state.body_complete else 0.0)
            return
        has_progress = self._state.take_progress()
        if has_progress:
            self._timer = self._loop.call_later(self._body_timeout_s, self._on_body_timeout)
        else:
            self._cancel(RequestTimedOut("The body did not arrive in time."))

    def _start_response_timer(self, since_s: float = 0.0) -> None:
        left_s = max(0.0, self._timeout_s - since_s)
        self._timer = self._loop.call_later(left_s, self._on_response_timeout)

    def _on_response_timeout(self) -> None:
        state, left_bytes = self._state, self._state.left_bytes()
        if state.status:
            has_progress = state.bytes_sent > self._sent_before or left_bytes < self._left_before
        else:
            has_progress = NO_TIMEOUT in state.scope
        if has_progress:
            self._sent_before, self._left_before = state.bytes_sent, left_bytes
            self._start_response_timer()
        else:
            self._cancel(ResponseTimedOut("The answer was not ready in time."))

    def _cancel(self, problem: MuvrError) -> None:
        self.problem = problem
        if self._task is not None:
            self._task.cancel()


class _RequestHeaders(NamedTuple):
    """The body's length and the request's id, from the headers."""

    body_bytes: int
    has_body: bool
    request_id: str

    @classmethod
    def of(cls, scope: Scope) -> "_RequestHeaders":
        """Read the headers once.

        A chunked body has no length: 0 bytes, and `has_body`. A missing or malformed id is replaced
        by a random one.
        """
        headers = scope[HEADERS] = dict(scope["headers"])
        length = headers.get(b"content-length", b"0")
        body_bytes = int(length) if length.isdigit() else 0
        has_body = body_bytes > 0 or b"transfer-encoding" in headers
        request_id = headers.get(b"x-request-id")
        if request_id and _ID.match(request_id):
            return cls(body_bytes, has_body, request_id.decode())
        # It must be unique, but not hard to guess: it is no secret.
        return cls(body_bytes, has_body, f"{random.getrandbits(80):020x}")
