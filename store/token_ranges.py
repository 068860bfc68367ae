"""Reads a whole table by ranges of tokens: each request is short, however large the table is."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from store.concurrency import map_concurrently

RANGES = 256
"""Ranges that a table is read in. A request that finds little reads on until its page is full: of
millions of partitions at once it would not be answered in time."""
RANGES_AT_ONCE = 4
"""Ranges read at the same time: the rest of a node's time is for the requests of clients."""

_FIRST_TOKEN, _LAST_TOKEN = -(2**63), 2**63 - 1  # of Murmur3Partitioner; no key has the first one
T = TypeVar("T")


def token_ranges(count: int) -> list[tuple[int, int]]:
    """Ranges `after < token <= until` that hold every token once, in order.

    >>> token_ranges(2)
    [(-9223372036854775808, 0), (0, 9223372036854775807)]
    """
    bounds = [_FIRST_TOKEN + n * 2**64 // count for n in range(count)]
    return list(zip(bounds, [*bounds[1:], _LAST_TOKEN], strict=True))


async def map_ranges(work: Callable[[tuple[int, int]], Awaitable[T]]) -> list[T]:
    """Await `work` for every range of tokens, some at a time; its results, in order.

    Raises:
        whatever `work` raises first.
    """
    return await map_concurrently(work, token_ranges(RANGES), RANGES_AT_ONCE)
