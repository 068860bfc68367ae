"""One live connection: its user, the chunks under way on it, and the messages sent over it."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec
from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from api.authenticator import Caller
from api.dependencies import Services
from api.items import Item
from api.live_results import LiveGuess, LiveSets
from api.problems import kind_of, problem_response
from schemas.errors import LimitExceeded, MuvrError

AT_ONCE = 16  # chunks under way on one connection; more wait in the socket
# Close codes: 4000 + the status of the problem that ends the connection.
CLOSE_BASE = 4000


@dataclass(slots=True)
class LiveConnection:
    """One connection."""

    socket: WebSocket
    services: Services
    session_id: UUID
    token: str
    caller: Caller
    guess: LiveGuess
    sets: LiveSets
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    work: set[asyncio.Task[None]] = field(default_factory=set)
    speaking: asyncio.Lock = field(default_factory=asyncio.Lock)
    warned: bool = False

    async def say(self, kind: str, **members: Any) -> None:
        """One message out; nothing to a connection that is gone."""
        text = msgspec.json.encode({"type": kind, **members}).decode()
        async with self.speaking:
            if self.socket.application_state is WebSocketState.CONNECTED:
                await self.socket.send_text(text)

    async def complain(self, error: MuvrError, item: Item | None = None) -> None:
        """A problem out, with the chunk that it is about and how long to wait."""
        problem = msgspec.Raw(bytes(problem_response(error, self.socket).body))
        about = {} if item is None else {"stream": item.stream, "seq": item.seq}
        # A message has no header fields: what Retry-After says elsewhere stands in it.
        wait = {"retry_after_s": error.retry_after_s} if isinstance(error, LimitExceeded) else {}
        await self.say("problem", **about, **wait, problem=problem)


async def end(socket: WebSocket, error: MuvrError) -> None:
    """Say why, and close with 4000 + the problem's status."""
    status = kind_of(error).status
    problem = msgspec.Raw(bytes(problem_response(error, socket).body))
    text = msgspec.json.encode({"type": "problem", "problem": problem}).decode()
    await quietly(socket.send_text(text))
    retry = error.retry_after_s if isinstance(error, LimitExceeded) else 1
    reason = f"retry after {retry} s" if status in (429, 503) else kind_of(error).name
    await quietly(socket.close(CLOSE_BASE + status, reason))


async def quietly(sending: Awaitable[None]) -> None:
    """Send to a side that may be gone already."""
    try:
        await sending
    except (WebSocketDisconnect, RuntimeError):
        return
