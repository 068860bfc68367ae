"""The types that pass between driver and executors: keys, rows, incumbents. Pure."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

KEY = ("user_id", "model_id")
"""The partition key of tables with samples: a user and an input layout."""

UserKey = tuple[UUID, str]
"""A partition's key on the driver."""

Key = tuple[object, ...]
"""A partition's key on the executors, in the form in which Spark hands it over."""

Row = dict[str, Any]
"""A row that comes back from the executors."""


class EvaluationPeriod(NamedTuple):
    """When the sets were done on which a serving model is evaluated.

    Attributes:
        after: the newest set that it was learned from.
        until: when the run began that evaluates it. Sets are dated by their device, whose clock may
            be a year ahead: what is dated later than this was not done then.
    """

    after: datetime
    until: datetime

    def covers(self, at: datetime) -> bool:
        """Whether a set of this time is among them."""
        return self.after < at <= self.until

    def covers_day(self, day: str) -> bool:
        """Whether a whole UTC day, as 2026-11-21, comes after the training data.

        >>> from datetime import UTC
        >>> times = (datetime(2026, 11, day, 12, tzinfo=UTC) for day in (20, 22))
        >>> period = EvaluationPeriod(*times)
        >>> [period.covers_day(f"2026-11-{day}") for day in (20, 21, 22, 23)]
        [False, True, True, False]
        """
        return self.after.date().isoformat() < day <= self.until.date().isoformat()


IncumbentBytes = tuple[bytes, EvaluationPeriod]
"""The bytes of the serving model, and when the sets were done that may evaluate it."""
