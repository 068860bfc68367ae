"""A live connection is subject to its user's limits, whatever it sends."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from api.live import MAX_BAD_ITEMS
from api.live_connection import MAX_CHUNKS_OF_CONNECTION
from ingest.importers.imported import ImportedRecording
from schemas.config import Cassandra, Limits
from schemas.errors import DatabaseUnavailable
from tests.api.conftest import Person, RunningService, running_strictly, settings
from tests.api.live_client import bodies, hear, item, open_session, receipts_and_problems, talk


def test_every_live_message_counts_against_the_request_limit(
    keyspace: Cassandra, tmp_path: Path, recordings: list[ImportedRecording]
):
    limits = Limits(requests_per_minute=6)
    with running_strictly(settings(keyspace, tmp_path, limits=limits)) as strict:
        person = strict.register()
        recording = recordings[0].recording
        session = open_session(person, recording)  # the first
        token = person.tokens["access_token"]
        with talk(strict, session, token) as connection:  # the second
            hear(connection, "ready")
            answers = []
            for word in [{"resume": True}] * 3 + [{"auth": token}, {"resume": True}]:
                connection.send(json.dumps(word))
                answers.append(json.loads(connection.recv(timeout=20)))
            assert [answer["type"] for answer in answers] == ["held"] * 3 + ["auth", "problem"]
            refusal = answers[-1]
            assert (refusal["problem"]["status"], refusal["problem"]["limit"]) == (429, "requests")
            assert refusal["retry_after_s"] == 10
            connection.send(json.dumps({"auth": token}))
            assert hear(connection, "problem")["problem"]["status"] == 429
            connection.send(item("acc", 0, bodies(recording.acc[0], 1)[0]))
            late = hear(connection, "problem")
            assert (late["seq"], late["problem"]["status"]) == (0, 429)
            assert late["retry_after_s"] >= 1
        with person.client() as client:
            assert client.get(f"/v1/sessions/{session}").status_code == 429


def test_invalid_items_count_against_the_request_limit(
    keyspace: Cassandra, tmp_path: Path, recordings: list[ImportedRecording]
):
    limits = Limits(requests_per_minute=6)
    with running_strictly(settings(keyspace, tmp_path, limits=limits)) as strict:
        person = strict.register()
        recording = recordings[0].recording
        session = open_session(person, recording)  # the first
        (chunk,) = bodies(recording.acc[0], 1)
        with talk(strict, session, person.tokens["access_token"]) as connection:  # the second
            hear(connection, "ready")
            connection.send(bytes(2) + item("acc", 0, b"") + item("acc", 0, chunk) + bytes(40))
            receipts, problems = receipts_and_problems(connection, 1 + MAX_BAD_ITEMS + 1)
    assert receipts == [0]
    statuses = [problem["status"] for problem in problems]
    assert statuses == [422] * 3 + [429] * (MAX_BAD_ITEMS - 3) + [422]  # the rest is skipped


def test_a_connection_stores_no_more_chunks_at_once_than_it_may(
    service: RunningService,
    person: Person,
    recordings: list[ImportedRecording],
    monkeypatch: pytest.MonkeyPatch,
):
    """The others wait in the socket: what one client sends ahead must not fill the memory."""
    running, most, chunks = 0, 0, 2 * MAX_CHUNKS_OF_CONNECTION + 8

    async def store(*_: object) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)  # all that were started begin
        running -= 1
        raise DatabaseUnavailable("not now")

    monkeypatch.setattr("api.live.store_chunk", store)
    recording = recordings[0].recording
    sent = [item("acc", n, body) for n, body in enumerate(bodies(recording.acc[0], chunks, 20))]
    assert len(sent) == chunks
    with talk(service, open_session(person, recording), person.tokens["access_token"]) as connected:
        hear(connected, "ready")
        connected.send(b"".join(sent))
        assert len(receipts_and_problems(connected, chunks)[1]) == chunks
    assert most == MAX_CHUNKS_OF_CONNECTION
