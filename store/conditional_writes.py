"""Conditional writes whose repeat finds what won: asked again where Cassandra could not tell."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from schemas.errors import UncertainWrite
from store.rows import Row

MAX_ATTEMPTS = 4
_REPEATED_FOR_S = 15.0  # a node that hangs takes 10 s each time, and the client waits
_MAX_JITTER_S = 0.2


async def decided(ask: Callable[[], Awaitable[list[Row]]]) -> list[Row]:
    """The answer to a conditional write.

    Args:
        ask: sends it.

    Raises:
        UncertainWrite: Cassandra could not tell, several times.
    """
    until_s = time.monotonic() + _REPEATED_FOR_S
    for attempt in range(MAX_ATTEMPTS):
        try:
            return await ask()
        except UncertainWrite:
            if attempt + 1 == MAX_ATTEMPTS or time.monotonic() > until_s:
                raise
            await asyncio.sleep(random.uniform(0, _MAX_JITTER_S))  # not in step with others
    raise AssertionError("unreachable")
