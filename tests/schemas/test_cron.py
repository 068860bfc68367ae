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
        ("0 0 */2 * 1", "2026-11-09T00:00"),  # a Monday that is odd: a star restricts nothing
        ("0 0 29 2 */7", "2004-02-29T00:00"),  # a Sunday, 28 years before the next
        ("59 11 * * *", "2026-11-21T11:59"),  # due now
        ("8,1 8,1 * * *", "2026-11-21T08:08"),
        ("0 0 31 4,10 *", "2026-10-31T00:00"),
        ("5/20 10-20/5 * * *", "2026-11-21T10:45"),
        ("0 0 31 4 1", "2026-04-27T00:00"),  # April has no 31st, but Mondays
    ],
)
def test_last_is_the_latest_due_time(text: str, expected: str):
    last = read_cron(text).last(datetime(2026, 11, 21, 11, 59, tzinfo=UTC))
    assert last.isoformat()[:16] == expected


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("0 0 29 2 *", "2096-02-29T00:00", "2104-02-29T00:00"),  # 2100 is no leap year
        ("0 0 29 2 */7", "2088-02-29T00:00", "2128-02-29T00:00"),
    ],
)
def test_next_is_found_after_decades(text: str, at: str, expected: str):
    after = read_cron(text).next(datetime.fromisoformat(at).replace(tzinfo=UTC))
    assert after.isoformat()[:16] == expected


@pytest.mark.parametrize("text", ["* * * *", "* * * * * *", ""])
def test_expression_without_five_fields_is_refused(text: str):
    with pytest.raises(ValueError, match="five fields"):
        read_cron(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("60 * * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 0 0 * *", "day-of-month"),
        ("0 0 * 13 *", "month"),
        ("0 0 * * 8", "day-of-week"),
        ("5-1 * * * *", "minute"),
        ("x * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("0 0 30 2 *", "day-of-month"),
        ("0 0 31 4,6,9,11 *", "day-of-month"),
    ],
)
def test_refusal_of_an_expression_names_it_and_the_field(text: str, says: str):
    with pytest.raises(ValueError, match=f"Bad {says}") as refused:
        read_cron(text)
    assert repr(text) in str(refused.value)


def test_last_is_not_yet_due_a_second_before():
    before = datetime(2026, 11, 21, 11, 58, 59, 999_999, tzinfo=UTC)
    cron = read_cron("59 11 * * *")
    assert cron.last(before).isoformat()[:16] == "2026-11-20T11:59"
    assert cron.next(before).isoformat()[:16] == "2026-11-21T11:59"
