"""One connection to Cassandra: prepared statements, rows awaited whole, errors with a meaning.

Repositories are written once, asynchronously; a command or a job that has no event loop uses
`asyncio.run`, and the few synchronous places (migrations, doctor) `Database.execute`.
"""

import asyncio
import threading
from collections.abc import Sequence
from typing import NamedTuple

from cassandra import (
    OperationTimedOut,
    RequestExecutionException,
    Unauthorized,
    Unavailable,
    WriteTimeout,
)
from cassandra.cluster import (
    Cluster,
    NoHostAvailable,
    ResponseFuture,
    Session,
)
from cassandra.query import BatchStatement, BatchType, BoundStatement, PreparedStatement

from schemas.errors import DatabaseUnavailable, NotAllowed, UncertainWrite
from store.concurrency import map_concurrently
from store.reactor import Home
from store.rows import Row
from store.write_batching import WriteBatcher

REFUSED = "Cassandra refuses this to the role: {}. Give the rights with `muvr migrate --roles`."
AWAY = (NoHostAvailable, OperationTimedOut, Unavailable, RequestExecutionException)

UNDER_WAY = 512
"""Requests under way at the same time; others wait for a place. Past 32,767 on one connection the
driver blocks its caller, which is the event loop, for two seconds at each."""


class Statement(NamedTuple):
    """A CQL text with its values, for batches and bulk runs.

    Attributes:
        packed: whether the values are bytes already, as the protocol writes them. Only the busiest
            statement is packed: the driver takes as long to find out how to write a row as to send
            it.
    """

    cql: str
    values: Sequence[object] = ()
    packed: bool = False

    def filled(self, prepared: PreparedStatement) -> BoundStatement:
        """The prepared text with these values."""
        if not self.packed:
            return prepared.bind(self.values)
        filled = BoundStatement(prepared)
        filled.values = list(self.values)
        return filled


class Database:
    """A keyspace of a cluster. Create it after a fork: the driver owns threads.

    Args:
        home: the event loop from which all requests come; None where there is none or several.
        gathers: whether `run_soon` may put writes to several partitions into one batch.
    """

    def __init__(
        self, cluster: Cluster, session: Session, home: Home | None = None, *, gathers: bool = False
    ) -> None:
        self._cluster = cluster
        self._session = session
        self._home = home
        self._prepared: dict[str, PreparedStatement] = {}
        self._gate_of: tuple[object, asyncio.Semaphore] = (None, asyncio.Semaphore(0))
        # Of several nodes one would have to pass most of a batch on to the others.
        self._gathering = WriteBatcher(self.run_batch) if home and gathers else None

    def execute(self, cql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one statement and return its rows.

        Raises:
            DatabaseUnavailable: no answer at the asked consistency.
            UncertainWrite: a conditional write timed out: read at SERIAL, then decide.
            RuntimeError: called in the loop that would have to read the answer.
        """
        if self._home is not None and self._home.is_here():
            raise RuntimeError("This would wait for its own loop; await `run`, or use a thread.")
        try:
            if values:
                return list(self._session.execute(self._bind(cql, values)))
            return list(self._session.execute(cql))
        except AWAY as problem:
            raise meaning(problem) from problem
        except Unauthorized as problem:
            raise NotAllowed(REFUSED.format(problem)) from problem

    async def run(self, cql: str, values: Sequence[object] = ()) -> list[Row]:
        """Run one prepared statement without blocking the event loop; all pages, as rows.

        Raises:
            DatabaseUnavailable: no answer at the asked consistency.
            UncertainWrite: a conditional write timed out: read at SERIAL, then decide.
        """
        return await self._run(Statement(cql, values))

    async def _run(self, statement: Statement) -> list[Row]:
        loop = asyncio.get_running_loop()
        try:
            bound = statement.filled(await self._prepared_for(statement.cql, loop))
            return await self._ask(bound, loop)
        except AWAY as problem:
            raise meaning(problem) from problem
        except Unauthorized as problem:
            raise NotAllowed(REFUSED.format(problem)) from problem

    async def run_soon(self, statement: Statement, size_bytes: int) -> None:
        """Run a plain write, in one batch with others of the same moment where that is cheaper.

        Raises:
            DatabaseUnavailable: no answer at the asked consistency; it may be written nevertheless.
        """
        if self._gathering is None:
            await self._run(statement)
        else:
            await self._gathering.put(statement, size_bytes)

    async def run_batch(self, statements: Sequence[Statement]) -> list[Row]:
        """Run statements as one unlogged batch; about one partition it is all of them or none.

        Raises:
            DatabaseUnavailable: no answer at the asked consistency.
            UncertainWrite: conditional ones timed out: read at SERIAL, then decide.
        """
        if len(statements) == 1:
            return await self._run(statements[0])
        loop = asyncio.get_running_loop()
        batch = BatchStatement(BatchType.UNLOGGED)
        try:
            for statement in statements:
                batch.add(statement.filled(await self._prepared_for(statement.cql, loop)))
            return await self._ask(batch, loop)
        except AWAY as problem:
            raise meaning(problem) from problem
        except Unauthorized as problem:
            raise NotAllowed(REFUSED.format(problem)) from problem

    async def run_all(self, statements: Sequence[Statement], *, limit: int = 64) -> None:
        """Run many independent statements, a bounded number at a time."""
        await map_concurrently(self._run, statements, limit)

    async def applied(self, cql: str, values: Sequence[object] = ()) -> bool:
        """Run a conditional statement (`IF …`) and tell whether it was applied."""
        return bool((await self.run(cql, values))[0][0])

    def close(self) -> None:
        """Close all connections."""
        self._cluster.shutdown()

    async def _ask(
        self, request: BoundStatement | BatchStatement, loop: asyncio.AbstractEventLoop
    ) -> list[Row]:
        """Send a request when there is a place for it; all pages of the answer."""
        if self._gate_of[0] is not loop:
            self._gate_of = (loop, asyncio.Semaphore(UNDER_WAY))
        gate = self._gate_of[1]
        await gate.acquire()  # 0.6 µs a request; `async with` takes a whole one
        try:
            return await _rows(self._session.execute_async(request), loop)
        finally:
            gate.release()

    async def _prepared_for(self, cql: str, loop: asyncio.AbstractEventLoop) -> PreparedStatement:
        """Prepare a statement once, off the loop: it blocks on the network."""
        known = self._prepared.get(cql)
        return known or await loop.run_in_executor(None, self._prepare, cql)

    def _prepare(self, cql: str) -> PreparedStatement:
        prepared = self._session.prepare(cql)
        # Every plain statement of ours may be repeated: writes carry their own timestamp or are
        # immutable. A conditional one may not: its repeat would see its own first try.
        prepared.is_idempotent = " IF " not in f" {cql} "
        self._prepared[cql] = prepared
        return prepared

    def _bind(self, cql: str, values: Sequence[object]) -> object:
        return (self._prepared.get(cql) or self._prepare(cql)).bind(values)


async def _rows(response: ResponseFuture, loop: asyncio.AbstractEventLoop) -> list[Row]:
    """Await every page: iterating a paged result would block the loop on the next page."""
    done: asyncio.Future[None] = loop.create_future()
    rows: list[Row] = []

    def settle(problem: BaseException | None) -> None:
        """Settle in the loop's thread; nothing to do when the waiting task was cancelled."""
        if done.done():
            return
        if problem is None:
            done.set_result(None)
        else:
            done.set_exception(problem)

    here = threading.get_ident()

    def end(problem: BaseException | None) -> None:
        """Called in the driver's thread, or in this one when the answer was there already."""
        if threading.get_ident() == here:
            settle(problem)
        else:
            loop.call_soon_threadsafe(settle, problem)

    def page(found: list[Row] | None) -> None:
        """Take a page and ask for the next; None is the answer to a plain write."""
        rows.extend(found or ())
        if response.has_more_pages:
            response.start_fetching_next_page()
        else:
            end(None)

    response.add_callbacks(page, end)
    try:
        await done
    finally:  # else each holds the other, and the collector stops a busy service to undo that
        response.clear_callbacks()
    return rows


def meaning(problem: BaseException) -> DatabaseUnavailable | UncertainWrite:
    """The driver's error as one of ours."""
    if isinstance(problem, WriteTimeout) and problem.write_type == 5:  # CAS
        return UncertainWrite(f"Cassandra did not say whether a conditional write won: {problem}")
    return DatabaseUnavailable(f"Cassandra did not answer: {type(problem).__name__}: {problem}")
