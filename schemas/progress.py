"""The interface by which long tasks report their progress."""

from typing import Protocol


class Progress(Protocol):
    """Receives how much of a named step is done."""

    def step(self, what: str, done: int, total: int | None = None) -> None:
        """Report that `done` of `total` units of `what` are done; total None when unknown."""
        ...


class NoProgress:
    """Reports nothing."""

    def step(self, what: str, done: int, total: int | None = None) -> None:
        """Ignore the report."""
