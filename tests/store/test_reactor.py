"""The driver inside the loop that asks: every answer is its own, whatever the sizes and threads."""

import asyncio
import gc
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from cassandra.cluster import ResponseFuture

from schemas.config import Cassandra
from schemas.errors import DatabaseUnavailable
from schemas.ids import time_us_of, uuid7
from store.connection import connect
from store.database import Database
from store.reactor import LoopThread, Timer
from store.samples import SampleRow, Samples

MOMENT_US = 1_772_438_400 * 10**6


def with_database(settings: Cassandra, ask: Callable[[Database], Awaitable[None]]) -> None:
    """Ask over a connection that lives in the loop which asks."""

    async def run() -> None:
        loop_thread = LoopThread.current()
        database = await asyncio.to_thread(
            connect, settings, keyspace=settings.keyspace, loop_thread=loop_thread
        )
        try:
            await ask(database)
        finally:
            await asyncio.to_thread(database.close)

    asyncio.run(run())


def chunk(seq: int, content: bytes) -> SampleRow:
    return SampleRow(seq, bytes(32), 0, 50.0, 1, "g", 0.001, 1, content, b"", b"", MOMENT_US)


def test_many_writes_at_once_fill_the_socket_and_all_come_back(keyspace: Cassandra):
    user, session = uuid4(), uuid7(MOMENT_US // 1000, os.urandom(10))
    contents = [os.urandom(60_000) for _ in range(128)]  # 7.7 MB leave in one turn of the loop

    async def ask(database: Database) -> None:
        samples = Samples(database)
        await asyncio.gather(
            *(samples.put(user, session, "acc", chunk(i, one)) for i, one in enumerate(contents))
        )
        wanted = [(i, bytes(32)) for i in range(len(contents))]
        rows = await samples.rows(user, session, "acc", wanted)
        assert [row.xyz for row in rows] == contents

    assert time_us_of(session) == MOMENT_US
    with_database(keyspace, ask)


def test_waiting_in_the_loop_is_refused_instead_of_lasting_for_ever(keyspace: Cassandra):
    question = "SELECT key FROM system.local WHERE key = ?"

    async def ask(database: Database) -> None:
        rows = await asyncio.gather(*(database.run(question, ("local",)) for _ in "abc"))
        assert [row[0].key for row in rows] == ["local"] * 3
        with pytest.raises(RuntimeError, match="its own loop"):
            database.execute(question, ("local",))
        assert (await asyncio.to_thread(database.execute, question, ("local",)))[0].key == "local"

    with_database(keyspace, ask)


def test_several_pages_come_whole(keyspace: Cassandra):
    user, session = uuid4(), uuid7(MOMENT_US // 1000, os.urandom(10))

    async def ask(database: Database) -> None:
        samples = Samples(database)
        for part in range(0, 450, 50):
            await asyncio.gather(
                *(samples.register_part(user, session, "acc", part + i) for i in range(50))
            )
        assert (await samples.parts(user, session))["acc"] == list(range(450))  # pages of 200

    with_database(keyspace, ask)


def test_what_was_answered_is_gone_without_the_collector(keyspace: Cassandra):
    """Thousands of answers a second in cycles would stop the service for a fifth of a second."""
    user, session = uuid4(), uuid7(MOMENT_US // 1000, os.urandom(10))

    async def ask(database: Database) -> None:
        samples = Samples(database)
        await samples.put(user, session, "acc", chunk(0, b"prepared"))
        await samples.rows(user, session, "acc", [(0, bytes(32))])
        gc.collect()
        gc.disable()
        try:
            await asyncio.gather(
                *(samples.put(user, session, "acc", chunk(i, b"x")) for i in range(40))
            )
            await samples.rows(user, session, "acc", [(i, bytes(32)) for i in range(40)])
            await asyncio.sleep(0.1)
            left = sum(isinstance(one, ResponseFuture) for one in gc.get_objects())
        finally:
            gc.enable()
        assert left <= 1  # the driver's own beat may be under way

    with_database(keyspace, ask)


def test_a_line_that_breaks_leaves_nobody_waiting(keyspace: Cassandra):
    async def ask(database: Database) -> None:
        question = "SELECT key FROM system.local WHERE key = ?"
        await database.run(question, ("local",))
        asked = [asyncio.ensure_future(database.run(question, ("local",))) for _ in range(20)]
        await asyncio.sleep(0)
        for pool in database._session.get_pools():
            pool._connection._nonblocking_socket.shutdown(socket.SHUT_RDWR)
        async with asyncio.timeout(5):
            answers = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(answer, (list, DatabaseUnavailable)) for answer in answers)

    with_database(keyspace, ask)


@contextmanager
def hangs_up() -> Generator[int]:
    """A port where whoever calls is cut off at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            while True:
                try:
                    server.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_server_that_closes_the_connection_is_unavailable():
    async def run(port: int) -> None:
        loop_thread = LoopThread.current()
        with pytest.raises(DatabaseUnavailable):
            await asyncio.to_thread(
                connect, Cassandra(port=port), keyspace=None, loop_thread=loop_thread
            )

    with hangs_up() as port:
        asyncio.run(run(port))


def test_a_timer_rings_unless_it_was_cancelled_from_whichever_thread():
    async def run() -> None:
        loop_thread, rung = LoopThread.current(), list[str]()
        Timer(loop_thread, 0.0, lambda: rung.append("here"))
        await asyncio.to_thread(Timer, loop_thread, 0.0, lambda: rung.append("there"))
        Timer(loop_thread, 0.0, lambda: rung.append("cancelled here")).cancel()
        late = await asyncio.to_thread(
            Timer, loop_thread, 0.01, lambda: rung.append("cancelled there")
        )
        await asyncio.to_thread(late.cancel)
        await asyncio.sleep(0.02)
        assert sorted(rung) == ["here", "there"]

    asyncio.run(run())
