"""A session whose samples are all there says by itself what was done in it."""

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from ingest.importers.imported import ImportedRecording
from models.recognition.sets import recognise
from models.signal.pieces import Piece
from schemas.layout import owner_of
from tests.api.conftest import Person, RunningService
from tests.api.learned import learn, person_recordings, promote, stored
from tests.api.test_live import bodies, open_session


def send_whole(person: Person, recording: ImportedRecording) -> str:
    """A recording as a complete session; returns its id."""
    session = open_session(person, recording.recording)
    lists: dict[str, list[str]] = {}
    with person.client() as client:
        for stream in ("acc", "gyro"):
            (piece,) = getattr(recording.recording, stream)
            chunks = bodies(piece, len(piece.counts) // 50)
            for seq, chunk in enumerate(chunks):
                answer = client.put(
                    f"/v1/sessions/{session}/streams/{stream}/chunks/{seq}",
                    content=chunk,
                    headers={"Content-Type": "application/cbor"},
                )
                assert answer.status_code == 200, answer.text
            lists[stream] = [hashlib.sha256(chunk).hexdigest() for chunk in chunks]
        done = client.post(f"/v1/sessions/{session}/complete", json={"streams": lists})
        assert done.status_code == 200, done.text
    return str(session)


def seconds_of(piece: Piece) -> float:
    return len(piece.counts) / piece.rate_hz


def test_a_set_is_found_named_counted_and_stays_what_was_answered(
    service: RunningService, person: Person, spar: list[ImportedRecording]
):
    recordings = person_recordings(spar, spar[0].person)
    wanted = recordings[0]
    session = send_whole(person, wanted)
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
        time.sleep(service.config.api.pointer_ttl_s + 0.1)
        assert client.get(f"/v1/sessions/{session}").json()["sets"] == [found]

        # Somebody who says what it was has the last word.
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
        assert client.get(f"/v1/sessions/{session}").status_code == 410


def test_a_session_that_is_deleted_while_it_is_looked_at_leaves_no_answer(
    service: RunningService,
    person: Person,
    spar: list[ImportedRecording],
    monkeypatch: pytest.MonkeyPatch,
):
    session = send_whole(person, person_recordings(spar, spar[0].person)[0])
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
        assert len(asked.result().json()["sets"]) >= 1  # it was there when it was asked for
        assert client.get(f"/v1/sessions/{session}").status_code == 410
    predictions = service.services.records.predictions
    assert service.run(predictions.of_session(person.user_id, UUID(session))) == []
