"""Confirmed sets over HTTP: created, corrected, deleted."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.api.phone import Phone, fresh_id, problem


def test_a_correction_requires_the_newest_etag(open_phone: Phone) -> None:
    one = fresh_id()
    first = open_phone.confirm(one)
    assert first.headers["etag"] == first.json()["revision"]
    assert open_phone.confirm(one).headers["etag"] == first.headers["etag"]
    problem(open_phone.confirm(one, reps=9), 409, "event-conflict")
    weakened = f"W/{first.headers['etag']}"  # by a proxy that compresses answers
    second = open_phone.confirm(one, weakened, reps=9)
    assert second.json()["reps"] == 9
    again = open_phone.confirm(one, first.headers["etag"], reps=9)
    assert again.headers["etag"] == second.headers["etag"]
    problem(open_phone.confirm(one, first.headers["etag"], reps=8), 412, "stale-revision")
    third = open_phone.confirm(one, "*", reps=7, label_source="corrected")
    assert third.json()["label_source"] == "corrected"
    repeated = open_phone.confirm(one, "*", reps=7, label_source="corrected")
    assert repeated.headers["etag"] == third.headers["etag"]
    told = open_phone.confirm(one, reps=6)  # by a client that has not seen the correction
    problem(told, 409, "event-conflict")
    assert f"send If-Match: {third.headers['etag']}" in told.json()["detail"], "of the newest word"
    late_duplicate = open_phone.confirm(one)  # of the first confirmation, from a queue
    assert (late_duplicate.status_code, late_duplicate.json()["reps"]) == (200, 7)


def test_a_deleted_set_stays_deleted(open_phone: Phone) -> None:
    one = fresh_id()
    first = open_phone.confirm(one)
    path = f"{open_phone.path}/sets/{one}"
    stale = open_phone.http.delete(path, headers={"If-Match": '"17"'})
    problem(stale, 412, "stale-revision")
    for _ in range(2):
        etag = {"If-Match": first.headers["etag"]}
        assert open_phone.http.delete(path, headers=etag).status_code == 204
    problem(open_phone.confirm(one), 410, "deleted")
    problem(open_phone.confirm(one, reps=5), 410, "deleted")
    assert open_phone.http.get(open_phone.path).json()["sets"] == []
    problem(open_phone.http.delete(f"{open_phone.path}/sets/{fresh_id()}"), 404, "not-there")


def test_an_etag_that_is_not_of_this_service_is_stale(open_phone: Phone) -> None:
    one = fresh_id()
    path, first = f"{open_phone.path}/sets/{one}", open_phone.confirm(one).headers["etag"]
    for tag in ('"abc"', '""', f'"{UUID(int=7)}"', 'W/"x"', f'"{10**20}"', '"017"', '"a,b"'):
        for header in (tag, f'{tag}, "18"', f"{tag} ,, {tag}"):
            told = problem(open_phone.confirm(one, header, reps=9), 412, "stale-revision")
            assert first in told["detail"], "the revision that it is at"
            stale = open_phone.http.delete(path, headers={"If-Match": header})
            problem(stale, 412, "stale-revision")
        problem(open_phone.confirm(fresh_id(), tag), 404, "not-there")


def test_a_list_of_etags_matches_if_one_is_current(open_phone: Phone) -> None:
    one = fresh_id()
    path, first = f"{open_phone.path}/sets/{one}", open_phone.confirm(one).headers["etag"]
    second = open_phone.confirm(one, f'"abc", W/"x",{first}', reps=9).headers["etag"]
    again = open_phone.confirm(one, f'{first}, "abc"', reps=9)
    assert again.headers["etag"] == second, "a repeat changes nothing"
    third = open_phone.confirm(one, f"{first}, {second}", reps=8).headers["etag"]
    problem(
        open_phone.http.delete(path, headers={"If-Match": f"{first}, {second}"}),
        412,
        "stale-revision",
    )
    for _ in range(2):
        deleted = open_phone.http.delete(path, headers={"If-Match": f"{second}, {third}"})
        assert deleted.status_code == 204


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("started_at", {"started_at": "-60"}),
        ("ended_at", {"ended_at": "+172800", "started_at": "+172790"}),
    ],
)
def test_a_set_outside_its_session_is_refused(
    open_phone: Phone, field: str, changes: dict[str, str]
) -> None:
    moved = {
        name: (open_phone.started + timedelta(seconds=int(by))).isoformat()
        for name, by in changes.items()
    }
    found = open_phone.confirm(fresh_id(), **moved)
    assert found.status_code == 422
    assert found.json()["field"] == field


def test_a_set_after_the_end_of_its_session_is_refused(open_phone: Phone) -> None:
    assert open_phone.complete(open_phone.send(2)).status_code == 200  # it ends after 4 s
    late = (open_phone.started + timedelta(seconds=10)).isoformat()
    assert (
        problem(open_phone.confirm(fresh_id(), ended_at=late), 422, "bad-event")["field"]
        == "ended_at"
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
def test_an_invalid_confirmation_is_refused(open_phone: Phone, changes: dict[str, Any]) -> None:
    problem(open_phone.confirm(fresh_id(), **changes), 422, "bad-input")


def test_set_ids_and_etags_are_validated(open_phone: Phone) -> None:
    problem(open_phone.confirm(uuid4()), 422, "bad-event")
    one = fresh_id()
    open_phone.confirm(one)
    for etag in ("17", 'w/"17"', '"x', '"17" "18"', '"17", *', '"17", 18', "#", ","):
        told = problem(open_phone.confirm(one, etag), 422, "bad-event")
        assert (told["field"], told["value"]) == ("If-Match", etag)
    problem(open_phone.confirm(fresh_id(), '"17"'), 404, "not-there")
    other = Phone(open_phone.http)
    other.open()
    told = problem(other.confirm(one), 409, "event-conflict")
    assert "in another session" in told["detail"]
