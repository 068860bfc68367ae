"""Concurrent queries to Cassandra from synchronous code."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from store.concurrency import map_concurrently

AT_ONCE = 64
T = TypeVar("T")


def gather(coroutines: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines in a new event loop, `AT_ONCE` at a time; their results in order.

    Raises:
        the first exception of any of them.
    """
    return asyncio.run(map_concurrently(_await, coroutines, AT_ONCE))


async def _await(coroutine: Coroutine[Any, Any, T]) -> T:
    return await coroutine
