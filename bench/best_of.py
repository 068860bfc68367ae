"""How long work takes when nothing disturbs it."""

import time
from collections.abc import Callable

REPEATS = 3


def best_of(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The shortest of some runs, seconds: what disturbs a run only makes it longer."""
    seconds: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)
