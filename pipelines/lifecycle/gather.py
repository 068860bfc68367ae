"""Concurrent queries to Cassandra from synchronous code."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from store.concurrency import map_concurrently

AT_ONCE = 64
A = TypeVar("A")
T = TypeVar("T")


def gather(work: Callable[[A], Awaitable[T]], items: Iterable[A]) -> list[T]:
    """Await `work` for every item in a new event loop, `AT_ONCE` at a time; the results in order.

    All results are held together: of a user's rows `work` returns only what is needed of them.

    Raises:
        the first exception of any of them.
    """
    return asyncio.run(map_concurrently(work, items, AT_ONCE))
