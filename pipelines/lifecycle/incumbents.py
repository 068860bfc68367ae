"""Serving models that a run compares its own with: their bytes, and what may judge them. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TypeVar

from schemas.errors import BadModelBytes
from schemas.times import us_of

Model = TypeVar("Model")


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


class IncumbentBytes(NamedTuple):
    """A serving model as it is sent to the executors.

    Attributes:
        content: its bytes.
        period: what it may be evaluated on.
    """

    content: bytes
    period: EvaluationPeriod

    def decoded(self, decode: Callable[[bytes], Model]) -> tuple[Model | None, str]:
        """The model, and ""; None and a sentence where it cannot be read.

        That is not an error: otherwise no run could ever replace such a model.

        Args:
            decode: of the family; it raises `BadModelBytes`.
        """
        try:
            return decode(self.content), ""
        except BadModelBytes as problem:
            return None, f"judged without what served before, which cannot be read: {problem}"
