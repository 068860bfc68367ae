"""Routes that anybody may call: their bodies are short, and a call is counted before it is read."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from api.dependencies import services_of
from api.scope_keys import MAX_BODY_BYTES, RATE_LIMIT

BODY_BYTES = 16 * 1024
"""The largest body: a token has at most 4,096 characters, and an escaped password 3 KB."""
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class AccountRoute(APIRoute):
    """A route of registration, tokens and logout, which need no token."""

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, after the caller's address was counted against the limit of logins."""
        handle = super().get_route_handler()

        async def handle_counted(request: Request) -> Response:
            """Count the call, then read its body."""
            limiter = services_of(request).rate_limiter
            address = request.client.host if request.client else "unknown"
            request.scope[RATE_LIMIT] = limiter.take_login(address)
            request.scope[MAX_BODY_BYTES] = BODY_BYTES
            return await handle(request)

        return handle_counted
