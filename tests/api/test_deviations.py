"""Deviations over HTTP: a session shows its own, and the list of a month shows them all."""

from typing import Any

from tests.api.conftest import Person
from tests.api.phone import Phone, fresh_id, problem


def test_deviations_are_not_there_before_the_first_session(person: Person) -> None:
    with person.client() as http:
        problem(http.get("/v1/me/deviations"), 404, "not-computed-yet")
        phone = Phone(http)
        phone.open()
        told = http.get("/v1/me/deviations")
        assert (told.status_code, told.json()["deviations"]) == (200, [])
        http.delete(phone.path)
        problem(http.get("/v1/me/deviations"), 404, "not-computed-yet")


def test_session_and_month_show_the_same_deviations(person: Person) -> None:
    plan = fresh_id()
    squat, press = {"exercise": "squat", "reps": 10}, {"exercise": "press", "reps": 8}
    with person.client() as http:
        http.put(f"/v1/me/plans/{plan}", json={"name": "legs", "sets": [squat, press]})
        phone = Phone(http)
        phone.open(plan=str(plan))
        phone.confirm(done := fresh_id(), exercise="squat", reps=7)
        in_session: list[dict[str, Any]] = http.get(phone.path).json()["deviations"]
        month = f"{phone.started:%Y-%m}"
        in_month = http.get("/v1/me/deviations", params={"month": month}).json()["deviations"]

    fewer, missed = in_session
    assert (fewer["set"], fewer["kinds"], fewer["source"]) == (str(done), ["reps"], "confirmed")
    assert (missed["set"], missed["kinds"], missed["source"]) == (None, ["missed"], None)
    assert [{name: row[name] for name in fewer} for row in in_month] == in_session
    assert {row["session"] for row in in_month} == {str(phone.session)}
    assert {row["timezone"] for row in in_month} == {"Europe/London"}
