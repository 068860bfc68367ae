"""Cron expressions of five fields, in UTC: the last and the next due time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cronsim import CronSim, CronSimError

_FIELDS = "minute hour day month weekday"
_NEXT = timedelta(microseconds=1)  # what is due at this very moment counts


@dataclass(frozen=True, slots=True)
class Cron:
    """When something is due, in UTC.

    Attributes:
        text: minute, hour, day of month, month and weekday, as in cron(5).
    """

    text: str

    def last(self, at: datetime) -> datetime:
        """The newest time that is due at `at`.

        >>> read_cron("10 2 * * 1").last(datetime(2026, 11, 21, 9, tzinfo=UTC)).isoformat()
        '2026-11-16T02:10:00+00:00'
        """
        return next(CronSim(self.text, at.astimezone(UTC) + _NEXT, reverse=True))

    def next(self, at: datetime) -> datetime:
        """The first time after `at` that is due.

        >>> read_cron("0 */6 * * *").next(datetime(2026, 11, 21, 18, tzinfo=UTC)).isoformat()
        '2026-11-22T00:00:00+00:00'
        """
        return next(CronSim(self.text, at.astimezone(UTC)))


def read_cron(text: str) -> Cron:
    """Read `minute hour day month weekday`.

    Raises:
        ValueError: not five fields, a field that cannot be read, or a day that no month has.
    """
    if len(text.split()) != len(_FIELDS.split()):  # with a sixth, cronsim would count seconds
        raise ValueError(f"{text!r} is not five fields ({_FIELDS}), such as 10 2 * * 1")
    try:
        CronSim(text, datetime.now(UTC))
    except CronSimError as problem:
        raise ValueError(f"{text!r} is no cron expression ({_FIELDS}): {problem}") from problem
    return Cron(text)
