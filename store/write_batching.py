"""Combines concurrent writes into unlogged batches.

A request to Cassandra costs the driver and the node about as much as the chunk inside it. So all
writes of one event loop iteration go out in one request. No write waits for others: a single one is
sent at once. Figures: `docs/decisions/0020-batched-chunk-writes.md`.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeVar

W = TypeVar("W")

MAX_BATCH_WRITES = 8  # partitions in a batch; Cassandra warns from ten on
MAX_BATCH_BYTES = 120 * 1024  # of values; the embedded node warns from 128 KiB on
MAX_IN_FLIGHT = 32
"""Batches in flight at the same time. If they cannot carry all writes, the node has a queue
already; the writes then queue here and are sent in fewer, fuller batches."""


class _PendingWrite(NamedTuple, Generic[W]):
    write: W
    size_bytes: int
    done: "asyncio.Future[None]"


class WriteBatcher(Generic[W]):
    """Batches the writes of one event loop.

    Args:
        send: sends a batch and returns when all of it is durable, or raises.
        max_writes: writes in a batch.
        max_bytes: bytes in a batch, unless a single write has more.
        max_in_flight: concurrent calls of `send`.
    """

    def __init__(
        self,
        send: Callable[[Sequence[W]], Awaitable[object]],
        *,
        max_writes: int = MAX_BATCH_WRITES,
        max_bytes: int = MAX_BATCH_BYTES,
        max_in_flight: int = MAX_IN_FLIGHT,
    ) -> None:
        self._send = send
        self._max_writes, self._max_bytes, self._max_in_flight = (
            max_writes,
            max_bytes,
            max_in_flight,
        )
        self._pending: deque[_PendingWrite[W]] = deque()
        self._send_scheduled = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, write: W, size_bytes: int) -> None:
        """Send an idempotent write, batched with others of the same loop iteration.

        Raises:
            whatever `send` raises; the write may or may not have happened then.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._pending.append(_PendingWrite(write, size_bytes, done))
        if not self._send_scheduled and len(self._tasks) < self._max_in_flight:
            self._send_scheduled = True
            loop.call_soon(self._send_batches)
        await done

    def _send_batches(self) -> None:
        self._send_scheduled = False
        while self._pending and len(self._tasks) < self._max_in_flight:
            task = asyncio.create_task(self._send_batch(self._next_batch()))
            self._tasks.add(task)
            task.add_done_callback(self._on_sent)

    def _next_batch(self) -> list[_PendingWrite[W]]:
        """The writes of the next batch: the oldest ones, as many as fit."""
        batch = [self._pending.popleft()]
        left_bytes = self._max_bytes - batch[0].size_bytes
        while self._pending and len(batch) < self._max_writes:
            left_bytes -= self._pending[0].size_bytes
            if left_bytes < 0:
                break
            batch.append(self._pending.popleft())
        return batch

    async def _send_batch(self, batch: Sequence[_PendingWrite[W]]) -> None:
        try:
            await self._send([pending.write for pending in batch])
        except Exception as problem:  # noqa: BLE001 (raised to every caller that waits)
            for pending in batch:
                if not pending.done.done():
                    pending.done.set_exception(problem)
        else:
            for pending in batch:
                if not pending.done.done():  # its caller may have been cancelled
                    pending.done.set_result(None)

    def _on_sent(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if self._pending:
            self._send_batches()
