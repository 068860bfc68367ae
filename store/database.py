"""One connection to Cassandra: prepared statements, complete results.

Repositories are written once, as coroutines; a command or a job without an event loop uses
`asyncio.run`, and the few synchronous callers (migrations, doctor) `Database.execute`.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, cast

from cassandra.cluster import Cluster, ResponseFuture, Session
from cassandra.connection import ConnectionException
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement

from schemas.errors import UncertainWrite
from store.concurrency import map_concurrently
from store.driver_errors import ERRORS_AS_OURS, errors_as_ours, is_conditional
from store.reactor import LoopThread
from store.rows import Row
from store.write_batching import WriteBatcher

MAX_IN_FLIGHT = 512
"""Requests in flight at the same time; others wait. Past 32,767 on one connection the driver blocks
its caller, which is the event loop, for two seconds at each."""
_RETRY_PAUSE_S = 0.2


class Statement(NamedTuple):
    """A CQL text with its values, for batches and bulk runs.

    Attributes:
        serialised: whether the values already are bytes in the protocol's encoding. Only the
            busiest statement is: serialising a row takes the driver as long as sending it.
    """

    cql: str
    values: Sequence[object] = ()
    serialised: bool = False

    def bind(self, prepared: PreparedStatement) -> BoundStatement:
        """The prepared statement with these values."""
        if not self.serialised:
            return prepared.bind(self.values)
        bound = BoundStatement(prepared)
        bound.values = list(self.values)
        return bound


class Database:
    """A session on a keyspace. Create it after a fork: the driver owns threads.

    Args:
        loop_thread: the event loop that all requests come from; None where there is none or
            several.
        batch_writes: whether `run_batched` may put writes to several partitions into one batch.
    """

    def __init__(
        self,
        cluster: Cluster,
        session: Session,
        loop_thread: LoopThread | None = None,
        *,
        batch_writes: bool = False,
    ) -> None:
        self._cluster = cluster
        self._session = session
        self._loop_thread = loop_thread
        self._prepared: dict[str, PreparedStatement] = {}
        self._semaphore_of_loop: tuple[object, asyncio.Semaphore] = (None, asyncio.Semaphore(0))
        # In a cluster of several nodes the coordinator would have to forward most of a batch.
        self._write_batcher = WriteBatcher(self.run_batch) if loop_thread and batch_writes else None

    def execute(self, cql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement and return its rows.

        Raises:
            DatabaseUnavailable: no answer at the requested consistency.
            UncertainWrite: a conditional write got no answer: read at SERIAL, then decide.
            RuntimeError: called from the event loop that would have to read the answer.
        """
        self._refuse_own_loop()
        if not values:  # changes of the schema too, in which IF makes nothing conditional
            with ERRORS_AS_OURS:
                return list(self._session.execute(cql))
        with errors_as_ours(cql):
            return list(self._session.execute(self._bind(cql, values)))

    def execute_on_each(self, cql: str) -> list[list[Row]]:
        """Ask every node that is up, about itself; the rows of each.

        Raises:
            DatabaseUnavailable: a node does not answer, or none is up.
            RuntimeError: called from the event loop that would have to read the answer.
        """
        self._refuse_own_loop()
        hosts = [pool.host for pool in tuple(self._session.get_pools())] or [None]
        with ERRORS_AS_OURS:
            return [list(self._session.execute(cql, host=host)) for host in hosts]

    def _refuse_own_loop(self) -> None:
        if self._loop_thread is not None and self._loop_thread.is_current():
            raise RuntimeError("This would wait for its own loop; await `run`, or use a thread.")

    def schema_agreed(self, timeout_s: float) -> bool:
        """Wait until the nodes have the same schema; whether they have it in time.

        Nodes that the driver knows to be down, of its own data centre, are left out: they read the
        schema when they return.
        """
        deadline_s = time.monotonic() + timeout_s
        while (left_s := deadline_s - time.monotonic()) > 0:
            with suppress(ConnectionException):  # the node that was asked ended: ask the next one
                control = cast("Any", self._cluster.control_connection)
                return bool(control.wait_for_schema_agreement(wait_time=left_s))
            time.sleep(_RETRY_PAUSE_S)
        return False

    async def run(self, cql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one prepared statement without blocking the event loop; the rows of all pages.

        Raises:
            DatabaseUnavailable: no answer at the requested consistency.
            UncertainWrite: a conditional write got no answer: read at SERIAL, then decide.
        """
        return await self._run(Statement(cql, values))

    async def _run(self, statement: Statement) -> list[Row]:
        loop = asyncio.get_running_loop()
        with errors_as_ours(statement.cql):
            bound = statement.bind(await self._prepared_for(statement.cql, loop))
            return await self._send(bound, loop)

    async def pages(
        self, cql: str, values: Sequence[object] = (), *, page_rows: int
    ) -> AsyncIterator[list[Row]]:
        """The rows of a prepared statement, some at a time: for more than memory should hold.

        Raises:
            DatabaseUnavailable: no answer at the requested consistency; pages may be missing.
        """
        loop = asyncio.get_running_loop()
        received: asyncio.Queue[list[Row] | BaseException] = asyncio.Queue()

        def receive(page: list[Row] | BaseException | None) -> None:
            """Called in the driver's thread, or in this one if the answer is there already."""
            loop.call_soon_threadsafe(received.put_nowait, page or [])

        with ERRORS_AS_OURS:
            bound = Statement(cql, values).bind(await self._prepared_for(cql, loop))
            bound.fetch_size = page_rows
            response = self._session.execute_async(bound)
        response.add_callbacks(receive, receive)
        try:
            while True:
                page = await received.get()
                if isinstance(page, BaseException):
                    with ERRORS_AS_OURS:
                        raise page
                yield page
                if not response.has_more_pages:
                    return
                response.start_fetching_next_page()
        finally:
            response.clear_callbacks()

    async def run_batched(self, statement: Statement, size_bytes: int) -> None:
        """Run an unconditional write, batched with concurrent ones where that is cheaper.

        Raises:
            DatabaseUnavailable: no answer at the requested consistency; it may have been written.
        """
        if self._write_batcher is None:
            await self._run(statement)
        else:
            await self._write_batcher.put(statement, size_bytes)

    async def run_batch(self, statements: Sequence[Statement]) -> list[Row]:
        """Run statements as one unlogged batch; within one partition it is all of them or none.

        Raises:
            DatabaseUnavailable: no answer at the requested consistency.
            UncertainWrite: conditional writes got no answer: read at SERIAL, then decide.
        """
        if len(statements) == 1:
            return await self._run(statements[0])
        loop = asyncio.get_running_loop()
        batch = BatchStatement(BatchType.UNLOGGED)
        batch.is_idempotent = True
        conditional = next(filter(is_conditional, (each.cql for each in statements)), "")
        with errors_as_ours(conditional):
            for statement in statements:
                bound = statement.bind(await self._prepared_for(statement.cql, loop))
                batch.add(bound)
                batch.is_idempotent = batch.is_idempotent and bound.is_idempotent
            return await self._send(batch, loop)

    async def run_all(self, statements: Sequence[Statement], *, limit: int = 64) -> None:
        """Run many independent statements, a bounded number at a time."""
        await map_concurrently(self._run, statements, limit)

    async def applied(self, cql: str, values: Sequence[object] = ()) -> bool:
        """Run a conditional statement (`IF …`); whether it was applied.

        One that is uncertain is repeated, which completes it. The repeat of one that had won says
        False: where that matters, read what is stored.

        Raises:
            DatabaseUnavailable: no answer at the requested consistency.
            UncertainWrite: Cassandra did not say twice.
        """
        try:
            answer = await self.run(cql, values)
        except UncertainWrite:
            answer = await self.run(cql, values)
        return bool(answer[0][0])

    def close(self) -> None:
        """Close all connections."""
        self._cluster.shutdown()

    async def _send(
        self, request: BoundStatement | BatchStatement, loop: asyncio.AbstractEventLoop
    ) -> list[Row]:
        """Send a request when fewer than `MAX_IN_FLIGHT` are under way; the rows of all pages."""
        if self._semaphore_of_loop[0] is not loop:
            self._semaphore_of_loop = (loop, asyncio.Semaphore(MAX_IN_FLIGHT))
        semaphore = self._semaphore_of_loop[1]
        await semaphore.acquire()  # 0.6 µs a request; `async with` takes 1 µs
        try:
            return await _rows(self._session.execute_async(request), loop)
        finally:
            semaphore.release()

    async def _prepared_for(self, cql: str, loop: asyncio.AbstractEventLoop) -> PreparedStatement:
        """The prepared statement. Preparing blocks on the network: done once, off the loop."""
        known = self._prepared.get(cql)
        return known or await loop.run_in_executor(None, self._prepare, cql)

    def _prepare(self, cql: str) -> PreparedStatement:
        prepared = self._session.prepare(cql)
        # Every unconditional statement may be repeated: writes carry their own timestamp or are
        # immutable. A conditional one may not: its repeat would see its own first attempt.
        prepared.is_idempotent = not is_conditional(cql)
        self._prepared[cql] = prepared
        return prepared

    def _bind(self, cql: str, values: Sequence[object]) -> object:
        return (self._prepared.get(cql) or self._prepare(cql)).bind(values)


async def _rows(response: ResponseFuture, loop: asyncio.AbstractEventLoop) -> list[Row]:
    """The rows of all pages: iterating a paged result would block the loop on the next page."""
    done: asyncio.Future[None] = loop.create_future()
    rows: list[Row] = []

    def settle(problem: BaseException | None) -> None:
        """Resolve the future, in the loop's thread; does nothing if the waiter was cancelled."""
        if done.done():
            return
        if problem is None:
            done.set_result(None)
        else:
            done.set_exception(problem)

    loop_thread_id = threading.get_ident()

    def end(problem: BaseException | None) -> None:
        """Called in the driver's thread, or in this one if the answer is there already."""
        if threading.get_ident() == loop_thread_id:
            settle(problem)
        else:
            loop.call_soon_threadsafe(settle, problem)

    def page(page_rows: list[Row] | None) -> None:
        """Collect a page and fetch the next one; None is the answer to a write."""
        rows.extend(page_rows or ())
        if response.has_more_pages:
            response.start_fetching_next_page()
        else:
            end(None)

    response.add_callbacks(page, end)
    try:
        await done
    finally:  # breaks a reference cycle, which would cost a busy service garbage collections
        response.clear_callbacks()
    return rows
