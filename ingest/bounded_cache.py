"""A cache bounded in size."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(OrderedDict[K, V]):
    """A dictionary that keeps the newest: of too many, the key that was added first is evicted.

    Args:
        capacity: number of values.

    >>> cache = BoundedCache[str, int](capacity=2)
    >>> cache["a"], cache["b"], cache["c"] = 1, 2, 3
    >>> dict(cache)
    {'b': 2, 'c': 3}
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self._capacity = capacity

    def __setitem__(self, key: K, value: V) -> None:
        super().__setitem__(key, value)
        if len(self) > self._capacity:
            self.popitem(last=False)
