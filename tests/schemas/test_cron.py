"""Cron schedules, against a reference that checks every minute."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cron import read_cron

MINUTE = timedelta(minutes=1)
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def due(text: str, at: datetime) -> bool:
    """cron(5), one minute, numbers and stars only."""
    minute, hour, day, month, weekday = text.split()
    fits = [word == "*" or int(word) == n for word, n in ((minute, at.minute), (hour, at.hour))]
    fits.append(month == "*" or int(month) == at.month)
    on_day = day == "*" or int(day) == at.day
    on_weekday = weekday == "*" or int(weekday) % 7 == at.isoweekday() % 7
    either = day != "*" and weekday != "*"
    return all(fits) and ((on_day or on_weekday) if either else (on_day and on_weekday))


def word(lowest: int, highest: int) -> st.SearchStrategy[str]:
    return st.just("*") | st.integers(lowest, highest).map(str)


@given(
    st.tuples(word(0, 59), word(0, 23), word(1, 28), st.just("*"), word(0, 7)).map(" ".join),
    st.integers(0, 365 * 24 * 60).map(lambda minutes: NEW_YEAR + minutes * MINUTE),
)
def test_nothing_is_due_between_last_and_next(text: str, at: datetime):
    cron = read_cron(text)
    last, after = cron.last(at), cron.next(at)
    assert due(text, last)
    assert due(text, after)
    assert last <= at < after
    between = last + MINUTE
    while between < min(after, last + timedelta(hours=9)):
        assert not due(text, between)
        between += MINUTE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 29 2 *", "2024-02-29T00:00"),
        ("15 10 * * 1-5", "2026-11-20T10:15"),  # the 21st is a Saturday
        ("5,35 */8 21 * *", "2026-11-21T08:35"),
        ("0 12 1 * 0", "2026-11-15T12:00"),  # the first, or a Sunday
    ],
)
def test_last_is_the_latest_due_time(text: str, expected: str):
    found = read_cron(text).last(datetime(2026, 11, 21, 11, 59, tzinfo=UTC))
    assert found.isoformat()[:16] == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("* * * *", "five"),
        ("60 * * * *", "between 0 and 59"),
        ("5-1 * * * *", "between"),
        ("x * * * *", "no number"),
        ("*/0 * * * *", "no number"),
        ("0 0 30 2 *", "never due"),
    ],
)
def test_invalid_cron_expressions_are_refused(text: str, says: str):
    with pytest.raises(ValueError, match=says):
        read_cron(text)
