"""A store that goes away in the middle of something."""

from dataclasses import fields
from typing import Any

from schemas.errors import DatabaseUnavailable
from store.records import Records


class Cut:
    """Repositories that go away after a number of calls."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.left: int | None = None

    def records(self) -> Records:
        return Records(
            **{
                f.name: _CutRepository(getattr(self._records, f.name), self)  # type: ignore[arg-type]
                for f in fields(Records)
            }
        )

    def take(self) -> None:
        if self.left is None:
            return
        if self.left <= 0:
            raise DatabaseUnavailable("cut")
        self.left -= 1


class _CutRepository:
    def __init__(self, inner: object, cut: Cut) -> None:
        self._inner, self._cut_set = inner, cut

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method):
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            self._cut_set.take()
            return await method(*args, **kwargs)

        return call
