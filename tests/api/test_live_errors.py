"""Unexpected errors of a live connection are logged and told, and end neither guess nor sets."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from ingest.importers.imported import ImportedRecording
from schemas.config import Cassandra
from tests.api.conftest import logging
from tests.api.live_client import bodies, close_code, hear, item, open_session, talk


def fail_at_once(*_: object, **__: object) -> None:
    raise RuntimeError("about anna")


async def fail(*_: object) -> None:
    fail_at_once()


def errors_in(lines: list[str]) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, "".join(lines).splitlines()) if line.get("error")]


def test_an_unexpected_error_is_told_and_logged_and_the_other_answer_comes(
    keyspace: Cassandra,
    tmp_path: Path,
    recordings: list[ImportedRecording],
    monkeypatch: pytest.MonkeyPatch,
):
    lines: list[str] = []
    with logging(keyspace, tmp_path, lines) as service:
        person, recording = service.register(), recordings[0].recording
        session = open_session(person, recording)
        acc, gyro = bodies(recording.acc[0], 3), bodies(recording.gyro[0], 3)
        with talk(service, session, person.tokens["access_token"]) as connection:
            with monkeypatch.context() as broken:
                broken.setattr("api.live_results.classify_response", fail_at_once)
                connection.send(item("acc", 0, acc[0]))
                connection.send(item("gyro", 0, gyro[0]))
                problem = hear(connection, "problem")
                assert problem["problem"]["type"] == "urn:muvr:problem:internal"
                assert not {"stream", "seq"} & problem.keys()
                hear(connection, "sets")
            for seq in (1, 2):
                connection.send(item("acc", seq, acc[seq]))
                connection.send(item("gyro", seq, gyro[seq]))
            hear(connection, "guess")
            monkeypatch.setattr("api.live.store_chunk", fail)
            connection.send(item("acc", 0, acc[0]))
            failed = hear(connection, "problem")
            assert (failed["seq"], failed["problem"]["status"]) == (0, 500)
            monkeypatch.setattr(service.services.authenticator, "authenticate_token", fail)
            connection.send(json.dumps({"resume": True}))
            assert close_code(connection) == 4500
        with service.client() as client:
            counted = re.search(
                r'muvr_problems_total\{type="internal"\} (\S+)', client.get("/metrics").text
            )
    assert counted is not None
    assert float(counted[1]) == 3
    told = errors_in(lines)
    assert [line["error"] for line in told] == ["RuntimeError"] * 3
    assert {line["route"] for line in told} == {"/v1/sessions/{session}/live"}
    assert "anna" not in "".join(lines)
