"""The offline client: everything in a phone's outbox reaches the server exactly once."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from examples.client import (
    Client,
    LoginNeeded,
    ReceiptWrong,
    RequestRefused,
    TryLater,
    new_id,
)
from examples.outbox import BATCH_BYTES, Outbox
from tests.api.conftest import PASSWORD, Person, RunningService
from tests.api.offline_phone import CHUNKS, DAYS, STREAMS, a_week, answering, body, served_by
from tests.api.phone import sha
from tests.ports import free_ports


@pytest.fixture
def phone(service: RunningService, person: Person) -> Iterator[Client]:
    with Client(service.url) as client:
        client.login(person.username, PASSWORD)
        yield client


def test_a_client_cannot_send_after_logging_out(phone: Client):
    session = new_id()
    phone.open_session(session, datetime.now(UTC), STREAMS)
    phone.logout()
    with pytest.raises(RequestRefused) as refused:
        phone.session(session)
    assert refused.value.status == 401


def test_an_offline_week_is_uploaded_completely_and_once(tmp_path: Path, phone: Client):
    with_network = Outbox(tmp_path / "outbox.db")
    kept = a_week(with_network)
    waiting = len(with_network)
    with_network.close()
    outbox = Outbox(tmp_path / "outbox.db")  # the phone was switched off in between
    assert len(outbox) == waiting == DAYS * (CHUNKS + 3)
    assert outbox.send(phone) == waiting
    assert (len(outbox), outbox.refused()) == (0, [])
    for session in kept:
        answer = phone.session(session)
        assert answer["complete"]
        assert [set_["exercise"] for set_ in answer["sets"]] == ["row"]
        stored = phone.stored_chunks(session)["streams"]["acc"]
        assert stored["ranges"] == [[0, CHUNKS - 1]]
    assert outbox.send(phone) == 0
    outbox.close()


def test_a_session_that_goes_on_after_complete_keeps_its_later_sets(tmp_path: Path, phone: Client):
    outbox = Outbox(tmp_path / "outbox.db")
    started_at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    session = new_id(started_at)
    outbox.add_session(session, started_at, STREAMS)
    hashes: list[str] = []
    for seq in range(CHUNKS):  # of 6 s: each set lies in its own one
        sent = body(0, seq, started_at)
        hashes.append(hashlib.sha256(sent).hexdigest())
        outbox.add_chunk(session, "acc", seq, sent)
        begin = started_at + timedelta(seconds=6 * seq)
        times = {"started_at": begin, "ended_at": begin + timedelta(seconds=6)}
        outbox.add_set(session, new_id(begin), {"exercise": "row", **times})
        outbox.add_completion(session, {"acc": hashes})
        outbox.send(phone)
    assert (len(outbox), outbox.refused()) == (0, [])
    assert len(phone.session(session)["sets"]) == CHUNKS
    outbox.close()


def test_the_outbox_keeps_everything_without_a_network(
    tmp_path: Path, person: Person, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("examples.client.TRIES", 1)
    outbox = Outbox(tmp_path / "outbox.db")
    a_week(outbox)
    waiting = len(outbox)
    with Client(f"http://127.0.0.1:{free_ports(1)[0]}") as lost:
        assert outbox.send(lost) == 0
        with pytest.raises(TryLater, match="ConnectError"):
            lost.session(new_id())
    assert len(outbox) == waiting
    outbox.close()


def test_recordings_survive_an_expired_login(tmp_path: Path, phone: Client, person: Person):
    outbox = Outbox(tmp_path / "outbox.db")
    kept = a_week(outbox, days=1)
    waiting = len(outbox)
    phone.logout()
    with pytest.raises(LoginNeeded, match="Log in again"):
        outbox.send(phone)
    assert (len(outbox), outbox.refused()) == (waiting, [])
    phone.login(person.username, PASSWORD)
    assert outbox.send(phone) == waiting
    assert outbox.refused() == []
    assert all(phone.session(session)["complete"] for session in kept)
    outbox.close()


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("add", ["add_session", "add_chunk", "add_completion"])
def test_the_outbox_keeps_its_entries_when_a_login_is_needed(tmp_path: Path, add: str, status: int):
    outbox = Outbox(tmp_path / "outbox.db")
    arguments = {
        "add_session": (datetime.now(UTC), STREAMS),
        "add_chunk": ("acc", 0, b"samples"),
        "add_completion": ({"acc": []},),
    }
    getattr(outbox, add)(new_id(), *arguments[add])
    with answering(status, []) as client, pytest.raises(LoginNeeded, match=str(status)):
        outbox.send(client)
    assert (len(outbox), outbox.refused()) == (1, [])
    outbox.close()


def test_permanently_refused_entries_are_kept_apart(tmp_path: Path, phone: Client):
    outbox = Outbox(tmp_path / "outbox.db")
    started_at = datetime.now(UTC) - timedelta(hours=1)
    session = new_id(started_at)
    outbox.add_session(session, started_at, STREAMS)
    outbox.add_chunk(session, "acc", 0, body(0, 0, started_at))
    outbox.add_chunk(session, "acc", 1, body(0, 1, started_at, unit="stone"))
    assert outbox.send(phone) == 3
    ((what, problem, kept),) = outbox.refused()
    assert what == f"chunk {session} acc 1"
    assert "stone" in problem["detail"]
    assert kept == body(0, 1, started_at, unit="stone")
    assert phone.stored_chunks(session)["streams"]["acc"]["ranges"] == [[0, 0]]
    outbox.close()


def test_refused_requests_are_kept_with_their_bodies(tmp_path: Path, phone: Client):
    outbox = Outbox(tmp_path / "outbox.db")
    session, started_at = new_id(), datetime.now(UTC)
    outbox.add_session(session, started_at, {"acc": {**STREAMS["acc"], "unit": "stone"}})
    outbox.add_chunk(session, "acc", 0, body(0, 0, started_at))
    assert outbox.send(phone) == 2
    opening, chunk_ = outbox.refused()
    assert opening.what == f"open {session}"
    assert b"stone" in opening.body
    assert (chunk_.problem["status"], chunk_.body) == (404, body(0, 0, started_at))
    outbox.close()


def test_a_lone_surrogate_does_not_block_the_outbox(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.db")
    session, at = new_id(), datetime.now(UTC)
    times = {"started_at": at, "ended_at": at + timedelta(seconds=10)}
    outbox.add_set(session, new_id(), {"exercise": "row \ud83d", **times})
    outbox.add_set(session, new_id(), {"exercise": "row", **times})
    asked: list[str] = []
    with answering(200, asked) as client:
        assert outbox.send(client) == 2
    (aside,) = outbox.refused()
    assert (len(asked), len(outbox), aside.what) == (1, 0, f"set {session}")
    assert b"row \\ud83d" in aside.body
    outbox.close()


def test_a_completion_sent_before_its_last_chunk_is_retried(tmp_path: Path):
    outbox, recording = Outbox(tmp_path / "outbox.db"), Outbox(tmp_path / "outbox.db")
    session = new_id()
    completed: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/chunks"):
            return httpx.Response(200, json={"results": [{"sha256": sha(b"last")}]})
        completed.append(len(completed))
        if completed == [0]:  # the last chunk is added after the chunks were sent
            recording.add_chunk(session, "acc", 0, b"last")
            return httpx.Response(409, json={"type": "urn:muvr:problem:missing-chunks"})
        return httpx.Response(200, json={"session": str(session)})

    recording.add_completion(session, {"acc": [sha(b"last")]})
    with served_by(answer) as client:
        outbox.send(client)
        assert (len(outbox), outbox.refused()) == (2, [])
        outbox.send(client)
    assert (len(outbox), outbox.refused(), len(completed)) == (0, [], 2)
    recording.close()
    outbox.close()


def test_a_receipt_with_another_hash_keeps_the_chunk(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.add_chunk(new_id(), "acc", 0, b"samples")
    receipts = {"results": [{"sha256": sha(b"other samples")}]}
    with (
        served_by(lambda _: httpx.Response(200, json=receipts)) as client,
        pytest.raises(ReceiptWrong),
    ):
        outbox.send(client)
    assert (len(outbox), outbox.refused()) == (1, [])
    outbox.close()


def test_a_chunk_larger_than_a_request_does_not_block_the_outbox(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.db")
    session, large = new_id(), bytes(BATCH_BYTES)
    outbox.add_chunk(session, "acc", 0, large)
    outbox.add_chunk(session, "acc", 1, b"samples")
    asked: list[str] = []
    with answering(413, asked) as client:
        assert outbox.send(client) == 2
    assert len(asked) == 2
    assert [(refused.problem["status"], refused.body) for refused in outbox.refused()] == [
        (413, large),
        (413, b"samples"),
    ]
    outbox.close()


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_temporary_server_errors_are_retried_and_not_treated_as_refusals(
    monkeypatch: pytest.MonkeyPatch, status: int
):
    monkeypatch.setattr("examples.client.TRIES", 2)
    monkeypatch.setattr("examples.client.PAUSE_S", 0.0)
    asked: list[str] = []
    with answering(status, asked) as client, pytest.raises(TryLater):
        client.session(new_id())
    assert len(asked) == 2
