"""Puts writes that are waiting at the same time into one unlogged batch.

A request to Cassandra costs the driver and the node about as much as the chunk inside it. So what
several people send within one turn of the event loop goes out in one request. Nobody waits for
company: a write that is alone leaves at once. Figures: `docs/decisions/0020-writes-together.md`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

W = TypeVar("W")

BATCH_MOST = 8  # partitions in a batch; Cassandra warns from ten on
BATCH_BYTES = 120 * 1024  # of values; the embedded node warns from 128 KiB on
UNDER_WAY = 32
"""Batches under way at the same time. If they cannot carry all writes, the node has a queue
already; the writes then gather here and leave in fewer, fuller batches."""


class _Waiting(NamedTuple, Generic[W]):
    write: W
    size_bytes: int
    done: "asyncio.Future[None]"


class WriteBatcher(Generic[W]):
    """Gathers the writes of one event loop.

    Args:
        send: sends writes, all of them, and returns when they are durable, or raises.
        most: writes that are sent at once.
        most_bytes: bytes that are, unless a single write has more.
        under_way: calls of `send` at the same time.
    """

    def __init__(
        self,
        send: Callable[[Sequence[W]], Awaitable[object]],
        *,
        most: int = BATCH_MOST,
        most_bytes: int = BATCH_BYTES,
        under_way: int = UNDER_WAY,
    ) -> None:
        self._send_all = send
        self._most, self._most_bytes, self._under_way = most, most_bytes, under_way
        self._waiting: deque[_Waiting[W]] = deque()
        self._leaving = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, write: W, size_bytes: int) -> None:
        """Send a write, which may be repeated, with others that are put in the same turn.

        Raises:
            whatever `send` raises; then it may or may not have been written.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append(_Waiting(write, size_bytes, done))
        if not self._leaving and len(self._tasks) < self._under_way:
            self._leaving = True
            loop.call_soon(self._leave)
        await done

    def _leave(self) -> None:
        self._leaving = False
        while self._waiting and len(self._tasks) < self._under_way:
            task = asyncio.create_task(self._send(self._next()))
            self._tasks.add(task)
            task.add_done_callback(self._sent)

    def _next(self) -> list[_Waiting[W]]:
        """What goes into one batch: the longest waiting, as many as fit."""
        batch = [self._waiting.popleft()]
        left_bytes = self._most_bytes - batch[0].size_bytes
        while self._waiting and len(batch) < self._most:
            left_bytes -= self._waiting[0].size_bytes
            if left_bytes < 0:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _send(self, batch: Sequence[_Waiting[W]]) -> None:
        try:
            await self._send_all([one.write for one in batch])
        except Exception as problem:  # noqa: BLE001 (it is raised to each of those who wait)
            for one in batch:
                if not one.done.done():
                    one.done.set_exception(problem)
        else:
            for one in batch:
                if not one.done.done():  # whoever asked may have gone away
                    one.done.set_result(None)

    def _sent(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if self._waiting:
            self._leave()
