"""The week plan: from history, else from plans, else reported as unknown."""

import time
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from api.forecasts import log_from
from api.week import _first_day
from schemas.zones import time_zone
from store.sets import SetRow
from tests.api.conftest import Person
from tests.api.phone import Phone, fresh_id, problem


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
    assert _first_day(log_from(sets), MIDNIGHT + timedelta(hours=23)) == first


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
    left_s = 3600 - time.time() % 3600
    if left_s < 30:
        time.sleep(left_s)


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
