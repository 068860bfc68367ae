"""The memory that a piece of work needs."""

import tracemalloc
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def peak_bytes(work: Callable[[], T], limit: float, attempts: int = 3) -> tuple[T, int]:
    """What the work returns, and the most memory that it had at once.

    Other threads of the process count as well, so work that exceeds the limit is done again: the
    least of the attempts is its own. What an attempt leaves behind, its result included, must be
    below the limit too, or the next one would only find it made.
    """
    least: int | None = None
    while True:
        tracemalloc.start()
        try:
            result = work()
            left, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert left < limit, f"{left} bytes stay allocated"
        least = peak if least is None else min(least, peak)
        attempts -= 1
        if least < limit or not attempts:
            return result, least
