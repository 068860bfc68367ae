"""Bounded concurrency for many requests to Cassandra."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


async def map_concurrently(
    work: Callable[[A], Awaitable[T]], items: Iterable[A], limit: int
) -> list[T]:
    """Await `work` for every item.

    Args:
        work: what is awaited.
        items: what it is called with.
        limit: the largest number of calls in flight; the others wait.

    Returns:
        The results, in the order of the items.

    Raises:
        whatever `work` raises first; calls in flight go on.

    >>> async def doubled(number: int) -> int:
    ...     return 2 * number
    >>> asyncio.run(map_concurrently(doubled, [3, 1, 2], limit=2))
    [6, 2, 4]
    """
    semaphore = asyncio.Semaphore(limit)

    async def bounded(item: A) -> T:
        """Wait for a free slot, then work."""
        async with semaphore:
            return await work(item)

    return await asyncio.gather(*(bounded(item) for item in items))
