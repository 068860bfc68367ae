"""A time limit for work that can be stopped from another thread only."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def stopped_after(seconds: float, stop: Callable[[], object]) -> Generator[None]:
    """Call `stop` if the block takes longer, in a thread of its own: this one is at work.

    >>> with stopped_after(60.0, lambda: print("too late")):
    ...     print("in time")
    in time
    """
    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
