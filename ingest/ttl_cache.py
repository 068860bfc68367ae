"""A cache whose values last a given time, so that not every request asks the database."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Generic, NamedTuple, TypeVar

REMEMBERED = 20_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Kept(NamedTuple, Generic[V]):
    until: float
    value: V


class TtlCache(Generic[K, V]):
    """Values bounded in number and in time.

    When many ask for an unknown value at once, one look-up serves them all. A value past half of
    its time is looked up again in the background while it is still used, so that nobody waits.

    Args:
        ttl_s: how long a value is used, counted from the moment at which its look-up began.
        most: number of values; the one that was looked up longest ago gives way.
        clock: seconds.
    """

    def __init__(
        self, ttl_s: float, most: int = REMEMBERED, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ttl_s, self._most, self._clock = ttl_s, most, clock
        self._kept: OrderedDict[K, _Kept[V]] = OrderedDict()
        self._asked: dict[K, asyncio.Task[V]] = {}

    async def fresh(self, key: K, find: Callable[[], Coroutine[None, None, V]]) -> V:
        """The value, as it was at most `ttl_s` ago; raises what `find` raises."""
        kept = self._kept.get(key)
        left_s = kept.until - self._clock() if kept is not None else 0.0
        if kept is None or left_s <= 0:
            return await self.ask(key, find)
        if left_s < self._ttl_s / 2:
            self._find(key, find)
        return kept.value

    async def ask(self, key: K, find: Callable[[], Coroutine[None, None, V]]) -> V:
        """Look the value up now, or join a look-up under way; everybody gets its error."""
        return await asyncio.shield(self._find(key, find))

    def get(self, key: K) -> V | None:
        """The value, None when it is unknown or too old."""
        kept = self._kept.get(key)
        return kept.value if kept is not None and kept.until > self._clock() else None

    def last(self, key: K) -> V | None:
        """The value, however old."""
        kept = self._kept.get(key)
        return None if kept is None else kept.value

    def forget(self, key: K) -> None:
        """Forget a value, and the result of a look-up under way: it began too early."""
        self._kept.pop(key, None)
        self._asked.pop(key, None)

    def forget_where(self, goes: Callable[[K, V], bool]) -> None:
        """Forget the values that `goes` names, and the results of all look-ups under way."""
        for key in [key for key, kept in self._kept.items() if goes(key, kept.value)]:
            del self._kept[key]
        self._asked.clear()

    def _find(self, key: K, find: Callable[[], Coroutine[None, None, V]]) -> "asyncio.Task[V]":
        task = self._asked.get(key)
        if task is None:
            until = self._clock() + self._ttl_s
            task = self._asked[key] = asyncio.create_task(find())
            task.add_done_callback(lambda done: self._settle(key, until, done))
        return task

    def _settle(self, key: K, until: float, done: "asyncio.Task[V]") -> None:
        failed = done.cancelled() or done.exception() is not None  # whoever waits gets it
        if self._asked.get(key) is not done:
            return
        del self._asked[key]
        if failed:
            return
        self._kept[key] = _Kept(until, done.result())
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
