"""One live connection: its caller, its chunks in flight, and the messages sent over it."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from api.authenticator import Caller
from api.chunk_items import BadItem, Item
from api.dependencies import Services
from api.live_results import LiveGuess, LiveSetTracker
from api.metrics import Metrics
from api.problems import embedded_problem, kind_of, problem_members, retry_after_s
from api.request_log import RequestLog
from ingest.chunks import NumberedChunk
from schemas.errors import MuvrError

MAX_CHUNKS_OF_CONNECTION = 16  # that are stored at the same time; more wait in the socket
ROUTE = "/v1/sessions/{session}/live"
# Close codes: 4000 + the status of the problem that ends the connection.
CLOSE_BASE = 4000
FAREWELL_S = 10.0  # how long the last problem of a connection may take to be written


@dataclass(slots=True)
class LiveConnection:
    """One connection; `streams` are those of the session that it knows."""

    socket: WebSocket
    services: Services
    session_id: UUID
    token: str
    caller: Caller
    streams: frozenset[str]
    guess: LiveGuess
    sets: LiveSetTracker
    in_flight: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(MAX_CHUNKS_OF_CONNECTION)
    )
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    send_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    renewal_requested: bool = False

    @property
    def is_open(self) -> bool:
        """Whether neither side is known to have closed it."""
        states = (self.socket.application_state, self.socket.client_state)
        return states == (WebSocketState.CONNECTED, WebSocketState.CONNECTED)

    async def send(self, kind: str, **members: Any) -> None:
        """Send a message, unless the connection is closed."""
        text = msgspec.json.encode({"type": kind, **members}).decode()
        async with self.send_lock:
            if self.is_open:
                await ignore_disconnect(self.socket.send_text(text))

    async def send_problem(
        self, error: Exception, item: Item | BadItem | NumberedChunk | None = None
    ) -> None:
        """Send a problem, with the chunk that it is about and when to retry."""
        known = _known_error(error, self.socket)
        self.services.metrics.count_problem(kind_of(known).name)
        about = {} if item is None else {"stream": item.stream, "seq": item.seq}
        await self.send("problem", **about, **problem_members(known, self.socket))


def _known_error(error: Exception, socket: WebSocket) -> MuvrError:
    """The error that a client is told of; the log has the unexpected one."""
    if isinstance(error, MuvrError):
        return error
    log: RequestLog | None = socket.app.state.request_log
    if log is not None:
        log.log_error(error, route=ROUTE)
    return MuvrError("An unexpected error.")


async def close_with_problem(socket: WebSocket, problem: Exception) -> None:
    """Send the problem, and close with 4000 + its status.

    A client that takes nothing for `FAREWELL_S` gets neither: its connection is ended.
    """
    error = _known_error(problem, socket)
    kind = kind_of(error)
    metrics: Metrics = socket.app.state.metrics
    metrics.count_problem(kind.name)
    document = embedded_problem(error, socket)
    text = msgspec.json.encode({"type": "problem", "problem": document}).decode()
    wait_s = retry_after_s(error)
    reason = kind.name if wait_s is None else f"retry after {wait_s} s"
    with suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_S):
            await ignore_disconnect(socket.send_text(text))
            await ignore_disconnect(socket.close(CLOSE_BASE + kind.status, reason))


async def ignore_disconnect(sending: Awaitable[None]) -> None:
    """Await a send whose client may have disconnected."""
    try:
        await sending
    except (WebSocketDisconnect, RuntimeError):
        return
