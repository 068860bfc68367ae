"""The week plan: from history, else from plans, else reported as unknown."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from time import sleep
from time import time as seconds_now
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from api.week import _first_day, _wall_clock_log, get_week
from schemas.ids import uuid7
from schemas.times import us_of
from schemas.zones import time_zone
from store.sets import SetRow
from tests.api.conftest import Person
from tests.api.phone import Phone, fresh_id, problem
from tests.store.memory import memory_records


def week(person: Person, **query: Any) -> Any:
    with person.client() as client:
        return client.get("/v1/me/week", params=query)


def confirmed(person: Person, days_ago: int, exercise: str, sets: int) -> None:
    """A session with this many sets, five minutes apart."""
    with person.client() as client:
        phone = Phone(client)
        phone.started -= timedelta(days=days_ago)
        assert phone.open().status_code == 200
        for n in range(sets):
            start = phone.started + timedelta(minutes=5 * n)
            answer = phone.confirm(
                fresh_id(),
                exercise=exercise,
                started_at=start.isoformat(),
                ended_at=(start + timedelta(seconds=30)).isoformat(),
            )
            assert answer.status_code == 200, answer.text


BERLIN = time_zone("Europe/Berlin")
MIDNIGHT = datetime(2026, 11, 21, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("trained_at", "first"),
    [
        ([], date(2026, 11, 21)),
        ([MIDNIGHT - timedelta(seconds=1)], date(2026, 11, 21)),
        ([MIDNIGHT], date(2026, 11, 22)),
        ([MIDNIGHT - timedelta(days=3), MIDNIGHT + timedelta(hours=7)], date(2026, 11, 22)),
    ],
    ids=["never", "yesterday", "at midnight", "this morning"],
)
def test_a_week_starts_tomorrow_once_the_user_trained_today(
    trained_at: list[datetime], first: date
):
    sets = [
        SetRow(fresh_id(), fresh_id(), "row", at, at, None, None, None, "typed", 1)
        for at in trained_at
    ]
    log = _wall_clock_log(sets, {}, BERLIN)
    assert _first_day(log, MIDNIGHT.date()) == first


def planned_days(starts_on: date, trained: Sequence[tuple[str, datetime]]) -> list[str]:
    """Weekdays with time in the week from `starts_on`, after sessions of a set in these zones."""
    caller: Any = SimpleNamespace(user_id=UUID(int=1))

    async def story() -> list[str]:
        records = memory_records()
        for zone, at in trained:
            session = uuid7(us_of(at) // 1000, fresh_id().bytes)
            await records.sessions.open(caller.user_id, session, at, zone, None, 1)
            row = SetRow(session, fresh_id(), "row", at, at, None, None, None, "typed", 1)
            await records.sets.put(caller.user_id, row)
        services: Any = SimpleNamespace(records=records, clock=lambda: trained[-1][1])
        answer = await get_week(caller, services, starts_on)
        return [f"{day.date:%a}" for day in answer.days if day.minutes_available]

    return asyncio.run(story())


def mondays_and_thursdays(before: date, at: time, zone: str) -> list[tuple[str, datetime]]:
    """Eight weeks of sessions at a time of the clock on the wall."""
    monday = before - timedelta(days=before.weekday(), weeks=8)
    days = (monday + timedelta(weeks=n, days=day) for n in range(8) for day in (0, 3))
    return [(zone, datetime.combine(day, at, time_zone(zone)).astimezone(UTC)) for day in days]


def test_weekdays_stay_after_a_session_in_another_time_zone() -> None:
    """Mondays and Thursdays at 19:00 in Berlin, which is the next day in Tokyo."""
    first = date(2026, 11, 23)
    home = mondays_and_thursdays(first, time(19), "Europe/Berlin")
    away = ("Asia/Tokyo", datetime(2026, 11, 19, 19, tzinfo=time_zone("Asia/Tokyo")))
    assert planned_days(first, [*home[:-1], away]) == ["Mon", "Thu"]


def test_weekdays_stay_when_the_clocks_change() -> None:
    """23:10 in Berlin's winter is the next day, as summer time counts."""
    first = date(2026, 4, 27)
    late = mondays_and_thursdays(first, time(23, 10), "Europe/Berlin")
    assert planned_days(first, late) == ["Mon", "Thu"]


def test_a_session_while_the_clocks_change_is_as_long_as_it_was() -> None:
    begin = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # at 1:00 it is 2:00 again
    session = fresh_id()
    sets = [
        SetRow(session, fresh_id(), "row", at, at, None, None, None, "typed", 1)
        for at in (begin, begin + timedelta(hours=1))
    ]
    log = _wall_clock_log(sets, {session: BERLIN}, time_zone("UTC"))
    assert log.started_s.tolist() == [
        datetime(2026, 10, 25, hour, 30, tzinfo=UTC).timestamp() for hour in (2, 3)
    ]


def test_without_history_and_plans_there_is_no_week(person: Person):
    problem(week(person), 404, "not-computed-yet")


def test_start_dates_out_of_range_are_refused(person: Person):
    for day in ("9999-12-31", "0001-01-01", "1969-12-31", "2200-01-01"):
        told = problem(week(person, starts_on=day), 422, "bad-input")
        assert (told["field"], told["value"]) == ("starts_on", day)
    for number in ("1795219200", "20261121"):  # would be read as seconds of the epoch
        told = problem(week(person, starts_on=number), 422, "bad-input")
        assert (told["field"], told["value"]) == ("starts_on", number)


def test_the_available_time_includes_the_last_set(person: Person):
    """Two 30 s sets five minutes apart and a five-minute warm-up, plus 10 %."""
    confirmed(person, 2, "bench press", 2)
    days = week(person).json()["days"]
    assert max(day["minutes_available"] for day in days) == round(1.1 * (5 + 0.5 + 5), 1)


@pytest.fixture
def within_a_day() -> None:
    """The test does not begin just before a midnight, which is a full hour in most time zones."""
    left_s = 3600 - seconds_now() % 3600
    if left_s < 30:
        sleep(left_s)


@pytest.mark.usefixtures("within_a_day")
def test_the_week_follows_training_history_and_rests_muscles(person: Person):
    for days_ago, exercise in ((2, "bench press"), (4, "barbell row"), (9, "bench press")):
        confirmed(person, days_ago, exercise, 6)
    answer = week(person, minutes=45).json()
    assert (answer["source"], answer["timezone"]) == ("history", "Europe/London")
    assert len(answer["days"]) == 7
    first = date.fromisoformat(answer["starts_on"])
    assert [day["date"] for day in answer["days"]] == [
        (first + timedelta(days=n)).isoformat() for n in range(7)
    ]
    chest = [
        n
        for n, day in enumerate(answer["days"])
        if "bench press" in [exercise["exercise"] for exercise in day["exercises"]]
    ]
    assert chest
    assert all(b - a >= 2 for a, b in zip(chest, chest[1:], strict=False))
    assert all(day["minutes"] <= 45 for day in answer["days"])
    whys = [exercise["why"] for day in answer["days"] for exercise in day["exercises"]]
    assert all("day" in why for why in whys)
    assert answer["reason"]
    assert week(person, minutes=45).json() == answer
    assert week(person, minutes=0).json()["days"][0]["exercises"] == []


def test_the_week_is_built_from_plans_without_history(person: Person):
    with person.client() as client:
        body = {"name": "push", "sets": [{"exercise": "bench press", "reps": 8}] * 3}
        kept = client.put(f"/v1/me/plans/{fresh_id()}", json=body)
    assert kept.status_code == 200, kept.text
    answer = week(person).json()
    assert answer["source"] == "plans"
    names = [exercise["exercise"] for day in answer["days"] for exercise in day["exercises"]]
    assert names == ["bench press"]
    assert answer["missing"] == {} or "chest" not in answer["missing"]
