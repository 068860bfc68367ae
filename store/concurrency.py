"""Bounded concurrency for many requests to Cassandra."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from itertools import islice
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
        limit: the largest number of calls in flight; the others wait, without a task each.

    Returns:
        The results, in the order of the items.

    Raises:
        whatever `work` raises first; calls in flight are cancelled, and hardly another one begins.

    >>> async def doubled(number: int) -> int:
    ...     return 2 * number
    >>> asyncio.run(map_concurrently(doubled, [3, 1, 2], limit=2))
    [6, 2, 4]
    """
    numbered = enumerate(items)
    results: dict[int, T] = {}

    async def worker(number: int, item: A) -> None:
        """Work on an item, then on those that no other worker has taken."""
        results[number] = await work(item)
        for number, item in numbered:
            results[number] = await work(item)

    first = list(islice(numbered, limit))
    workers = [asyncio.ensure_future(worker(*one)) for one in first]
    try:
        await asyncio.gather(*workers)
    except BaseException:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        raise
    return [results[number] for number in range(len(results))]
