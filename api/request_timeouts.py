"""Ends requests whose body or response is not complete in time."""

import asyncio
import time

from api.request_state import RequestState
from api.scope_keys import NO_TIMEOUT
from schemas.errors import MuvrError, RequestTimedOut, ResponseTimedOut


class RequestTimeouts:
    """Cancels the task of a request whose body, or whose response, is not complete in time.

    A response that has begun may last as long as the client goes on reading it: an export to a slow
    phone takes minutes. Every `timeout_s` it is checked, and cancelled if nothing was sent or taken
    since.

    There is one timer, which a usual request only starts and stops: `asyncio.timeout` around body
    and response would each add a twentieth to the time of a chunk. When it ends and the body is
    complete, it is set to the rest of the response's time, which began with the body's last byte.
    """

    def __init__(self, state: RequestState, body_timeout_s: float, timeout_s: float) -> None:
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
