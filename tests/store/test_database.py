"""Concurrent queries are limited to what the driver takes without blocking its caller."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from cassandra import (
    OperationTimedOut,
    RequestValidationException,
    WriteFailure,
    WriteTimeout,
    WriteType,
)
from cassandra.cluster import ResponseFuture
from cassandra.connection import ConnectionException
from cassandra.policies import RetryPolicy
from cassandra.protocol import (
    ErrorMessage,
    InvalidRequestException,
    IsBootstrappingErrorMessage,
    OverloadedErrorMessage,
    ServerError,
    SyntaxException,
)
from cassandra.query import BatchStatement, BoundStatement, PreparedStatement, SimpleStatement

from schemas.config import Cassandra
from schemas.errors import DatabaseUnavailable, UncertainWrite
from store.cluster import RetryUnconditional
from store.connection import connect
from store.database import MAX_IN_FLIGHT, Database, Statement
from store.samples import Samples
from tests.cassandra_node import ON_NODE

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
            if self._session.fails_with:
                end(self._session.fails_with)
            else:
                page([])

        asyncio.get_running_loop().call_later(0.001, answer)

    def clear_callbacks(self) -> None:
        pass


class _Session:
    """Counts the queries in flight."""

    def __init__(self, fails_with: Exception | None = None) -> None:
        self.under_way = self.most = self.asked = 0
        self.fails_with = fails_with
        self.sent: list[Any] = []

    def prepare(self, _: str) -> _Prepared:
        return _Prepared()

    def execute(self, _: object) -> list[object]:
        if self.fails_with:
            raise self.fails_with
        return []

    def execute_async(self, statement: object) -> _Response:
        self.sent.append(statement)
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
    with pytest.raises(DatabaseUnavailable, match=r"x\.invalid.*: no such name is known") as caught:
        connect(Cassandra(contact_points=("x.invalid",)), keyspace=None)
    assert "muvr up" not in caught.value.next_step, "which does not start a cluster"
    assert "cassandra.local_dc" in caught.value.next_step


def test_timed_out_queries_release_their_slot() -> None:
    session = _Session(OperationTimedOut())
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


def server_error(kind: type[ErrorMessage], code: int = 0) -> ErrorMessage:
    return kind(code=code, message="of a node", info=None)


@pytest.mark.parametrize(
    ("problem", "raised"),
    [
        (server_error(ErrorMessage, 0x1700), UncertainWrite),
        (server_error(ServerError), UncertainWrite),
        (ConnectionException("the node died"), UncertainWrite),
        (WriteTimeout("late", write_type=WriteType.CAS), UncertainWrite),
        (WriteTimeout("late", write_type=WriteType.SIMPLE), DatabaseUnavailable),
        (server_error(ErrorMessage, 0x1999), DatabaseUnavailable),  # of a later Cassandra
        (server_error(OverloadedErrorMessage, 0x1001), DatabaseUnavailable),
        (server_error(SyntaxException, 0x2000), SyntaxException),
        (server_error(InvalidRequestException, 0x2200), InvalidRequestException),
    ],
)
def test_errors_of_the_server_tell_uncertain_writes_from_an_unavailable_database(
    problem: Exception, raised: type[Exception]
) -> None:
    async def run(ask: Callable[[Database], Awaitable[object]]) -> None:
        with pytest.raises(raised) as caught:
            await ask(_over(_Session(problem)))
        assert caught.type is raised

    asyncio.run(run(lambda database: database.run(READ, (1,))))
    asyncio.run(run(lambda database: database.run_batch([Statement(READ, (1,))] * 2)))


INSERT = "INSERT INTO a (b, c) VALUES (?, ?)"
UNANSWERED = [
    OperationTimedOut(),
    WriteTimeout("the commit was late", write_type=WriteType.SIMPLE),
    WriteFailure("on a replica", write_type=WriteType.CAS),
]


@pytest.mark.parametrize("problem", UNANSWERED, ids=lambda problem: type(problem).__name__)
@pytest.mark.parametrize(
    ("cql", "raised"),
    [(INSERT, DatabaseUnavailable), (f"{INSERT} IF NOT EXISTS", UncertainWrite)],
)
def test_conditional_write_without_an_answer_is_uncertain(
    cql: str, raised: type[Exception], problem: Exception
) -> None:
    database = _over(_Session(problem))
    for ask in (
        lambda: asyncio.run(database.run(cql, (1, 2))),
        lambda: asyncio.run(database.run_batch([Statement(INSERT), Statement(cql, (1, 2))])),
        lambda: database.execute(cql, (1, 2)),
    ):
        with pytest.raises(raised) as caught:
            ask()
        assert caught.type is raised


def test_change_of_the_schema_without_an_answer_is_no_uncertain_write() -> None:
    with pytest.raises(DatabaseUnavailable):
        _over(_Session(OperationTimedOut())).execute("CREATE TABLE IF NOT EXISTS a (b int)")


def test_uncertain_conditional_write_is_repeated_once() -> None:
    session = _Session(server_error(ErrorMessage, 0x1700))
    with pytest.raises(UncertainWrite):
        asyncio.run(_over(session).applied("DELETE FROM a WHERE b = ? IF EXISTS", (1,)))
    assert session.asked == 2


def bound(cql: str) -> BoundStatement:
    """A prepared statement as `Database` marks it."""
    prepared = PreparedStatement([], b"", None, cql, "muvr", 5, None, None)
    prepared.is_idempotent = " IF " not in cql
    return BoundStatement(prepared)


def batch(*, is_idempotent: bool) -> BatchStatement:
    statement = BatchStatement()
    statement.is_idempotent = is_idempotent
    return statement


@pytest.mark.parametrize(
    ("query", "error", "decision"),
    [
        (bound("INSERT x IF NOT EXISTS"), ConnectionException("died"), RetryPolicy.RETHROW),
        (bound("INSERT x IF NOT EXISTS"), server_error(ServerError), RetryPolicy.RETHROW),
        (batch(is_idempotent=False), ConnectionException("died"), RetryPolicy.RETHROW),
        (
            bound("INSERT x IF NOT EXISTS"),
            server_error(IsBootstrappingErrorMessage, 0x1002),
            RetryPolicy.RETRY_NEXT_HOST,
        ),
        (bound("INSERT x"), ConnectionException("died"), RetryPolicy.RETRY_NEXT_HOST),
        (batch(is_idempotent=True), ConnectionException("died"), RetryPolicy.RETRY_NEXT_HOST),
        (None, ConnectionException("died"), RetryPolicy.RETRY_NEXT_HOST),  # preparing
    ],
)
def test_conditional_writes_alone_are_not_repeated_on_the_next_host(
    query: Any, error: Exception, decision: int
) -> None:
    assert RetryUnconditional().on_request_error(query, 1, error, 0)[0] == decision


@pytest.mark.parametrize(
    ("cql", "is_idempotent"), [("INSERT x", True), ("INSERT x IF NOT EXISTS", False)]
)
def test_batch_is_idempotent_unless_it_holds_a_conditional_write(
    cql: str, *, is_idempotent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = _Session()
    monkeypatch.setattr(session, "prepare", lambda text: bound(text).prepared_statement)
    asyncio.run(_over(session).run_batch([Statement("INSERT y"), Statement(cql)]))
    assert session.sent[0].is_idempotent == is_idempotent


@ON_NODE
async def test_pages_hold_no_more_rows_than_asked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[ResponseFuture] = []
    fetch_next = ResponseFuture.start_fetching_next_page

    def fetch(response: ResponseFuture) -> None:
        fetched.append(response)
        fetch_next(response)

    monkeypatch.setattr(ResponseFuture, "start_fetching_next_page", fetch)
    user, session = uuid4(), uuid4()
    insert = "INSERT INTO stream_parts (user_id, session_id, stream, part) VALUES (?, ?, 'acc', ?)"
    read = "SELECT part FROM stream_parts WHERE user_id = ? AND session_id = ?"

    async def pages(page_rows: int) -> list[list[int]]:
        found = database.pages(read, (user, session), page_rows=page_rows)
        return [[row.part for row in page] async for page in found]

    for part in range(7):
        await database.run(insert, (user, session, part))
    assert await pages(100) == [[0, 1, 2, 3, 4, 5, 6]]
    assert [part for page in await pages(3) for part in page] == list(range(7))
    assert max(map(len, await pages(3))) == 3
    fetched.clear()
    found = database.pages(read, (user, session), page_rows=2)
    assert [row.part for row in await anext(found)] == [0, 1]
    await asyncio.sleep(0.1)
    assert not fetched, "the next page is fetched when it is asked for"
    assert [row.part for row in await anext(found)] == [2, 3]
    assert len(fetched) == 1
    await found.aclose()
    with pytest.raises(RequestValidationException):
        await anext(database.pages("SELECT nothing FROM nowhere", page_rows=2))


class _Control:
    """The driver's control connection: its node ends, then the others say so or that they agree."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.asked_s: list[float] = []

    def wait_for_schema_agreement(self, wait_time: float) -> bool:
        self.asked_s.append(wait_time)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize("agreed", [True, False])
def test_agreement_is_asked_of_the_next_node_for_the_rest_of_the_time(agreed: bool) -> None:
    control = _Control(ConnectionException("ended"), agreed)
    cluster = SimpleNamespace(control_connection=control)
    database = Database(cast("Any", cluster), cast("Any", None))
    assert database.schema_agreed(20.0) is agreed
    first_s, second_s = control.asked_s
    assert 0 < second_s < first_s <= 20.0


def test_agreement_that_nobody_can_tell_of_ends_with_its_time() -> None:
    control = _Control(*[ConnectionException("ended")] * 1000)
    cluster = SimpleNamespace(control_connection=control)
    assert not Database(cast("Any", cluster), cast("Any", None)).schema_agreed(0.3)
    assert control.asked_s
