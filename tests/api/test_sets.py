"""Confirmed sets over HTTP: created, corrected, deleted."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api.phone import Phone, fresh_id, problem


@pytest.fixture
def phone(phone: Phone) -> Phone:
    """A phone whose session is open."""
    assert phone.open().status_code == 200
    return phone


def test_a_correction_requires_the_newest_etag(phone: Phone) -> None:
    one = fresh_id()
    first = phone.confirm(one)
    assert first.headers["etag"] == first.json()["revision"]
    assert phone.confirm(one).headers["etag"] == first.headers["etag"]
    problem(phone.confirm(one, reps=9), 409, "event-conflict")
    weakened = f"W/{first.headers['etag']}"  # by a proxy that compresses answers
    second = phone.confirm(one, weakened, reps=9)
    assert second.json()["reps"] == 9
    again = phone.confirm(one, first.headers["etag"], reps=9)
    assert again.headers["etag"] == second.headers["etag"]
    problem(phone.confirm(one, first.headers["etag"], reps=8), 412, "stale-revision")
    third = phone.confirm(one, "*", reps=7, label_source="corrected")
    assert third.json()["label_source"] == "corrected"
    repeated = phone.confirm(one, "*", reps=7, label_source="corrected")
    assert repeated.headers["etag"] == third.headers["etag"]
    told = phone.confirm(one, reps=6)  # by a client that has not seen the correction
    problem(told, 409, "event-conflict")
    assert f"send If-Match: {third.headers['etag']}" in told.json()["detail"], "of the newest word"
    late_duplicate = phone.confirm(one)  # of the first confirmation, from a queue
    assert (late_duplicate.status_code, late_duplicate.json()["reps"]) == (200, 7)


def test_a_deleted_set_stays_deleted(phone: Phone) -> None:
    one = fresh_id()
    first = phone.confirm(one)
    path = f"{phone.path}/sets/{one}"
    stale = phone.http.delete(path, headers={"If-Match": '"17"'})
    problem(stale, 412, "stale-revision")
    for _ in range(2):
        etag = {"If-Match": first.headers["etag"]}
        assert phone.http.delete(path, headers=etag).status_code == 204
    problem(phone.confirm(one), 410, "deleted")
    problem(phone.confirm(one, reps=5), 410, "deleted")
    assert phone.http.get(phone.path).json()["sets"] == []
    problem(phone.http.delete(f"{phone.path}/sets/{fresh_id()}"), 404, "not-there")


@pytest.mark.parametrize(
    "tag", ['"abc"', '""', f'"{UUID(int=7)}"', 'W/"x"', f'"{10**20}"', '"017"', '"a,b"']
)
def test_an_etag_that_is_not_of_this_service_is_stale(phone: Phone, tag: str) -> None:
    one = fresh_id()
    path, first = f"{phone.path}/sets/{one}", phone.confirm(one).headers["etag"]
    for header in (tag, f'{tag}, "18"', f"{tag} ,, {tag}"):
        told = problem(phone.confirm(one, header, reps=9), 412, "stale-revision")
        assert first in told["detail"], "the revision that it is at"
        stale = phone.http.delete(path, headers={"If-Match": header})
        problem(stale, 412, "stale-revision")
    problem(phone.confirm(fresh_id(), tag), 404, "not-there")


def test_a_list_of_etags_matches_if_one_is_current(phone: Phone) -> None:
    one = fresh_id()
    path, first = f"{phone.path}/sets/{one}", phone.confirm(one).headers["etag"]
    second = phone.confirm(one, f'"abc", W/"x",{first}', reps=9).headers["etag"]
    again = phone.confirm(one, f'{first}, "abc"', reps=9)
    assert again.headers["etag"] == second, "a repeat changes nothing"
    third = phone.confirm(one, f"{first}, {second}", reps=8).headers["etag"]
    problem(
        phone.http.delete(path, headers={"If-Match": f"{first}, {second}"}), 412, "stale-revision"
    )
    for _ in range(2):
        deleted = phone.http.delete(path, headers={"If-Match": f"{second}, {third}"})
        assert deleted.status_code == 204


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("started_at", {"started_at": "-60"}),
        ("ended_at", {"ended_at": "+172800", "started_at": "+172790"}),
    ],
)
def test_a_set_outside_its_session_is_refused(
    phone: Phone, field: str, changes: dict[str, str]
) -> None:
    moved = {
        name: (phone.started + timedelta(seconds=int(by))).isoformat()
        for name, by in changes.items()
    }
    found = phone.confirm(fresh_id(), **moved)
    assert found.status_code == 422
    assert found.json()["field"] == field


def test_a_set_after_the_end_of_its_session_is_refused(phone: Phone) -> None:
    assert phone.complete(phone.send(2)).status_code == 200  # it ends after 4 s
    late = (phone.started + timedelta(seconds=10)).isoformat()
    assert (
        problem(phone.confirm(fresh_id(), ended_at=late), 422, "bad-event")["field"] == "ended_at"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"exercise": " "},
        {"exercise": "x" * 101},
        {"reps": -1},
        {"weight_kg": -0.5},
        {"intensity": 1.01},
        {"label_source": "guessed"},
        {"colour": "red"},
        {"ended_at": "2020-01-01T00:00:00Z"},
        {"ended_at": "2026-11-21T10:00:00"},
    ],
)
def test_an_invalid_confirmation_is_refused(phone: Phone, changes: dict[str, Any]) -> None:
    problem(phone.confirm(fresh_id(), **changes), 422, "bad-input")


def test_set_ids_and_etags_are_validated(phone: Phone) -> None:
    problem(phone.confirm(uuid4()), 422, "bad-event")
    one = fresh_id()
    phone.confirm(one)
    for etag in ("17", 'w/"17"', '"x', '"17" "18"', '"17", *', '"17", 18', "#", ","):
        told = problem(phone.confirm(one, etag), 422, "bad-event")
        assert (told["field"], told["value"]) == ("If-Match", etag)
    problem(phone.confirm(fresh_id(), '"17"'), 404, "not-there")
    other = Phone(phone.http)
    other.open()
    told = problem(other.confirm(one), 409, "event-conflict")
    assert "in another session" in told["detail"]
