"""Many questions to Cassandra at once, from a recipe that waits."""

import asyncio
from collections.abc import Sequence
from typing import Any

AT_ONCE = 64


def gather(work: Sequence[Any]) -> list[Any]:
    """Await many, a bounded number at a time; their answers in order."""

    async def every() -> list[Any]:
        """All answers, at most `AT_ONCE` questions under way."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(each: Any) -> Any:
            async with gate:
                return await each

        return await asyncio.gather(*(one(each) for each in work))

    return asyncio.run(every())
