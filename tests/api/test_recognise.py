"""The sets of a complete session are recognised when it is read."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from api.recognise import Recogniser
from ingest.importers.imported import ImportedRecording
from ingest.recognition import recognise_session
from models.recognition.sets import recognise
from models.signal.pieces import Piece
from schemas.layout import owner_of
from tests.api.conftest import Person, RunningService
from tests.api.learned import learn, person_recordings, promote, stored
from tests.api.lines import dial
from tests.api.workouts import send_seconds
from tests.ingest.repeating import recorded


def seconds_of(piece: Piece) -> float:
    return len(piece.counts) / piece.rate_hz


def test_a_recognised_set_is_named_counted_and_kept_until_confirmed(
    service: RunningService, person: Person, spar: list[ImportedRecording]
):
    recordings = person_recordings(spar, spar[0].person)
    wanted = recordings[0]
    session = send_seconds(person, wanted.recording)
    with person.client() as client:
        unnamed = client.get(f"/v1/sessions/{session}").json()["sets"]
        assert len(unnamed) >= 1
        assert {one["reason"] for one in unnamed} == {"no-model"}

        kept = stored(learn(recordings), owner_of(person.user_id))
        promote(service, kept)
        (found, *rest) = client.get(f"/v1/sessions/{session}").json()["sets"]
        assert rest == []
        assert found["source"] == "sensor"
        assert found["exercise"] == wanted.sets[0].exercise
        assert found["model"] == {"family": "exercise", "level": "user", "version": kept.version}
        assert found["reps"] == pytest.approx(20, abs=2)
        assert len(found["repetitions"]) == found["reps"]
        times = [datetime.fromisoformat(rep["started_at"]) for rep in found["repetitions"]]
        assert times == sorted(times)
        length = datetime.fromisoformat(found["ended_at"]) - datetime.fromisoformat(
            found["started_at"]
        )
        assert length.total_seconds() >= 0.7 * seconds_of(wanted.recording.acc[0])

        promote(service, stored(learn(recordings[:8]), kept.owner))
        assert client.get(f"/v1/sessions/{session}").json()["sets"] == [found]

        # A confirmation by the user overrides the prediction.
        said = client.put(
            f"/v1/sessions/{session}/sets/{session[:-1]}0",
            json={
                "exercise": "something else",
                "started_at": found["started_at"],
                "ended_at": found["ended_at"],
            },
        )
        assert said.status_code == 200, said.text
        (after,) = client.get(f"/v1/sessions/{session}").json()["sets"]
        assert (after["source"], after["exercise"]) == ("confirmed", "something else")

        assert client.delete(f"/v1/sessions/{session}").status_code == 204
        assert client.get(f"/v1/sessions/{session}").status_code == 404


def test_a_recognised_set_is_accepted_and_corrected_under_its_own_id(
    person: Person, spar: list[ImportedRecording]
):
    recording = person_recordings(spar, spar[0].person)[0].recording
    session = f"/v1/sessions/{send_seconds(person, recording)}"
    with person.client() as client:
        found = client.get(session).json()["sets"][0]
        times = {"started_at": found["started_at"], "ended_at": found["ended_at"]}
        guess = {**times, "exercise": "lateral raise", "label_source": "accepted_guess"}
        path = f"{session}/sets/{found['set']}"
        accepted = client.put(path, json=guess)
        assert accepted.status_code == 200, accepted.text
        of_this_time = _shown(client, session, found)
        assert [(one["set"], one["source"]) for one in of_this_time] == [
            (found["set"], "confirmed")
        ]
        assert of_this_time[0]["label_source"] == "accepted_guess"
        corrected = client.put(
            path,
            json={**guess, "exercise": "upright row", "label_source": "corrected"},
            headers={"If-Match": accepted.headers["ETag"]},
        )
        assert corrected.status_code == 200, corrected.text
        assert [one["exercise"] for one in _shown(client, session, found)] == ["upright row"]

        assert client.delete(path).status_code == 204
        assert [one["source"] for one in _shown(client, session, found)] == ["sensor"]
        told = client.put(path, json=guess)
        assert told.status_code == 410, "the id of a deleted set is not used again"


def _shown(client: httpx.Client, session: str, found: dict[str, Any]) -> list[dict[str, Any]]:
    """The session's sets that overlap a set."""
    start, end = _span(found)
    sets = client.get(session).json()["sets"]
    return [one for one in sets if _span(one)[0] < end and start < _span(one)[1]]


def _span(found: dict[str, Any]) -> tuple[datetime, datetime]:
    start, end = (datetime.fromisoformat(found[name]) for name in ("started_at", "ended_at"))
    return start, end


def test_a_session_deleted_during_recognition_leaves_no_predictions(
    service: RunningService,
    person: Person,
    spar: list[ImportedRecording],
    monkeypatch: pytest.MonkeyPatch,
):
    session = send_seconds(person, person_recordings(spar, spar[0].person)[0].recording)
    begun, go = threading.Event(), threading.Event()

    def slowly(*given: Any) -> Any:
        begun.set()
        assert go.wait(30)
        return recognise(*given)

    monkeypatch.setattr("ingest.recognition.recognise", slowly)
    with person.client() as client, ThreadPoolExecutor(1) as other:
        asked = other.submit(client.get, f"/v1/sessions/{session}")
        assert begun.wait(30)
        assert client.delete(f"/v1/sessions/{session}").status_code == 204
        go.set()
        assert len(asked.result().json()["sets"]) >= 1  # it existed when it was requested
        assert client.get(f"/v1/sessions/{session}").status_code == 404
    predictions = service.services.records.predictions
    assert service.run(predictions.of_session(person.user_id, UUID(session))) == []


class NoModels:
    """Models of somebody for whom nothing is trained."""

    async def ladder(self, *_: object) -> list[Any]:
        return []

    async def find(self, *_: object) -> None:
        return None

    async def by_layout(self, *_: object) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("lost", [0, 1])
async def test_half_written_recognition_is_made_again(lost: int) -> None:
    recorded_session = await recorded(bouts=2)
    records, user = recorded_session.records, recorded_session.user
    session = await records.sessions.read(user, recorded_session.session)
    assert session is not None
    recogniser = Recogniser(records, NoModels())
    first = await recogniser.recognised_sets(user, session, recorded_session.clock())
    assert len(first) == 2
    await records.predictions.replace(user, session.session_id, first[lost:])
    again = await recogniser.recognised_sets(user, session, recorded_session.clock())
    assert [row.set_id for row in again] == [row.set_id for row in first]
    stored = await records.predictions.of_session(user, session.session_id)
    assert stored == again


def test_users_take_turns_and_abandoned_recognitions_are_dropped(
    service: RunningService, spar: list[ImportedRecording], monkeypatch: pytest.MonkeyPatch
):
    recordings = person_recordings(spar, spar[0].person)
    much, little = service.register(), service.register()
    sessions = [send_seconds(much, recordings[0].recording) for _ in range(3)]
    other = send_seconds(little, recordings[0].recording)
    begun: list[UUID] = []
    first, go = threading.Event(), threading.Event()
    look_at = recognise_session

    async def slowly(stored: Any, *given: Any) -> Any:
        begun.append(stored.session.session_id)
        first.set()
        assert await asyncio.to_thread(go.wait, 30)
        return await look_at(stored, *given)

    monkeypatch.setattr("api.recognise.recognise_session", slowly)
    looks = service.services.recogniser._running
    with ThreadPoolExecutor(3) as pool:

        def has_begun(session: str) -> bool:
            return UUID(session) in {id_ for _, id_ in looks}

        def ask(person: Person, session: str) -> Future[httpx.Response]:
            asked = pool.submit(fetch, person, session)
            wait_for(lambda: has_begun(session))
            return asked

        answers = [ask(much, sessions[0])]
        assert first.wait(30)
        with dial(service) as given_up:
            given_up.sendall(
                f"GET /v1/sessions/{sessions[1]} HTTP/1.1\r\nhost: x\r\n"
                f"authorization: Bearer {much.tokens['access_token']}\r\n\r\n".encode()
            )
            wait_for(lambda: has_begun(sessions[1]))
            answers += [ask(much, sessions[2]), ask(little, other)]
        wait_for(lambda: len(looks) == 3)
        go.set()
        assert [answer.result().status_code for answer in answers] == [200, 200, 200]
    assert begun == [UUID(one) for one in (sessions[0], other, sessions[2])]


def fetch(person: Person, session: str) -> httpx.Response:
    with person.client() as client:
        return client.get(f"/v1/sessions/{session}")


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)
