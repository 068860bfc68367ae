"""Repositories that fail after a number of calls."""

from dataclasses import fields
from typing import Any

from schemas.errors import DatabaseUnavailable
from store.records import Records


class FailAfterCalls:
    """Makes repositories raise `DatabaseUnavailable` after `calls_left` calls."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.calls_left: int | None = None

    def records(self) -> Records:
        return Records(
            **{
                f.name: _FailingRepository(getattr(self._records, f.name), self)
                for f in fields(Records)
            }
        )

    def count_call(self) -> None:
        if self.calls_left is None:
            return
        if self.calls_left <= 0:
            raise DatabaseUnavailable("cut")
        self.calls_left -= 1


class _FailingRepository:
    def __init__(self, inner: object, counter: FailAfterCalls) -> None:
        self._inner, self._counter = inner, counter

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method):
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._counter.count_call()
            return await method(*args, **kwargs)

        return call
