"""A workout as its user sees it: sets are found, named, counted and scored, live and afterwards."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import cbor2
import pytest

from models.recognition.wearing import OTHER_WRIST, remap_recording
from models.signal.pieces import Piece, Recording
from models.signal.timeline import cut
from pipelines.exercise.job import train_exercise
from pipelines.form import train_form
from schemas.inputs import LAYOUTS
from schemas.layout import owner_of
from schemas.notes import LOW_RATE
from store.predictions import Prediction
from tests.api.classifying import body_of, classify
from tests.api.conftest import Person, RunningService
from tests.api.learned import forget_pointers, promote
from tests.api.live_client import hear, item, open_session, talk
from tests.api.workouts import (
    at,
    chunks_of,
    confirm,
    hours_ago,
    models_of,
    send,
    session_of,
)
from tests.pipelines.workouts import workout

NEAR_S = 2.0


def off_s(said: str, truth_ns: int) -> float:
    return abs((datetime.fromisoformat(said) - at(truth_ns)).total_seconds())


def assert_found(found: dict[str, Any], span: tuple[int, int, str]) -> None:
    """The set has the expected times, exercise and repetitions."""
    assert off_s(found["started_at"], span[0]) <= NEAR_S
    assert off_s(found["ended_at"], span[1]) <= NEAR_S
    assert (found["exercise"], found["source"]) == (span[2], "sensor")
    assert found["reps"] == len(found["repetitions"]) >= 10
    assert 0 <= found["reps_confidence"] <= 1


@pytest.fixture(scope="module")
def lifter(service: RunningService) -> Person:
    """A user with a model of each family."""
    person = service.register()
    for kept in models_of(person).values():
        promote(service, kept)
    return person


def test_unlabelled_sets_are_recognised_by_the_users_models(lifter: Person):
    recording, spans = workout(9, hours_ago(2))
    found = session_of(lifter, send(lifter, recording))["sets"]
    assert len(found) == len(spans)  # walking is as rhythmic: only the champion knows it as idle
    for one, span in zip(found, spans, strict=True):
        assert_found(one, span)
        assert one["model"]["level"] == "user"
        assert one["form"]["parts"]["likeness"] > 0.5


def test_only_the_first_day_of_a_longer_session_is_recognised_and_noted(
    lifter: Person, monkeypatch: pytest.MonkeyPatch
):
    for module in ("models.signal.wrist", "ingest.chunk_selection", "ingest.session_notes"):
        # a day that ends between the two sets
        monkeypatch.setattr(f"{module}.MAX_RECORDING_S", 70.0)
    recording, (first, _) = workout(9, hours_ago(6))
    shown = session_of(lifter, send(lifter, recording))
    (found,) = shown["sets"]
    assert_found(found, first)
    assert shown["notes"] == ["acc: longer-than-a-day"]


def test_sets_without_a_model_are_found_by_rhythm_and_not_named(person: Person):
    recording, _ = workout(9, hours_ago(3))
    found = session_of(person, send(person, recording))["sets"]
    assert found
    assert {(one["exercise"], one["reason"], one["model"]) for one in found} == {
        (None, "no-model", None)
    }


def all_near(found: list[dict[str, Any]], spans: Any) -> bool:
    """Whether all sets are found, each near its true start."""
    return len(found) == len(spans) and all(
        off_s(one["started_at"], span[0]) <= NEAR_S for one, span in zip(found, spans, strict=True)
    )


def test_a_live_session_reports_its_sets_while_it_runs(service: RunningService, lifter: Person):
    recording, spans = workout(9, hours_ago(4))
    session = open_session(lifter, recording)
    seen: list[dict[str, Any]] = []
    with talk(service, session, lifter.tokens["access_token"]) as connection:
        pairs = zip(chunks_of(recording.acc[0]), chunks_of(recording.gyro[0]), strict=True)
        for seq, (acc, gyro) in enumerate(pairs):
            connection.send(item("acc", seq, acc))
            connection.send(item("gyro", seq, gyro))
        while len(seen) == 0 or not all_near(seen[-1]["sets"], spans):  # sets grow as they go on
            seen.append(hear(connection, "sets"))
    for one, span in zip(seen[-1]["sets"], spans, strict=True):
        assert_found(one, span)


def test_classify_counts_repetitions(lifter: Person):
    recording, spans = workout(9)
    answer = classify(lifter, body_of(cut(recording, spans[0][0], spans[0][1]))).json()
    assert answer["exercise"] == "curl"
    assert answer["reps"] == pytest.approx(30 / 2.1, abs=3)  # 30 s of 1.8 to 2.4 s each
    assert 0 <= answer["reps_confidence"] <= 1


def test_a_confirmed_set_has_repetitions_and_form(lifter: Person):
    recording, spans = workout(9, hours_ago(5))
    session = send(lifter, recording)
    confirm(lifter, session, spans[0], reps=3)
    confirm(lifter, session, spans[1])
    said, unsaid = session_of(lifter, session)["sets"]
    assert {said["source"], unsaid["source"]} == {"confirmed"}
    assert said["reps"] == 3  # the user's own value
    assert len(said["repetitions"]) >= 10
    assert said["form"]["parts"]["likeness"] > 0.5
    assert unsaid["reps"] == len(unsaid["repetitions"]) >= 10
    assert 0 <= unsaid["reps_confidence"] <= 1
    times = [datetime.fromisoformat(repetition["started_at"]) for repetition in said["repetitions"]]
    assert at(spans[0][0]) <= times[0] < times[-1] <= at(spans[0][1])
    assert session_of(lifter, session)["sets"] == [said, unsaid]


def test_a_confirmed_set_without_samples_has_only_the_confirmed_values(person: Person):
    recording, spans = workout(9, hours_ago(6))
    session = str(open_session(person, recording))
    confirm(person, session, spans[0], reps=8)
    (one,) = session_of(person, session)["sets"]
    assert (one["reps"], one["reps_confidence"], one["form"]) == (8, None, None)
    assert one["repetitions"] == []


def test_retraining_after_corrections_changes_the_prediction(
    service: RunningService, person: Person
):
    """Rows are labelled as deadlifts, learned, corrected and learned again; each takes seconds."""
    rows = []
    for n in range(2):
        recording, (curl, row) = workout(n, hours_ago(20 - n))
        session = send(person, recording)
        confirm(person, session, curl)
        said = (*row[:2], "deadlift")
        rows.append((session, row, *confirm(person, session, said)))
    recording, (_, row) = workout(9)
    body = body_of(cut(recording, row[0], row[1]))

    def learn_and_ask() -> tuple[str, str]:
        """Train; return the predictions for both sensors and for acceleration only."""
        began = time.monotonic()
        report = train_exercise(service.config, users=[person.user_id], engine="local")
        assert report.counts["promoted"] == len(LAYOUTS), report
        assert time.monotonic() - began < 140
        forget_pointers(service, owner_of(person.user_id))
        both, alone = (classify(person, sent).json() for sent in (body, without_rotation(body)))
        assert both["model"]["level"] == alone["model"]["level"] == "user"
        return both["exercise"], alone["exercise"]

    assert learn_and_ask() == ("deadlift", "deadlift")
    for session, span, set_id, etag in rows:
        confirm(person, session, span, etag, set_id=set_id, label_source="corrected")
    assert learn_and_ask() == ("row", "row")


def without_rotation(body: bytes) -> bytes:
    """The same from a watch that has no gyroscope."""
    sent = cbor2.loads(body)
    del sent["streams"]["gyro"]
    return cbor2.dumps(sent)


def test_classify_notes_a_mirrored_watch_and_a_low_sampling_rate(lifter: Person):
    recording, ((start, end, _), _) = workout(9)
    answer = classify(
        lifter, body_of(cut(remap_recording(recording, OTHER_WRIST), start, end))
    ).json()
    assert (answer["exercise"], answer["notes"]) == ("curl", [OTHER_WRIST.note])
    few = classify(lifter, body_of(as_slow_as(12.5, cut(recording, start, end)))).json()
    assert few["notes"] == [LOW_RATE]


def as_slow_as(rate_hz: float, recording: Recording) -> Recording:
    """A recording at a lower rate, by dropping samples."""

    def slower(piece: Piece) -> Piece:
        step = round(piece.rate_hz / rate_hz)
        return replace(piece, rate_hz=rate_hz, counts=piece.counts[::step])

    acc, gyro = ((slower(pieces[0]),) for pieces in (recording.acc, recording.gyro))
    return Recording(acc, gyro, recording.side)


def test_form_is_available_only_after_the_first_training_run(
    service: RunningService, person: Person
):
    with person.client() as client:
        before = client.get("/v1/me/form")
    assert (before.status_code, before.json()["type"]) == (404, "urn:muvr:problem:not-computed-yet")
    told = []
    for n in range(3):
        recording, (curl, row) = workout(n, hours_ago(30 - n))
        session = send(person, recording)
        told.append(confirm(person, session, curl)[0])
        if n == 0:
            confirm(person, session, row)
    with person.client() as client:
        waiting = client.get("/v1/me/form").json()["detail"]
    assert "the next run learns it" in waiting, "sets are confirmed: nothing is left to do"
    report = train_form(service.config, users=[person.user_id], engine="local")
    assert report.counts["promoted"] == len(LAYOUTS), report
    forget_pointers(service, owner_of(person.user_id))
    with person.client() as client:
        answer = client.get("/v1/me/form").json()
    assert answer["stale"] is False
    assert answer["model"]["family"] == "form"
    curl, row = answer["exercises"]
    assert (curl["exercise"], curl["side"], curl["template"]["sets"]) == ("curl", "left", 3)
    assert 1.5 < curl["template"]["quantities"]["duration_s"]["typical"] < 2.6
    assert [set_["set"] for set_ in curl["sets"]] == told[::-1]
    assert curl["sets"][0]["form"]["says"]
    assert (row["template"], row["measured"]) == (None, 1)
    assert row["says"] == "2 more confirmed sets make your usual way."


def test_a_recognition_finishes_after_its_client_disconnects(
    service: RunningService, person: Person
):
    recording, _ = workout(9, hours_ago(7))
    session = UUID(send(person, recording))
    recogniser = service.services.recogniser

    async def give_up() -> list[Prediction]:
        row = await service.services.recorder.session(person.user_id, session)
        asking = asyncio.create_task(
            recogniser.recognised_sets(person.user_id, row, service.services.clock())
        )
        while not recogniser._running:
            await asyncio.sleep(0)
        (look,) = recogniser._running.values()
        asking.cancel()
        return await look.task

    found = service.run(give_up())
    told = session_of(person, str(session))["sets"]
    assert [one["set"] for one in told] == [str(one.set_id) for one in found]
    assert found
