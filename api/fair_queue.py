"""A fair queue: one task at a time, and users take turns however many tasks each of them has."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from schemas.errors import Retryable

T = TypeVar("T")

MAX_WAITING = 8
"""Tasks of one user that may wait: an app shows one session and may request the next; a browser
sends six requests at once."""


class FairQueue:
    """Runs one task at a time. Next is the waiting user who was served longest ago."""

    def __init__(self) -> None:
        self._busy = False
        self._waiting: OrderedDict[UUID, deque[asyncio.Future[None]]] = OrderedDict()
        self._tasks: set[asyncio.Task[object]] = set()  # the event loop only holds weak references

    @asynccontextmanager
    async def turn(self, user_id: UUID) -> AsyncGenerator[None]:
        """Wait for this user's turn and hold it until the block ends.

        A caller that is cancelled while it waits leaves the queue.

        Raises:
            Retryable: `MAX_WAITING` callers of this user wait already.
        """
        await self._acquire(user_id)
        try:
            yield
        finally:
            self._release(user_id)

    async def run(self, user_id: UUID, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` in a turn that lasts until it is done, even if its caller is cancelled.

        A thread cannot be cancelled. If the turn ended with its caller, the next task would run
        beside the thread, and so on. A caller that is cancelled before the work has started only
        leaves the queue.

        Raises:
            Retryable: see `turn`.
        """
        started = False

        async def in_turn() -> T:
            """Wait for the turn, note that the work has started, and run it."""
            nonlocal started
            async with self.turn(user_id):
                started = True
                return await work()

        task = asyncio.create_task(in_turn())
        self._tasks.add(task)
        task.add_done_callback(self._on_done)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not started:
                task.cancel()
            raise

    def _on_done(self, task: "asyncio.Task[object]") -> None:
        self._tasks.discard(task)
        _ = task.cancelled() or task.exception()  # the error is raised to whoever waits

    async def _acquire(self, user_id: UUID) -> None:
        if not self._busy:
            self._busy = True
            return
        waiters = self._waiting.setdefault(user_id, deque())
        if len(waiters) >= MAX_WAITING:
            raise Retryable(f"{len(waiters)} of this user's sessions wait to be looked at already.")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._remove(user_id, waiter)
            else:  # its turn has come already
                self._release(user_id)
            raise

    def _remove(self, user_id: UUID, waiter: asyncio.Future[None]) -> None:
        waiters = self._waiting[user_id]
        waiters.remove(waiter)
        if not waiters:
            del self._waiting[user_id]

    def _release(self, user_id: UUID) -> None:
        """End a user's turn and let the next one begin."""
        if user_id in self._waiting:
            self._waiting.move_to_end(user_id)
        for next_user, waiters in self._waiting.items():
            waiter = next((waiter for waiter in waiters if not waiter.done()), None)
            if waiter is not None:
                self._remove(next_user, waiter)
                waiter.set_result(None)
                return
        self._busy = False
