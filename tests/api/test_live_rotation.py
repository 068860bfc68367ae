"""Live recognition where the gyroscope is silent, stops, or is declared late."""

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection

from ingest.chunks import canonical_body
from ingest.importers.imported import ImportedRecording
from models.signal.pieces import Piece
from schemas.layout import owner_of
from schemas.times import NS_PER_S
from tests.api.conftest import Person, RunningService
from tests.api.learned import learn, learn_alone, promote, stored
from tests.api.live_client import item, open_session, talk
from tests.api.phone import STREAMS, Phone, sha
from tests.ingest.repeating import repeating

MISSING = "rotation-is-missing"
RATE_HZ = 50


def second(piece: Piece, number: int) -> bytes:
    """One second of a stream as a chunk."""
    part = slice(number * RATE_HZ, (number + 1) * RATE_HZ)
    t0_ns = piece.t0_ns + number * NS_PER_S
    return canonical_body(replace(piece, t0_ns=t0_ns, counts=piece.counts[part]))


class Listener:
    """A live connection whose answers are kept by type."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.heard: dict[str, list[dict[str, Any]]] = {}

    def hear(self) -> dict[str, Any]:
        message = json.loads(self.connection.recv(timeout=20))
        self.heard.setdefault(message["type"], []).append(message)
        return message

    def send(self, chunks: Iterable[tuple[str, int, bytes]]) -> None:
        """Send chunks one after the other, each when the one before it is stored."""
        for stream, seq, chunk in chunks:
            self.connection.send(item(stream, seq, chunk))
            while self.hear()["type"] != "receipt":
                pass

    def last(self, kind: str) -> dict[str, Any]:
        """The last message of one type; empty before the first."""
        return self.heard.get(kind, [{}])[-1]

    def next(self, kind: str) -> dict[str, Any]:
        """The next message of one type."""
        while (message := self.hear())["type"] != kind:
            pass
        return message


def long_enough(recordings: list[ImportedRecording], seconds: int) -> ImportedRecording:
    """A recording of at least so many seconds; both sensors begin together and have 50 Hz."""
    return next(
        one
        for one in recordings
        if len(one.recording.acc[0].counts) >= seconds * RATE_HZ
        and len(one.recording.gyro[0].counts) >= seconds * RATE_HZ
    )


def test_a_silent_gyroscope_does_not_silence_the_guess(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    for model in (learn(recordings), learn_alone(recordings)):
        promote(service, stored(model, owner_of(person.user_id)))
    one = recordings[0]
    session = open_session(person, one.recording)
    with talk(service, session, person.tokens["access_token"]) as connection:
        listener = Listener(connection)
        listener.send(("acc", n, second(one.recording.acc[0], n)) for n in range(12))
        while not any(guess["exercise"] for guess in listener.heard.get("guess", ())):
            listener.next("guess")
        assert "problem" not in listener.heard
    guesses = listener.heard["guess"]
    assert all(guess["notes"] == [MISSING] for guess in guesses)
    named = next(guess for guess in guesses if guess["exercise"])
    assert named["exercise"] == one.sets[0].exercise


def test_a_gyroscope_that_stops_is_used_again_when_it_comes_back(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    recording = long_enough(recordings, 45).recording
    session = open_session(person, recording)
    acc = [("acc", n, second(recording.acc[0], n)) for n in range(45)]
    gyro = [("gyro", n, second(recording.gyro[0], n)) for n in range(45)]
    with talk(service, session, person.tokens["access_token"]) as connection:
        listener = Listener(connection)
        listener.send(chunk for both in zip(acc[:20], gyro[:20], strict=True) for chunk in both)
        if "guess" not in listener.heard:
            listener.next("guess")
        assert all(guess["notes"] == [] for guess in listener.heard["guess"])
        listener.send(acc[20:28])
        while MISSING not in listener.heard["guess"][-1]["notes"]:
            listener.next("guess")
        listener.send(acc[28:30])
        listener.send(chunk for both in zip(acc[30:], gyro[30:], strict=True) for chunk in both)
        while MISSING in listener.heard["guess"][-1]["notes"]:
            listener.next("guess")
        assert "problem" not in listener.heard


def test_sets_without_rotation_are_live_and_say_so_as_in_the_session(
    service: RunningService, person: Person
):
    """A movement of forty seconds, with rest around it; the gyroscope is silent."""
    with person.client() as http:
        phone = Phone(http)
        assert phone.open().status_code == 200
        t0_ns = int(phone.started.timestamp()) * NS_PER_S
        moving = repeating().piece
        resting = np.repeat(moving.counts[-1:], 20 * RATE_HZ, axis=0)
        counts = np.concatenate([moving.counts, resting])
        whole = replace(moving, t0_ns=t0_ns, counts=counts)
        bodies = [second(whole, n) for n in range(100)]
        with talk(service, phone.session, person.tokens["access_token"]) as connection:
            listener = Listener(connection)
            listener.send(("acc", n, body) for n, body in enumerate(bodies))
            while not listener.last("sets").get("sets"):
                listener.next("sets")
        live = listener.last("sets")["sets"]
        assert phone.complete({"acc": [sha(body) for body in bodies]}).status_code == 200
        shown = http.get(phone.path).json()
    assert [one["notes"] for one in live] == [[MISSING]]
    assert [one["notes"] for one in shown["sets"]] == [[MISSING]]


def test_a_stream_that_is_declared_during_the_connection_is_used(
    service: RunningService, person: Person
):
    with person.client() as http:
        phone = Phone(http)
        assert phone.open(streams={"gyro": STREAMS["gyro"]}).status_code == 200
        with talk(service, phone.session, person.tokens["access_token"]) as connection:
            listener = Listener(connection)
            listener.send([("gyro", 0, phone.body("gyro", 0))])
            assert phone.open().status_code == 200
            for n in range(6):
                listener.send((name, n, phone.body(name, n)) for name in STREAMS)
            assert listener.heard.get("guess") or listener.next("guess")


def test_a_clock_that_is_set_back_does_not_silence_the_guess(
    service: RunningService, person: Person, recordings: list[ImportedRecording]
):
    promote(service, stored(learn_alone(recordings), owner_of(person.user_id)))
    whole = long_enough(recordings, 40).recording.acc[0]
    with person.client() as http:
        phone = Phone(http)
        assert phone.open(streams={"acc": STREAMS["acc"]}).status_code == 200
        whole = replace(whole, t0_ns=int(phone.started.timestamp()) * NS_PER_S)
        back = replace(whole, t0_ns=whole.t0_ns - 600 * NS_PER_S)
        with talk(service, phone.session, person.tokens["access_token"]) as connection:
            listener = Listener(connection)
            listener.send(("acc", n, second(whole, n)) for n in range(20))
            listener.send(("acc", n, second(back, n)) for n in range(20, 40))
            while not any(
                guess["started_at"] and datetime.fromisoformat(guess["started_at"]) < phone.started
                for guess in listener.heard["guess"]
            ):
                listener.next("guess")
