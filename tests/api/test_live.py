"""The live connection: receipts as for uploads, live guesses, token renewal, resuming."""

import hashlib
import json

import cbor2
import pytest
from websockets.sync.client import connect

from api.chunk_items import MAX_ITEMS
from api.live import MAX_BAD_ITEMS, _next_number
from api.tokens import Tokens
from ingest.importers.imported import ImportedRecording
from schemas.errors import DatabaseUnavailable
from schemas.layout import owner_of
from tests.api.conftest import Person, RunningService
from tests.api.learned import learn, promote, stored
from tests.api.live_client import (
    bodies,
    close_code,
    hear,
    item,
    open_session,
    receipts_and_problems,
    talk,
)
from tests.api.logins import key_ring


@pytest.mark.parametrize(
    ("ranges", "number"),
    [([], 0), ([[0, 0]], 1), ([[0, 4]], 5), ([[1, 4]], 0), ([[0, 1], [3, 9]], 2)],
)
def test_a_stream_goes_on_at_the_first_missing_number(ranges: list[list[int]], number: int):
    assert _next_number(ranges) == number


def test_live_and_upload_give_the_same_receipt(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    recording = recordings[0].recording
    session = open_session(person, recording)
    (chunk,) = bodies(recording.acc[0], 1)
    with talk(service, session, person.tokens["access_token"]) as connection:
        assert hear(connection, "ready")["session"] == str(session)
        connection.send(item("acc", 0, chunk))
        first = hear(connection, "receipt")
        connection.send(item("acc", 0, chunk))
        again = hear(connection, "receipt")
    with person.client() as client:
        upload = client.put(
            f"/v1/sessions/{session}/streams/acc/chunks/0",
            content=chunk,
            headers={"Content-Type": "application/cbor"},
        ).json()
        held = client.get(f"/v1/sessions/{session}/chunks").json()
    del first["type"], again["type"]
    assert first == again == upload
    assert first["sha256"] == hashlib.sha256(chunk).hexdigest()
    assert held["streams"]["acc"]["ranges"] == [[0, 0]]


def test_an_invalid_message_gets_a_problem_and_the_connection_stays_open(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    recording = recordings[0].recording
    session = open_session(person, recording)
    (chunk,) = bodies(recording.acc[0], 1)
    with talk(service, session, person.tokens["access_token"]) as connection:
        hear(connection, "ready")
        connection.send(item("acc", 10**5000, chunk))
        assert hear(connection, "problem")["problem"]["field"] == "seq"
        connection.send(item("acc", 1, chunk) + bytes(MAX_ITEMS))
        receipt, problems = receipts_and_problems(connection, 1 + MAX_BAD_ITEMS + 1)
        assert receipt == [1]
        assert [problem["field"] for problem in problems] == ["item"] * MAX_BAD_ITEMS + ["items"]
        assert problems[-1]["value"] == MAX_BAD_ITEMS  # the thousands after it are not reported
        connection.send("[" * 100_000)
        assert hear(connection, "problem")["problem"]["status"] == 422
        connection.send(item("acc", 0, chunk))
        assert hear(connection, "receipt")["seq"] == 0


def test_the_problem_of_a_failed_guess_names_no_chunk(
    service: RunningService,
    person: Person,
    recordings: list[ImportedRecording],
    monkeypatch: pytest.MonkeyPatch,
):
    """The chunk is stored: a client that took the problem for the chunk's would set it aside."""
    recording = recordings[0].recording
    session = open_session(person, recording)
    (acc,), (gyro,) = bodies(recording.acc[0], 1), bodies(recording.gyro[0], 1)
    ladder = service.services.models.ladder

    async def unavailable(*_: object) -> None:
        raise DatabaseUnavailable("no answer")

    monkeypatch.setattr(service.services.models, "ladder", unavailable)
    with talk(service, session, person.tokens["access_token"]) as connection:
        connection.send(item("acc", 0, acc))
        connection.send(item("gyro", 0, gyro))
        problem = hear(connection, "problem")
        assert problem["problem"]["status"] == 503
        assert not {"stream", "seq"} & problem.keys()
        monkeypatch.setattr(service.services.models, "ladder", ladder)
        connection.send(item("acc", 0, acc))
        assert hear(connection, "receipt")["seq"] == 0  # the connection goes on


def test_the_live_guess_names_the_exercise(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    kept = stored(learn(recordings), owner_of(person.user_id))
    promote(service, kept)
    recording = recordings[0].recording
    session = open_session(person, recording)
    guesses = []
    with talk(service, session, person.tokens["access_token"]) as connection:
        for seq, (acc, gyro) in enumerate(
            zip(bodies(recording.acc[0], 12), bodies(recording.gyro[0], 12), strict=True)
        ):
            connection.send(item("acc", seq, acc))
            connection.send(item("gyro", seq, gyro))
            receipts = 0
            while receipts < 2:
                message = json.loads(connection.recv(timeout=20))
                receipts += message["type"] == "receipt"
                guesses += [message] if message["type"] == "guess" else []
        while not guesses or guesses[-1]["exercise"] is None:
            guesses.append(hear(connection, "guess"))
    assert guesses[-1]["exercise"] == recordings[0].sets[0].exercise
    assert guesses[-1]["model"] == {"family": "exercise", "level": "user", "version": kept.version}
    assert 0 < guesses[-1]["probability"] <= 1


def test_a_dropped_connection_resumes_after_the_stored_chunks(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    recording = recordings[0].recording
    session = open_session(person, recording)
    chunks = bodies(recording.acc[0], 6)
    token = person.tokens["access_token"]
    with talk(service, session, token) as connection:
        for seq in range(3):
            connection.send(item("acc", seq, chunks[seq]))
        for _ in range(3):
            hear(connection, "receipt")
        connection.socket.shutdown(2)  # without a close frame
    with talk(service, session, token) as connection:
        connection.send(json.dumps({"resume": True}))
        held = hear(connection, "held")["streams"]["acc"]
        assert (held["ranges"], held["next"]) == ([[0, 2]], 3)
        for seq in range(held["next"], 6):
            connection.send(item("acc", seq, chunks[seq]))
        for _ in range(3):
            hear(connection, "receipt")
        connection.send(json.dumps({"resume": True}))
        assert hear(connection, "held")["streams"]["acc"]["ranges"] == [[0, 5]]


@pytest.mark.parametrize("value", ["true", "false", "null", "1", '"please"', '{"since": [2]}'])
def test_any_value_of_resume_asks_for_what_is_held(
    service: RunningService,
    person: Person,
    recordings: list[ImportedRecording],
    value: str,
):
    session = open_session(person, recordings[0].recording)
    with talk(service, session, person.tokens["access_token"]) as connection:
        hear(connection, "ready")
        connection.send(f'{{"resume": {value}}}')
        assert hear(connection, "held")["session"] == str(session)


def test_an_invalid_item_gets_a_problem_and_the_connection_stays_open(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    recording = recordings[0].recording
    session = open_session(person, recording)
    (chunk,) = bodies(recording.acc[0], 1)
    broken = cbor2.dumps({**cbor2.loads(chunk), "rate_hz": float("nan")})
    with talk(service, session, person.tokens["access_token"]) as connection:
        for frame, field in (
            (item("acc", 0, broken), "rate_hz"),
            (b"\xff", ""),
            (cbor2.dumps({"stream": "acc"}), "item"),
        ):
            connection.send(frame)
            problem = hear(connection, "problem")["problem"]
            assert problem["status"] == 422
            assert problem.get("field", "") == field
        connection.send("what?")
        assert hear(connection, "problem")["problem"]["status"] == 422
        connection.send(item("acc", 0, chunk))
        assert hear(connection, "receipt")["seq"] == 0


def test_the_first_message_may_carry_the_token(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    session = open_session(person, recordings[0].recording)
    with talk(service, session, None) as connection:
        connection.send(json.dumps({"auth": person.tokens["access_token"]}))
        assert hear(connection, "ready")["expires_at"]
    with talk(service, session, None) as connection:
        connection.send(json.dumps({"auth": "nonsense"}))
        assert close_code(connection) == 4401


def test_a_token_is_renewed_in_the_connection_only_by_its_owner(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    session = open_session(person, recordings[0].recording)
    with person.client() as client:
        renewed = client.post(
            "/v1/auth/refresh", json={"refresh_token": person.tokens["refresh_token"]}
        ).json()
    with talk(service, session, person.tokens["access_token"]) as connection:
        connection.send(json.dumps({"auth": renewed["access_token"]}))
        assert hear(connection, "auth")["expires_at"]
        stranger = service.register()
        connection.send(json.dumps({"auth": stranger.tokens["access_token"]}))
        assert close_code(connection) == 4403


def test_an_expired_token_without_renewal_closes_the_connection(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    session = open_session(person, recordings[0].recording)
    soon_over = service.config.auth.model_copy(update={"access_minutes": 5 / 60})
    brief = Tokens(soon_over, key_ring(service))
    token = brief.access(person.user_id, person.login_id, frozenset({"sensor:write"}))
    with talk(service, session, token) as connection:
        assert hear(connection, "auth")["expires_at"]  # the warning
        assert close_code(connection) == 4401


def test_a_revoked_login_closes_the_connection(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    recording = recordings[0].recording
    session = open_session(person, recording)
    (chunk,) = bodies(recording.acc[0], 1)
    with talk(service, session, person.tokens["access_token"]) as connection:
        hear(connection, "ready")
        with person.client() as client:
            client.post("/v1/auth/revoke", json={"token": person.tokens["refresh_token"]})
        connection.send(item("acc", 0, chunk))
        assert close_code(connection) == 4401


def test_a_session_that_is_no_uuid_is_told_as_in_an_upload(service: RunningService, person: Person):
    url = service.url.replace("http://", "ws://") + "/v1/sessions/nope/live"
    headers = {"Authorization": f"Bearer {person.tokens['access_token']}"}
    with connect(url, additional_headers=headers, open_timeout=20) as connection:
        told = hear(connection, "problem")["problem"]
        assert (told["type"], told["field"]) == ("urn:muvr:problem:bad-event", "session")
        assert close_code(connection) == 4422
