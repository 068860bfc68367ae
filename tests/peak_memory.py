"""The memory that a piece of work needs."""

import tracemalloc
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def peak_bytes(work: Callable[[], T], limit: float, attempts: int = 3) -> tuple[T, int]:
    """What the work returns, and the most memory that it had at once.

    Other threads of the process count as well, so work that exceeds the limit is done again: the
    least of the attempts is its own.
    """
    least: int | None = None
    while True:
        tracemalloc.start()
        try:
            result = work()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        least = peak if least is None else min(least, peak)
        attempts -= 1
        if least < limit or not attempts:
            return result, least
