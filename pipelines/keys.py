"""The types that pass between driver and executors: keys, rows, incumbents. Pure."""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from schemas.times import us_of

KEY = ("user_id", "model_id")
"""The partition key of tables with samples: a user and an input layout."""

UserKey = tuple[UUID, str]
"""A partition's key on the driver."""

Key = tuple[object, ...]
"""A partition's key on the executors, in the form in which Spark hands it over."""

Row = dict[str, Any]
"""A row that comes back from the executors."""


class EvaluationPeriod(NamedTuple):
    """What a serving model may be evaluated on: later sets than those that it was learned from.

    Sets are dated by their device, whose clock may be hours or a year ahead. Their revision is the
    server's time at which they were confirmed or corrected last. Both must be later: a set that is
    dated ahead may have been learned, and a correction gives a learned set a new revision. Only a
    set that is both dated ahead and corrected after it was learned is taken for a later one, with
    the label that the model did not learn.

    Attributes:
        after: the newest set that the model was learned from, at the latest about when that was.
    """

    after: datetime

    def covers(self, at: datetime, revision: int) -> bool:
        """Whether a set of this time and revision (microseconds of server time) is among them.

        >>> from datetime import UTC
        >>> one, two, three = (datetime(2026, 11, day, tzinfo=UTC) for day in (21, 22, 23))
        >>> period = EvaluationPeriod(two)
        >>> period.covers(three, us_of(three)), period.covers(three, us_of(one))
        (True, False)
        >>> period.covers(one, us_of(three))
        False
        """
        return self.after < at and us_of(self.after) < revision

    def covers_day(self, day: str, revision: int) -> bool:
        """Whether a whole UTC day, as 2026-11-21, comes after the training data.

        Args:
            day: which.
            revision: the oldest of what is dated to it.

        >>> from datetime import UTC
        >>> noon, later = (datetime(2026, 11, day, 12, tzinfo=UTC) for day in (20, 22))
        >>> period = EvaluationPeriod(noon)
        >>> [period.covers_day(f"2026-11-{day}", us_of(later)) for day in (20, 21, 22)]
        [False, True, True]
        >>> period.covers_day("2026-11-22", us_of(noon))
        False
        """
        return self.after.date().isoformat() < day and us_of(self.after) < revision


IncumbentBytes = tuple[bytes, EvaluationPeriod]
"""The bytes of the serving model, and what it may be evaluated on."""
