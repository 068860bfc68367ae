"""Many questions to Cassandra at once, a bounded number of them under way."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


async def for_each(work: Callable[[A], Awaitable[T]], items: Iterable[A], at_once: int) -> list[T]:
    """Await `work` for every item.

    Args:
        work: what is awaited.
        items: what it is called with.
        at_once: how many calls are under way at most; the others wait for a place.

    Returns:
        The results, in the order of the items.

    Raises:
        whatever `work` raises first; calls that are under way go on.

    >>> async def doubled(number: int) -> int:
    ...     return 2 * number
    >>> asyncio.run(for_each(doubled, [3, 1, 2], at_once=2))
    [6, 2, 4]
    """
    gate = asyncio.Semaphore(at_once)

    async def in_turn(item: A) -> T:
        """Wait for a place, then work."""
        async with gate:
            return await work(item)

    return await asyncio.gather(*(in_turn(item) for item in items))
