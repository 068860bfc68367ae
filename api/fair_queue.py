"""A queue that lets one in at a time; users take turns, however much each of them asks for."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

from schemas.errors import Retryable

T = TypeVar("T")

MAX_WAITING = 8
"""Callers of one user that may wait: an app shows one session and may ask for the next; a browser
asks six at once."""


class FairQueue:
    """Lets one in at a time. Of those that wait, the user who was served longest ago is next."""

    def __init__(self) -> None:
        self._busy = False
        self._waiting: OrderedDict[UUID, deque[asyncio.Future[None]]] = OrderedDict()
        self._under_way: set[asyncio.Task[object]] = set()  # the loop itself holds them weakly

    @asynccontextmanager
    async def turn(self, user_id: UUID) -> AsyncGenerator[None]:
        """Wait for a turn of this user and hold it until the block ends.

        A caller that is cancelled while it waits leaves the queue.

        Raises:
            Retryable: `MAX_WAITING` callers of this user wait already.
        """
        await self._come(user_id)
        try:
            yield
        finally:
            self._go(user_id)

    async def whole(self, user_id: UUID, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` in a turn that lasts until it has ended, even if nobody waits any more.

        A thread cannot be cancelled. If the turn ended when its caller gave up, the next one would
        compute beside the thread that is still running, and so on. A caller that gives up before
        the work begins only leaves the queue.

        Raises:
            Retryable: see `turn`.
        """
        begun = False

        async def in_turn() -> T:
            """Wait for the turn, note that it has come, and work."""
            nonlocal begun
            async with self.turn(user_id):
                begun = True
                return await work()

        task = asyncio.create_task(in_turn())
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not begun:
                task.cancel()
            raise

    def _ended(self, task: "asyncio.Task[object]") -> None:
        self._under_way.discard(task)
        _ = task.cancelled() or task.exception()  # whoever waits for it gets the error

    async def _come(self, user_id: UUID) -> None:
        if not self._busy:
            self._busy = True
            return
        places = self._waiting.setdefault(user_id, deque())
        if len(places) >= MAX_WAITING:
            raise Retryable(f"{len(places)} of this user's sessions wait to be looked at already.")
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        places.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._leave(user_id, place)
            else:  # its turn had come
                self._go(user_id)
            raise

    def _leave(self, user_id: UUID, place: asyncio.Future[None]) -> None:
        places = self._waiting[user_id]
        places.remove(place)
        if not places:
            del self._waiting[user_id]

    def _go(self, user_id: UUID) -> None:
        """End a user's turn and let the next one begin."""
        if user_id in self._waiting:
            self._waiting.move_to_end(user_id)
        for following, places in self._waiting.items():
            place = next((one for one in places if not one.done()), None)
            if place is not None:
                self._leave(following, place)
                place.set_result(None)
                return
        self._busy = False
