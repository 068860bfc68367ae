"""The driver on the caller's event loop: large writes, pages, errors and timers."""

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
    """Call `ask` with a connection on the running event loop."""

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


def test_concurrent_writes_beyond_the_socket_buffer_are_all_stored(keyspace: Cassandra):
    user, session = uuid4(), uuid7(MOMENT_US // 1000, os.urandom(10))
    contents = [os.urandom(60_000) for _ in range(128)]  # 7.7 MB in one iteration of the loop

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


def test_blocking_execute_on_its_own_loop_is_refused(keyspace: Cassandra):
    question = "SELECT key FROM system.local WHERE key = ?"

    async def ask(database: Database) -> None:
        rows = await asyncio.gather(*(database.run(question, ("local",)) for _ in "abc"))
        assert [row[0].key for row in rows] == ["local"] * 3
        with pytest.raises(RuntimeError, match="its own loop"):
            database.execute(question, ("local",))
        assert (await asyncio.to_thread(database.execute, question, ("local",)))[0].key == "local"

    with_database(keyspace, ask)


def test_results_of_several_pages_are_complete(keyspace: Cassandra):
    user, session = uuid4(), uuid7(MOMENT_US // 1000, os.urandom(10))

    async def ask(database: Database) -> None:
        samples = Samples(database)
        for part in range(0, 450, 50):
            await asyncio.gather(
                *(samples.register_part(user, session, "acc", part + i) for i in range(50))
            )
        assert (await samples.parts(user, session))["acc"] == list(range(450))  # pages of 200

    with_database(keyspace, ask)


def test_finished_responses_are_freed_without_garbage_collection(keyspace: Cassandra):
    """Thousands of responses a second in reference cycles would pause the service for 0.2 s."""
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
            for _ in range(50):  # the loop lets go of them later on a busy machine
                await asyncio.sleep(0.1)
                left = sum(isinstance(one, ResponseFuture) for one in gc.get_objects())
                if left <= 1:  # the driver's heartbeat may be in flight
                    break
        finally:
            gc.enable()
        assert left <= 1

    with_database(keyspace, ask)


def test_broken_connection_leaves_no_query_waiting(keyspace: Cassandra):
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
    """A port that closes every connection at once."""
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


async def test_timers_fire_unless_cancelled_from_any_thread():
    loop_thread, rung = LoopThread.current(), list[str]()
    Timer(loop_thread, 0.0, lambda: rung.append("here"))
    await asyncio.to_thread(Timer, loop_thread, 0.0, lambda: rung.append("there"))
    Timer(loop_thread, 0.0, lambda: rung.append("cancelled here")).cancel()
    late = await asyncio.to_thread(Timer, loop_thread, 1.0, lambda: rung.append("cancelled there"))
    await asyncio.to_thread(late.cancel)
    await asyncio.sleep(1.1)
    assert sorted(rung) == ["here", "there"]
