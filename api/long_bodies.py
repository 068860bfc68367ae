"""Long bodies: how many a worker keeps in memory, and how many it handles at the same time."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any
from uuid import UUID

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive

from api.dependencies import SENSOR_WRITE, services_of
from api.request_head import header_of
from api.scope_keys import MAX_BODY_BYTES
from schemas.errors import Retryable

MAX_KEPT = 8
"""Long bodies of a worker that arrive, wait for their turn or are handled: 128 MiB at the default
limit, and one of them more while its parts are joined."""
MAX_KEPT_PER_USER = 2
"""A phone that repeats a call while its first one is half open needs two."""
MAX_HANDLED = 2
"""Long bodies that a worker handles at the same time: that of a day of one-second chunks, both
sensors, takes 150 MB until it is stored."""
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LongBodies:
    """The long bodies of a worker: those that it has in memory, and those that it handles.

    Args:
        short_bytes: up to this length a body is no long one.
    """

    def __init__(self, short_bytes: int) -> None:
        self.short_bytes = short_bytes
        self.turns = asyncio.Semaphore(MAX_HANDLED)
        self._kept: Counter[UUID] = Counter()

    @asynccontextmanager
    async def received(
        self, request: Request, user_id: UUID, declared_bytes: int
    ) -> AsyncGenerator[bytes]:
        """The body of a request; of a long one the block is its turn.

        A body arrives before it waits for its turn: so a slow phone holds up nobody, and waiting
        is not counted as time to arrive.

        Raises:
            Retryable: too many long bodies are in memory.
            TooLarge, ClientDisconnect.
        """
        parts: list[bytes] = []
        received_bytes, is_long = 0, False
        async with AsyncExitStack() as stack:
            async for part in request.stream():
                parts.append(part)
                received_bytes += len(part)
                if not is_long and max(declared_bytes, received_bytes) > self.short_bytes:
                    is_long = True
                    stack.enter_context(self.keep(user_id))
            body = b"".join(parts)
            parts.clear()
            if is_long:
                await stack.enter_async_context(self.turns)
            yield body

    @contextmanager
    def keep(self, user_id: UUID) -> Generator[None]:
        """Count a long body of a user until the block ends.

        Raises:
            Retryable: too many are in memory.
        """
        if self._kept[user_id] >= MAX_KEPT_PER_USER or self._kept.total() >= MAX_KEPT:
            raise Retryable("Too many long bodies are arriving; send this one again later.")
        self._kept[user_id] += 1
        try:
            yield
        finally:
            self._kept[user_id] -= 1
            self._kept = +self._kept  # without the users who have none any more


class LongBodyRoute(APIRoute):
    """A route of recorders (`sensor:write`) that takes bodies of up to `limits.completion_mb`.

    The sender of a body that is longer than `limits.body_mb`, or of unknown length, is authorised
    before any of it is read. Few long bodies are handled at once; the others wait.
    """

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, after a long body has arrived and waited for its turn."""
        handle = super().get_route_handler()

        async def handle_in_turn(request: Request) -> Response:
            """Handle a short body as usual, a long one in its turn."""
            services = services_of(request)
            long_bodies: LongBodies = request.app.state.long_bodies
            length = header_of(request, b"content-length")
            if length.isdecimal() and int(length) <= long_bodies.short_bytes:
                return await handle(request)
            caller = await services.authenticator.authenticate(header_of(request, b"authorization"))
            caller.require_scope(SENSOR_WRITE)
            request.scope[MAX_BODY_BYTES] = services.config.limits.completion_bytes
            declared_bytes = int(length) if length.isdecimal() else 0
            async with long_bodies.received(request, caller.user_id, declared_bytes) as body:
                return await handle(Request(request.scope, _receiving(body)))

        return handle_in_turn


def _receiving(body: bytes) -> Receive:
    """Receives a body that has arrived already."""

    async def receive() -> Message:
        """The whole body."""
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
