"""The outermost layer: request ids, caps, time-outs, counting, and no error without an answer."""

import asyncio
import random
import re
import time
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.observe import Metrics, RequestLog
from api.problems import GONE, problem_response, unexpected
from api.raw import HEADS
from schemas.config import Config
from schemas.errors import MuvrError, RequestTimedOut, ResponseTimedOut, TooLarge

UNHURRIED = "muvr.unhurried"
"""Key in the scope of a request that is finished once begun, however long its answer takes."""

BODY_BYTES = "muvr.body_bytes"
"""Key in a request's scope of its own cap in bytes, where its body may be longer than others."""

LEFT = "muvr.left"
"""Key in a request's scope of what is left of its caller's rate limit."""

_ID = re.compile(rb"^[A-Za-z0-9_\-]{8,64}$")
_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class Gate:
    """Wraps the application; a plain ASGI layer, some microseconds a request."""

    def __init__(
        self, app: ASGIApp, *, config: Config, metrics: Metrics, log: RequestLog | None
    ) -> None:
        self._app = app
        self._cap_bytes = int(config.limits.body_mb * 2**20)
        self._body_timeout_s = config.api.body_timeout_s
        self._timeout_s = config.api.request_timeout_s
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = _Visit(scope, receive, send, self._cap_bytes)
        patience = _Patience(visit, self._body_timeout_s, self._timeout_s)
        try:
            try:
                await self._app(scope, visit.receive, visit.send)
            finally:
                patience.end()
        except asyncio.CancelledError:
            if not patience.ended_it():
                raise
            await visit.answer(patience.problem)
        except MuvrError as problem:
            await visit.answer(problem)
        except ClientDisconnect:
            visit.status = visit.status or GONE
        except Exception as problem:  # noqa: BLE001 (the last net: logged, and answered as 500)
            if self._log is not None:
                self._log.broke(problem, request_id=visit.request_id)
            await visit.answer(None)
        finally:
            self._count(visit)

    def _count(self, visit: "_Visit") -> None:
        took_s = time.perf_counter() - visit.began
        route = getattr(visit.scope.get("route"), "path", "none")
        method = visit.scope["method"] if route != "none" else "any"
        self._metrics.answered(route, method, visit.status, took_s)
        problem = visit.scope.get("muvr.problem")
        if problem:
            self._metrics.problems.labels(problem).inc()
        if self._log is not None:
            self._log.line(
                at=datetime.now(UTC),
                request_id=visit.request_id,
                method=method,
                route=route,
                status=visit.status,
                problem=problem,
                ms=round(took_s * 1e3, 2),
                bytes_in=visit.received,
                bytes_out=visit.sent,
            )


class _Visit:
    """One request: what came in and went out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, cap_bytes: int) -> None:
        self.scope = scope
        self.began = time.perf_counter()
        self.received = 0
        self.sent = 0
        self.status = 0
        head = _Head.of(scope)
        self.request_id = head.request_id
        scope["muvr.request_id"] = self.request_id
        self._receive = receive
        self._send = send
        self._cap_bytes = cap_bytes
        self._paced = 0
        self.awaits_body = False
        self._announced = head.body_bytes
        self.is_whole = not head.has_body

    async def receive(self) -> Message:
        """The next part of the body, as long as it is within the cap.

        Raises:
            TooLarge: over the cap.
        """
        if self.is_whole:  # only a disconnect can follow, and an answer may take its time
            return await self._receive()
        if self._announced > self._cap_bytes:
            self._refuse_long(self._announced)
        self.awaits_body = True
        message = await self._receive()
        self.awaits_body = False
        self.received += len(message.get("body", b""))
        if self.received > self._cap_bytes:
            self._refuse_long(self.received)
        self.is_whole = not message.get("more_body", False)
        return message

    def is_in_pace(self) -> bool:
        """Whether a long body comes fast enough to be waited for.

        Since the last call at least as many bytes must have come as a body of usual length may
        have. So only bodies with a longer cap can be in pace: each such part of them has as much
        time as a usual body has in all.
        """
        before, self._paced = self._paced, self.received
        return self.received - before >= self._cap_bytes

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Pass an answer on, with the headers that every answer has."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            headers.append((b"x-request-id", self.request_id.encode()))
            headers.extend(_SAFE)
            left = self.scope.get(LEFT)
            if left is not None:
                headers.extend(left.headers("default"))
            if not self.is_whole and self.status >= 400:
                headers.append((b"connection", b"close"))  # the rest of the body is not read
            message["headers"] = headers
            await self._send(message)
        else:
            await self._send(message)
            self.sent += len(message.get("body", b""))  # not before the client took what went first

    async def answer(self, problem: MuvrError | None) -> None:
        """Answer an error, unless an answer has begun."""
        if self.status:
            return
        request = Request(self.scope)
        response = problem_response(problem, request) if problem else unexpected(request)
        await response(self.scope, self._receive, self.send)

    def _refuse_long(self, size: int) -> None:
        cap_bytes = self.scope.get(BODY_BYTES, self._cap_bytes)
        if size > cap_bytes:
            raise TooLarge(
                f"The body has {size} bytes or more; the cap is {cap_bytes}.",
                field="body",
                value=size,
            )


class _Patience:
    """Cancels the task of a visit whose body, or whose answer, does not come in time.

    An answer that has begun may last as long as the client goes on reading it: an export to a slow
    phone takes minutes. Every `timeout_s` it is looked at, and cut where nothing was sent since.

    There is one timer, which a usual visit only starts and stops: `asyncio.timeout` around body and
    answer cost a chunk a twentieth of its time each.
    """

    def __init__(self, visit: _Visit, body_timeout_s: float, timeout_s: float) -> None:
        self.problem: MuvrError | None = None
        self._visit = visit
        self._body_timeout_s = body_timeout_s
        self._timeout_s = timeout_s
        self._sent = -1
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        if visit.is_whole:
            self._wait()
        else:
            self._timer = self._loop.call_later(body_timeout_s, self._body_is_due)

    def end(self) -> None:
        """The visit is over."""
        self._timer.cancel()

    def ended_it(self) -> bool:
        """Whether the task was cancelled here, and by nobody else."""
        return self.problem is not None and self._task is not None and self._task.uncancel() == 0

    def _body_is_due(self) -> None:
        if not self._visit.awaits_body:
            self._wait()
        elif self._visit.is_in_pace():
            self._timer = self._loop.call_later(self._body_timeout_s, self._body_is_due)
        else:
            self._cancel(RequestTimedOut("The body did not arrive in time."))

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._timeout_s, self._answer_is_due)

    def _answer_is_due(self) -> None:
        visit = self._visit
        goes_on = visit.sent > self._sent if visit.status else UNHURRIED in visit.scope
        if goes_on:
            self._sent = visit.sent
            self._wait()
        else:
            self._cancel(ResponseTimedOut("The answer was not ready in time."))

    def _cancel(self, problem: MuvrError) -> None:
        self.problem = problem
        if self._task is not None:
            self._task.cancel()


class _Head(NamedTuple):
    """What the headers say about the body, and the request's id."""

    body_bytes: int
    has_body: bool
    request_id: str

    @classmethod
    def of(cls, scope: Scope) -> "_Head":
        """Read the headers once.

        A chunked body has no length: 0 bytes, and `has_body`. An id that does not look like one, or
        none, gives way to a random one.
        """
        heads = scope[HEADS] = dict(scope["headers"])
        length = heads.get(b"content-length", b"0")
        body_bytes = int(length) if length.isdigit() else 0
        has_body = body_bytes > 0 or b"transfer-encoding" in heads
        named = heads.get(b"x-request-id")
        if named and _ID.match(named):
            return cls(body_bytes, has_body, named.decode())
        # A name, not a secret: it need not be beyond guessing, only unlike the others.
        return cls(body_bytes, has_body, f"{random.getrandbits(80):020x}")
