"""Cron expressions of five fields: the last and the next due time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_LONGEST = timedelta(days=366 * 40)  # 29 February is the same weekday after 40 years at most


@dataclass(frozen=True, slots=True)
class Cron:
    """Minute, hour, day of month, month and weekday (0 and 7 are Sunday), in UTC.

    As in cron, if day and weekday are both restricted, either is enough.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def last(self, at: datetime) -> datetime:
        """The newest time that is due at `at`.

        >>> read_cron("10 2 * * 1").last(datetime(2026, 11, 21, 9, tzinfo=UTC)).isoformat()
        '2026-11-16T02:10:00+00:00'
        """
        day = at.astimezone(UTC)
        for _ in range(_LONGEST.days):
            if self._is_day(day):
                for time in reversed(self._times(day)):
                    if time <= at:
                        return time
            day -= timedelta(days=1)
        raise AssertionError("read_cron lets nothing through that is never due")

    def next(self, at: datetime) -> datetime:
        """The first time after `at` that is due.

        >>> read_cron("0 */6 * * *").next(datetime(2026, 11, 21, 18, tzinfo=UTC)).isoformat()
        '2026-11-22T00:00:00+00:00'
        """
        day = at.astimezone(UTC)
        for _ in range(_LONGEST.days):
            if self._is_day(day):
                for time in self._times(day):
                    if time > at:
                        return time
            day += timedelta(days=1)
        raise AssertionError("read_cron lets nothing through that is never due")

    def _is_day(self, day: datetime) -> bool:
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        fits = (of_month or of_week) if self.either_day else (of_month and of_week)
        return day.month in self.months and fits

    def _times(self, day: datetime) -> list[datetime]:
        midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
        return [midnight.replace(hour=h, minute=m) for h in self.hours for m in self.minutes]


def read_cron(text: str) -> Cron:
    """Read `minute hour day month weekday`; each `*`, `a`, `a-b`, `a,b` or one of them `/step`.

    >>> read_cron("*/30 1-3 * * *").minutes, read_cron("*/30 1-3 * * *").hours
    ((0, 30), (1, 2, 3))

    Raises:
        ValueError: not five fields, a number out of range, or a day that no year has.
    """
    words = text.split()
    if len(words) != len(_FIELDS):
        raise ValueError(f"{text!r} has {len(words)} fields, cron has five: 10 2 * * 1")
    minutes, hours, days, months, weekdays = (
        _values(word, *field) for word, field in zip(words, _FIELDS, strict=True)
    )
    cron = Cron(
        tuple(sorted(minutes)),
        tuple(sorted(hours)),
        days,
        months,
        frozenset(weekday % 7 for weekday in weekdays),
        either_day=not words[2].startswith("*") and not words[4].startswith("*"),
    )
    if not cron.either_day and not _exists(days, months):
        raise ValueError(f"{text!r} is never due: no year has that day")
    return cron


def _values(word: str, name: str, lowest: int, highest: int) -> frozenset[int]:
    numbers: set[int] = set()
    for part in word.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        try:
            low = lowest if span == "*" else int(first)
            high = highest if span == "*" or (step and not last) else int(last or first)
            values = range(low, high + 1, int(step or 1))
        except ValueError as problem:
            raise ValueError(f"{name} {part!r} is no number, range or step") from problem
        if not values or low < lowest or high > highest:
            raise ValueError(f"{name} {part!r} does not lie between {lowest} and {highest}")
        numbers.update(values)
    return frozenset(numbers)


def _exists(days: frozenset[int], months: frozenset[int]) -> bool:
    longest = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
    return any(min(days) <= longest.get(month, 31) for month in months)
