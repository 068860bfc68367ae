"""Waits in tests: what takes a moment takes many seconds on a busy machine."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

WITHIN_S = 60.0
T = TypeVar("T")


def answer_when(good: Callable[[T], object], ask: Callable[[], T], within_s: float = WITHIN_S) -> T:
    """The first good answer, or the last one of the time, which the test then finds wrong."""
    until_s = time.monotonic() + within_s
    while not good(answer := ask()) and time.monotonic() < until_s:
        time.sleep(0.1)
    return answer


async def settled() -> None:
    """Let all tasks of this event loop run until each waits for something outside of them."""
    for _ in range(5):
        await asyncio.sleep(0)
