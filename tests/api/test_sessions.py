"""Sessions over HTTP: opened, listed, completed, deleted, exported, erased."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from ingest.chunks import canonical_body, decode_chunk
from ingest.export import export_user
from ingest.recordings import load_recordings
from ingest.stored_session import find_session
from models.signal.pieces import unpack_pieces
from schemas.config import Limits
from schemas.ids import uuid7
from schemas.inputs import LAYOUTS
from tests.api.conftest import Person, RunningService
from tests.api.phone import STREAMS, N, Phone, fresh_id, problem, sha


def test_a_session_is_opened_uploaded_confirmed_and_completed(
    phone: Phone, person: Person, service: RunningService
) -> None:
    assert phone.open().json()["complete"] is False
    hashes = phone.send(4)
    set_id = fresh_id()
    assert phone.confirm(set_id).status_code == 200
    held = phone.http.get(f"{phone.path}/chunks").json()["streams"]
    assert held == {name: {"ranges": [[0, 3]], "several": {}} for name in STREAMS}
    done = phone.complete(hashes)
    assert done.status_code == 200, done.text
    assert done.json()["complete"] is True
    ended_at = datetime.fromisoformat(done.json()["ended_at"])
    assert ended_at == phone.started + timedelta(seconds=8)
    shown = phone.http.get(phone.path).json()
    confirmed = [set_ for set_ in shown["sets"] if set_["source"] == "confirmed"]
    assert [(one["set"], one["exercise"], one["reps"]) for one in confirmed] == [
        (str(set_id), "bench press", 3)
    ]
    assert shown["notes"] == []
    user, records = person.user_id, service.services.records
    stored = service.run(find_session(records, user, phone.session))
    (recording,), _ = service.run(load_recordings(stored))
    assert sum(len(piece.counts) for piece in recording.gyro) == 400
    assert recording.side == "left"
    (row,) = service.run(records.labelled.of_user(user, LAYOUTS[0]))
    assert (row.set_id, row.exercise) == (set_id, "bench press")


def test_the_session_end_uses_the_timestamps_of_an_irregular_last_chunk(
    phone: Phone, person: Person, service: RunningService
) -> None:
    """100 samples in 40 s: 20 per second, with two gaps."""
    phone.open()
    t_ms = np.arange(N, dtype=np.int32) * 50
    t_ms[40:] += 15_000
    t_ms[70:] += 20_000
    hashes = {}
    for stream in STREAMS:
        usual = decode_chunk(phone.body(stream, 0), "application/cbor", Limits()).piece
        body = canonical_body(replace(usual, rate_hz=20.0, t_ms=t_ms))
        assert phone.put(stream, 0, body).status_code == 200
        hashes[stream] = [sha(body)]
    done = phone.complete(hashes)
    assert datetime.fromisoformat(done.json()["ended_at"]) == phone.started + timedelta(seconds=40)
    set_id, late = fresh_id(), [phone.started + timedelta(seconds=s) for s in (38.6, 39.8)]
    answer = phone.confirm(set_id, started_at=late[0].isoformat(), ended_at=late[1].isoformat())
    assert answer.status_code == 200, answer.text
    rows = service.run(service.services.records.labelled.of_user(person.user_id, LAYOUTS[0]))
    assert [row.set_id for row in rows] == [set_id]
    assert len(unpack_pieces(rows[0].samples).acc[0].counts) == 24


def test_opening_a_session_is_idempotent_and_adds_streams(phone: Phone) -> None:
    first = phone.open(streams={"acc": STREAMS["acc"]}).json()
    again = phone.open(streams={"acc": STREAMS["acc"]}).json()
    assert first["streams"].keys() == again["streams"].keys() == {"acc"}
    both = phone.open(started_at=datetime.now(UTC).isoformat()).json()
    assert both["streams"].keys() == {"acc", "gyro"}
    assert both["started_at"] == first["started_at"]
    other = {"acc": {**STREAMS["acc"], "unit": "m/s2"}}
    problem(phone.open(streams=other), 409, "event-conflict")


def test_second_device_adds_the_plan_the_time_zone_and_an_earlier_start(phone: Phone) -> None:
    """A watch that knows neither is heard first; its opening leaves them out."""
    early, plans = phone.started - timedelta(minutes=5), [str(fresh_id()) for _ in range(2)]
    first = phone.open(timezone="UTC", streams={"acc": STREAMS["acc"]}).json()
    assert (first["plan"], first["timezone"]) == (None, "UTC")
    both = phone.open(plan=plans[0], started_at=early.isoformat(), streams={}).json()
    assert (both["plan"], both["timezone"]) == (plans[0], "Europe/London")
    assert datetime.fromisoformat(both["started_at"]) == early
    assert both["streams"].keys() == {"acc"}
    assert phone.open(timezone="UTC", streams={"acc": STREAMS["acc"]}).json() == both
    at = [(early + timedelta(seconds=s)).isoformat() for s in (0, 30)]
    assert phone.confirm(fresh_id(), started_at=at[0], ended_at=at[1]).status_code == 200
    conflict = problem(phone.open(plan=plans[1]), 409, "event-conflict")
    assert plans[0] in conflict["detail"]
    assert phone.http.get(phone.path).json()["plan"] == plans[0]


def test_session_ids_timezones_and_units_are_validated(phone: Phone) -> None:
    assert problem(phone.open(timezone="Mars/Olympus"), 422, "bad-input")["field"] == "timezone"
    assert problem(phone.open(started_at=1_700_000_000), 422, "bad-input")["field"] == "started_at"
    bad_unit = {"acc": {**STREAMS["acc"], "unit": "rad/s"}}
    problem(phone.open(streams=bad_unit), 422, "bad-input")
    problem(Phone(phone.http, session=uuid4()).open(), 422, "bad-event")
    for days in (-401, 2):
        at = datetime.now(UTC) + timedelta(days=days)
        wrong = uuid7(int(at.timestamp() * 1000), bytes(10))
        problem(Phone(phone.http, session=wrong).open(), 422, "clock-skew")


def test_a_wrong_clock_and_a_wrong_unit_are_noted(phone: Phone) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=10)
    phone.open(sent_at=ahead.isoformat())
    for seq in range(3):
        assert phone.put("acc", seq, phone.body("acc", seq, at_rest=9.8)).status_code == 200
    shown = phone.http.get(phone.path).json()
    assert {"acc: unit-was-m/s2", "acc: clock-is-off", "gyro: clock-is-off"} <= set(shown["notes"])
    assert -601_000 < shown["streams"]["acc"]["clock_offset_ms"] < -590_000


@pytest.mark.parametrize(
    ("stream", "unit", "says"),
    [
        ("acc", "mg", "send unit 'g' with scale × 0.001"),
        ("gyro", "mdps", "send unit 'deg/s' with scale × 0.001"),
        ("gyro", "mrad/s", "send unit 'rad/s' with scale × 0.001"),
        ("gyro", "dps", "send unit 'deg/s'"),
    ],
)
def test_refused_unit_of_a_stream_says_what_to_send_instead(
    phone: Phone, stream: str, unit: str, says: str
) -> None:
    declared = {stream: {**STREAMS[stream], "unit": unit}}
    refused = problem(phone.open(streams=declared), 422, "bad-input")
    assert refused["field"] == f"streams.{stream}.unit"
    assert says in refused["detail"]


def test_sessions_are_listed_newest_first(phone: Phone) -> None:
    ids = []
    for _ in range(5):
        one = Phone(phone.http)
        one.open(streams={})
        ids.append(str(one.session))
    seen, cursor = [], None
    while True:
        page = phone.http.get(
            "/v1/sessions", params={"limit": 2, **({"cursor": cursor} if cursor else {})}
        ).json()
        seen += [session["session"] for session in page["sessions"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert sorted(seen) == sorted(ids)
    assert seen == sorted(seen, reverse=True)
    problem(phone.http.get("/v1/sessions", params={"cursor": "made-up"}), 422, "bad-cursor")


def test_a_deleted_session_stays_deleted(
    phone: Phone, person: Person, service: RunningService
) -> None:
    phone.open()
    hashes = phone.send(3)
    set_id = fresh_id()
    phone.confirm(set_id)
    phone.complete(hashes)
    for _ in range(2):
        assert phone.http.delete(phone.path).status_code == 204
    for path in (phone.path, f"{phone.path}/chunks"):
        problem(phone.http.get(path), 404, "not-there")
    problem(phone.open(), 410, "deleted")
    problem(phone.put("acc", 0, phone.body("acc", 0)), 410, "deleted")
    problem(phone.confirm(set_id), 410, "deleted")
    records, user = service.services.records, person.user_id
    assert service.run(records.labelled.revisions(user)) == []
    assert service.run(records.samples.metadata(user, phone.session, "acc", [0])) == []


def test_another_users_session_looks_nonexistent(phone: Phone, service: RunningService) -> None:
    phone.open()
    with service.register().client() as http:
        for stranger in (Phone(http, session=phone.session), Phone(http)):
            for ask in (
                lambda one: one.http.get(one.path),
                lambda one: one.http.get(f"{one.path}/chunks"),
                lambda one: one.put("acc", 0, phone.body("acc", 0)),
                lambda one: one.complete({"acc": []}),
                lambda one: one.confirm(fresh_id()),
                lambda one: one.http.delete(one.path),
            ):
                problem(ask(stranger), 404, "not-there")


def test_an_export_is_complete_and_an_erasure_removes_all_data(
    phone: Phone, person: Person, service: RunningService
) -> None:
    phone.open()
    hashes = phone.send(2)
    phone.put("acc", 0, phone.body("acc", 0, variant=1))
    phone.confirm(fresh_id())
    phone.complete(hashes)
    user = person.user_id

    def export() -> list[dict]:
        lines = phone.http.get("/v1/me/export").text.splitlines()
        rows = [json.loads(line) for line in lines]
        assert rows.pop() == {"complete": True, "lines": len(rows)}
        return rows

    rows = export()
    tables = [row["table"] for row in rows]
    for table, count in {
        "users": 1,
        "sessions": 1,
        "samples": 5,
        "sets": 1,
        "labelled_sets": 2,  # with and without the gyroscope
    }.items():
        assert tables.count(table) == count, table
    assert rows[0]["row"].keys() == {"user_id", "username", "scopes"}  # no password hash
    assert tables.count("journal") == 6  # opened, two declared, confirmed, two listed
    assert tables.count("dead_letters") == 1
    report = phone.http.request("DELETE", "/v1/me")
    assert report.status_code == 200, report.text
    assert report.json()["deleted"]["samples"] == 5
    assert "backups" in report.json()["remains"]
    services = service.services

    async def left() -> list[dict]:
        return [line async for line in export_user(services.database, user, services.clock())]

    rows = service.run(left())
    assert [line["table"] for line in rows] == ["changes", "changes"]
    assert {line["row"]["topic"] for line in rows} == {"erased", "erasure-done"}
    with service.client() as client:
        form = {"username": person.username, "password": "correct horse battery"}
        assert client.post("/v1/auth/token", data=form).status_code == 401
