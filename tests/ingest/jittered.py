"""Repositories that let others run between their calls, in an order drawn by a seed."""

import asyncio
import random
from dataclasses import fields
from typing import Any

from store.records import Records


class _Jittered:
    """A repository that yields to other tasks at random."""

    def __init__(self, inner: object, rng: random.Random) -> None:
        self._inner, self._rng = inner, rng

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method):
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            for _ in range(self._rng.randrange(4)):
                await asyncio.sleep(0)
            found = await method(*args, **kwargs)
            for _ in range(self._rng.randrange(4)):
                await asyncio.sleep(0)
            return found

        return call


def jittered(records: Records, seed: int) -> Records:
    rng = random.Random(seed)
    return Records(**{f.name: _Jittered(getattr(records, f.name), rng) for f in fields(Records)})
