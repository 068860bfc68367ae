"""`complete`: what is missing, what the samples are like, and lists as long as a day."""

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Literal

import pytest

from api.long_bodies import MAX_HANDLED
from tests.api.conftest import Person, RunningService
from tests.api.phone import STREAMS, Phone, fresh_id, problem, sha


def test_complete_answers_with_the_notes_of_the_session(phone: Phone) -> None:
    """A client developer reads them there first: here `t0` counts from the start of the device."""
    phone.open()
    phone.send(1)
    done = phone.complete(
        {"acc": [sha(phone.body("acc", 0))], "gyro": [sha(phone.body("gyro", 0))]}
    )
    assert done.json()["notes"] == []
    other = Phone(phone.http)
    other.open()
    other.started = datetime(1970, 1, 1, 2, tzinfo=UTC)
    body = other.body("acc", 0)
    assert other.put("acc", 0, body).status_code == 200
    noted = other.complete({"acc": [sha(body)]}).json()["notes"]
    assert noted == ["acc: times-outside-the-session"]
    assert other.http.get(other.path).json()["notes"] == noted


@pytest.mark.parametrize("streams", [{}, STREAMS])
def test_session_without_samples_is_completed_by_an_empty_list(
    phone: Phone, streams: dict[str, dict[str, str]]
) -> None:
    plan = fresh_id()
    planned = {"name": "Monday", "sets": [{"exercise": "bench press", "reps": 8}]}
    assert phone.http.put(f"/v1/me/plans/{plan}", json=planned).status_code == 200
    phone.open(plan=str(plan), streams=streams)
    assert phone.http.get(phone.path).json()["deviations"] == []
    for _ in range(2):
        done = phone.complete({})
        assert (done.status_code, done.json()["complete"]) == (200, True)
    shown = phone.http.get(phone.path).json()
    assert (shown["complete"], shown["ended_at"]) == (True, None)
    assert shown["sets"] == shown["notes"] == []
    assert [one["kinds"] for one in shown["deviations"]] == [["missed"]]
    phone.open(streams=STREAMS)
    phone.send(1)
    shown = phone.http.get(phone.path).json()
    assert (shown["complete"], shown["deviations"]) == (False, [])
    assert phone.http.get("/v1/me/export").status_code == 200


def test_complete_says_that_stored_samples_are_damaged(
    service: RunningService, phone: Phone, person: Person
) -> None:
    phone.open()
    phone.send(1)
    database, place = service.services.database, (person.user_id, phone.session)
    hashes = {stream: sha(phone.body(stream, 0)) for stream in ("acc", "gyro")}
    service.run(
        database.run(
            "UPDATE samples SET xyz = ? WHERE user_id = ? AND session_id = ? AND stream = 'acc' "
            "AND part = 0 AND seq = 0 AND sha256 = ?",
            (b"junk", *place, bytes.fromhex(hashes["acc"])),
        )
    )
    done = phone.complete({stream: [sha256] for stream, sha256 in hashes.items()})
    assert (done.status_code, done.json()["notes"]) == (200, ["samples-do-not-decode"])
    problem(phone.http.get(phone.path), 422, "bad-samples")
    lines = [json.loads(line) for line in phone.http.get("/v1/me/export").text.splitlines()]
    assert lines[-1] == {"complete": True, "lines": len(lines) - 1}
    bodies = [line["row"] for line in lines if line.get("table") == "samples"]
    assert [(row["body"] is None, "problem" in row) for row in bodies] == [
        (row["stream"] == "acc",) * 2 for row in bodies
    ]


def test_damaged_chunk_that_is_not_listed_does_not_refuse_the_list(
    service: RunningService, phone: Phone, person: Person
) -> None:
    phone.open()
    phone.send(2)
    place = (person.user_id, phone.session, bytes.fromhex(sha(phone.body("acc", 1))))
    service.run(
        service.services.database.run(
            "UPDATE samples SET xyz = ? WHERE user_id = ? AND session_id = ? AND stream = 'acc' "
            "AND part = 0 AND seq = 1 AND sha256 = ?",
            (b"junk", *place),
        )
    )
    done = phone.complete({stream: [sha(phone.body(stream, 0))] for stream in ("acc", "gyro")})
    assert done.status_code == 200, done.text
    letters = phone.http.get("/v1/me/export").text
    assert letters.count("the list names no such number") == 2


def test_completion_reports_missing_chunks_and_never_shrinks(phone: Phone) -> None:
    phone.open()
    hashes = phone.send(2)
    later = {name: [*listed, sha(phone.body(name, 2))] for name, listed in hashes.items()}
    gone = problem(phone.complete(later), 409, "missing-chunks")
    assert gone["missing"] == {"acc": [2], "gyro": [2]}
    assert phone.complete(hashes).status_code == 200
    assert phone.complete(hashes).status_code == 200
    phone.send(3)
    assert phone.complete(later).json()["complete"] is True
    shorter_again = phone.complete(hashes).json()
    assert shorter_again["ended_at"] == phone.complete(later).json()["ended_at"]
    other = phone.put("acc", 0, phone.body("acc", 0, variant=1)).json()["sha256"]
    problem(phone.complete({"acc": [other]}), 409, "event-conflict")
    problem(phone.complete({"nope": []}), 422, "bad-event")
    problem(phone.complete({"acc": ["xyz"]}), 422, "bad-input")


def sparse(seq: int, sha256: str) -> dict[str, list[str | None]]:
    """A list with one hash, and null (5 bytes) for each number before it."""
    return {"acc": [*[None] * seq, sha256]}


def test_a_completion_list_may_exceed_the_general_body_limit(phone: Phone) -> None:
    phone.open()
    body = phone.body("acc", 0)
    assert phone.put("acc", 400_000, body).status_code == 200
    listed = sparse(400_000, sha(body))
    assert len(json.dumps(listed)) > 2 * 2**20
    for _ in range(2):
        done = phone.complete(listed)
        assert done.status_code == 200, done.text
    assert done.json()["ended_at"] is not None


def test_a_completion_list_over_the_journal_limit_is_413(phone: Phone) -> None:
    phone.open()
    listed = {"acc": [*["0" * 64] * 119_403], "gyro": []}
    found = problem(phone.complete(listed), 413, "too-large")
    assert (found["field"], found["value"]) == ("streams.acc", 119_403)
    listed = {"acc": listed["acc"][1:], "gyro": ["0" * 64]}
    assert len(problem(phone.complete(listed), 409, "missing-chunks")["missing"]["acc"]) == 119_402
    listed = {name: ["0" * 64] * 130_000 for name in STREAMS}
    found = problem(phone.complete(listed), 413, "too-large")
    assert found["field"] == "body"


def test_long_completion_lists_require_authentication_and_are_read_in_turn(
    phone: Phone, service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.open()
    with service.client() as nobody:
        answer = nobody.post(f"{phone.path}/complete", content=bytes(2 << 20))
        problem(answer, 401, "not-authenticated")
    body = phone.body("acc", 0)
    phone.put("acc", 400_000, body)
    turns: asyncio.Semaphore = service.app.state.long_bodies.turns

    async def take_all() -> None:
        for _ in range(MAX_HANDLED):
            await turns.acquire()

    async def give_back() -> None:
        for _ in range(MAX_HANDLED):
            turns.release()

    asked = threading.Event()
    acquire = turns.acquire

    async def noted() -> Literal[True]:
        asked.set()
        return await acquire()

    service.run(take_all())
    monkeypatch.setattr(turns, "acquire", noted)
    try:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(phone.complete, sparse(400_000, sha(body)))
            assert asked.wait(30)
            time.sleep(0.1)
            assert not waiting.done()
            service.run(give_back())
            assert waiting.result(30).status_code == 200
    finally:
        assert not turns.locked()
