"""A cache with a time to live, so that not every request reads the database."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Generic, NamedTuple, TypeVar

DEFAULT_CAPACITY = 20_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Entry(NamedTuple, Generic[V]):
    expires_at: float
    value: V


class TtlCache(Generic[K, V]):
    """A cache bounded in size and age.

    Concurrent requests for a missing value share one look-up. After half of its time to live a
    value is refreshed in the background while it is still used, so that nobody waits.

    Args:
        ttl_s: how long a value is used, counted from the start of its look-up.
        capacity: number of values; the one that was looked up longest ago is evicted.
        clock: seconds.
    """

    def __init__(
        self,
        ttl_s: float,
        capacity: int = DEFAULT_CAPACITY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl_s, self._capacity, self._clock = ttl_s, capacity, clock
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._lookups: dict[K, asyncio.Task[V]] = {}

    async def fresh(self, key: K, load: Callable[[], Coroutine[None, None, V]]) -> V:
        """The value, at most `ttl_s` old; raises what `load` raises."""
        entry, now_s = self._entries.get(key), self._clock()
        if entry is None or entry.expires_at <= now_s:
            return await self.load(key, load)
        if entry.expires_at - now_s < self._ttl_s / 2:
            self._look_up(key, load)
        return entry.value

    async def load(self, key: K, load: Callable[[], Coroutine[None, None, V]]) -> V:
        """Look the value up now, or join a look-up in flight; all callers get its error."""
        return await asyncio.shield(self._look_up(key, load))

    def get(self, key: K) -> V | None:
        """The cached value, None when it is missing or expired."""
        entry = self._entries.get(key)
        return entry.value if entry is not None and entry.expires_at > self._clock() else None

    def last(self, key: K) -> V | None:
        """The cached value, even if expired."""
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def forget(self, key: K) -> None:
        """Drop a value, and the result of a look-up in flight, which began too early."""
        self._entries.pop(key, None)
        self._lookups.pop(key, None)

    def forget_where(self, matches: Callable[[K, V], bool]) -> None:
        """Drop the values that match, and the results of all look-ups in flight."""
        for key in [key for key, entry in self._entries.items() if matches(key, entry.value)]:
            del self._entries[key]
        self._lookups.clear()

    def _look_up(self, key: K, load: Callable[[], Coroutine[None, None, V]]) -> "asyncio.Task[V]":
        task = self._lookups.get(key)
        if task is None:
            expires_at = self._clock() + self._ttl_s
            task = self._lookups[key] = asyncio.create_task(load())
            task.add_done_callback(lambda done: self._store(key, expires_at, done))
        return task

    def _store(self, key: K, expires_at: float, done: "asyncio.Task[V]") -> None:
        failed = done.cancelled() or done.exception() is not None  # raised to those who wait
        if self._lookups.get(key) is not done:
            return
        del self._lookups[key]
        if failed:
            return
        self._entries[key] = _Entry(expires_at, done.result())
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)
