"""Concurrent queries are limited to what the driver takes without blocking its caller."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast
from uuid import uuid4

import pytest
from cassandra import OperationTimedOut
from cassandra.query import SimpleStatement

from schemas.config import Cassandra
from schemas.errors import DatabaseUnavailable
from store.connection import connect
from store.database import MAX_IN_FLIGHT, Database, Statement
from store.samples import Samples

READ = "SELECT a FROM b WHERE c = ?"


class _Prepared:
    is_idempotent = False

    def bind(self, values: object) -> SimpleStatement:
        return SimpleStatement(repr(values))


class _Response:
    """A response that arrives in a later iteration of the loop."""

    has_more_pages = False

    def __init__(self, session: "_Session") -> None:
        self._session = session

    def add_callbacks(self, page: Callable[..., None], end: Callable[..., None]) -> None:
        def answer() -> None:
            self._session.under_way -= 1
            if self._session.away:
                end(OperationTimedOut())
            else:
                page([])

        asyncio.get_running_loop().call_later(0.001, answer)

    def clear_callbacks(self) -> None:
        pass


class _Session:
    """Counts the queries in flight."""

    def __init__(self, *, away: bool = False) -> None:
        self.under_way = self.most = self.asked = 0
        self.away = away

    def prepare(self, _: str) -> _Prepared:
        return _Prepared()

    def execute_async(self, _: object) -> _Response:
        self.asked += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        return _Response(self)


def _over(session: _Session) -> Database:
    return Database(cast("Any", None), cast("Any", session))


def _many(database: Database, ask: Callable[[Database, int], Awaitable[object]]) -> list[object]:
    async def run() -> list[object]:
        calls = (ask(database, n) for n in range(3 * MAX_IN_FLIGHT))
        return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(run())


@pytest.mark.parametrize(
    "ask",
    [
        lambda database, n: database.run(READ, (n,)),
        lambda database, n: database.run_batched(Statement(READ, (n,)), 10),
        lambda database, n: database.run_batch([Statement(READ, (n,))] * 2),
    ],
)
def test_concurrent_queries_are_limited_to_max_in_flight(
    ask: Callable[[Database, int], Awaitable[object]],
) -> None:
    session = _Session()
    database = _over(session)
    for again in (1, 2):  # a command may use several loops in turn
        assert len(_many(database, ask)) == 3 * MAX_IN_FLIGHT
        assert (session.asked, session.most) == (again * 3 * MAX_IN_FLIGHT, MAX_IN_FLIGHT)


def test_unresolvable_contact_point_raises_database_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable, match=r"x\.invalid"):
        connect(Cassandra(contact_points=("x.invalid",)), keyspace=None)


def test_timed_out_queries_release_their_slot() -> None:
    session = _Session(away=True)
    answers = _many(_over(session), lambda database, n: database.run(READ, (n,)))
    assert {type(answer) for answer in answers} == {DatabaseUnavailable}
    assert session.asked == 3 * MAX_IN_FLIGHT


def test_reads_of_many_parts_stay_within_max_in_flight() -> None:
    session = _Session()

    async def run() -> None:
        assert await Samples(_over(session)).metadata(uuid4(), uuid4(), "acc", range(7_813)) == []

    asyncio.run(run())
    assert session.asked == 7_813
    assert session.most <= MAX_IN_FLIGHT
