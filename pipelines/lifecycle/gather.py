"""Many questions to Cassandra at once, from a recipe that is no coroutine and waits for them."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from store.concurrency import map_concurrently

AT_ONCE = 64
T = TypeVar("T")


def gather(questions: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Run coroutines in a loop of their own, `AT_ONCE` at a time; their answers in order.

    Raises:
        whatever one of them raises first.
    """
    return asyncio.run(map_concurrently(_answer, questions, AT_ONCE))


async def _answer(question: Coroutine[Any, Any, T]) -> T:
    return await question
