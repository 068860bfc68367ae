"""The state of one request: what was received and sent, and the headers of every response."""

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any, cast

from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from api.problems import problem_response, unexpected
from api.request_head import RequestHead
from api.scope_keys import LEFT_BYTES, MAX_BODY_BYTES, RATE_LIMIT, REQUEST_ID
from schemas.errors import MuvrError, TooLarge

_SAFE = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


class RequestState:
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
        head = RequestHead.of(scope)
        self.request_id = head.request_id
        scope[REQUEST_ID] = self.request_id
        self._receive = receive
        self._send = send
        self._max_body_bytes = max_body_bytes
        self._received_before = 0
        self.awaiting_body = False
        self._task = cast("asyncio.Task[None]", asyncio.current_task())
        self._is_ended_early = False
        self._content_length = head.body_bytes
        self.body_complete = not head.has_body
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
                headers.extend(rate_limit.headers())
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
