"""The outermost ASGI layer: request ids, size limits, time-outs, metrics, errors as problems."""

import asyncio
import time

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from api.metrics import Metrics
from api.problems import CLIENT_CLOSED_REQUEST
from api.request_log import RequestLog
from api.request_state import RequestState
from api.request_timeouts import RequestTimeouts
from api.scope_keys import PROBLEM
from schemas.config import Config
from schemas.errors import MuvrError
from schemas.times import server_time


class RequestMiddleware:
    """Wraps the application; plain ASGI, which takes some microseconds a request."""

    def __init__(
        self, app: ASGIApp, *, config: Config, metrics: Metrics, log: RequestLog | None
    ) -> None:
        self._app = app
        self._max_body_bytes = config.limits.body_bytes
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
        state = RequestState(method, scope, receive, send, self._max_body_bytes)
        timeouts = RequestTimeouts(state, self._body_timeout_s, self._timeout_s)
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

    def _record(self, state: RequestState) -> None:
        took_s = time.perf_counter() - state.started_s
        route = getattr(state.scope.get("route"), "path", "none")
        method = state.method if route != "none" else "any"
        self._metrics.count_request(route, method, state.status, took_s)
        problem = state.scope.get(PROBLEM)
        if problem:
            self._metrics.count_problem(problem)
        if self._log is not None:
            self._log.line(
                at=server_time(),
                request_id=state.request_id,
                method=method,
                route=route,
                status=state.status,
                problem=problem,
                ms=round(took_s * 1e3, 2),
                bytes_in=state.bytes_received,
                bytes_out=state.bytes_sent,
            )
