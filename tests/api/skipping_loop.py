"""An event loop that never waits for a timer: its clock goes on to the next one instead.

What takes a second takes exactly a second of this clock, however busy the machine is.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Skipping(selectors.DefaultSelector):
    """Lets its time pass at once."""

    now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(timeout and 0)
        if timeout and not found:
            self.now_s += timeout
        return found


class SkippingLoop(asyncio.SelectorEventLoop):
    """For stories without threads, processes and connections."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now_s


def run(story: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`."""
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(story)


def now_s() -> float:
    """The time of the running loop."""
    return asyncio.get_running_loop().time()
