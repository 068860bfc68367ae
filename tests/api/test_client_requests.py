"""What the client and its outbox send, to a server that is a function."""

import json
import time
from datetime import UTC, datetime
from inspect import signature
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from examples.client import Client, ReceiptWrong, RequestRefused, TryLater, new_id
from examples.outbox import BATCH_BYTES, Outbox
from schemas.config import Api
from schemas.ids import uuid7
from tests.api.conftest import PASSWORD
from tests.api.offline_phone import (
    CHUNKS,
    DAYS,
    a_week,
    answering,
    items_of,
    receipts_of,
    served_by,
)
from tests.api.phone import sha
from tests.json_server import json_server


def test_openings_are_sent_first_then_chunks_then_sets_and_completions(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.db")
    kept = a_week(outbox)
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        _, _, _, session, *rest = request.url.path.split("/")
        asked.append((rest[0] if rest else "open", session))
        return receipts_of(request)

    with served_by(answer) as client:
        assert outbox.send(client) == DAYS * (CHUNKS + 3)
    sessions = [str(session) for session in kept]
    steps = ("open", "chunks", "sets", "complete")
    assert asked == [(step, session) for step in steps for session in sessions]
    outbox.close()


def test_chunks_are_sent_in_batches_of_one_session_below_the_limit(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.db")
    first, second = sorted((new_id(), new_id()))
    third = bytes(BATCH_BYTES // 3 - 100)  # three of them take all of a batch, with their names
    for seq in range(4):
        outbox.add_chunk(first, "acc", seq, third)
        outbox.add_chunk(first, "acc", seq, third)  # a repeat is no second chunk
    outbox.add_chunk(second, "acc", 0, b"samples")
    batches: list[tuple[str, list[int]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        session = request.url.path.split("/")[3]
        batches.append((session, [item["seq"] for item in items_of(request)]))
        return receipts_of(request)

    with served_by(answer) as client:
        assert outbox.send(client) == 5
    assert batches == [(str(first), [0, 1, 2]), (str(first), [3]), (str(second), [0])]
    outbox.close()


def test_chunks_after_one_that_cannot_be_stored_now_are_kept(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.db")
    session = new_id()
    for seq in range(3):
        outbox.add_chunk(session, "acc", seq, b"%d" % seq)
    outbox.add_completion(session, {"acc": []})
    results = [{"sha256": sha(b"0")}, {"problem": {"status": 503}}, {"sha256": sha(b"2")}]
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"results": results})

    with served_by(answer) as client:
        assert outbox.send(client) == 1
    assert (len(asked), len(outbox), outbox.refused()) == (1, 3, [])
    outbox.close()


def test_calls_that_are_refused_for_good_are_kept_aside(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.db")
    session, at = new_id(), datetime(2026, 11, 21, 10, tzinfo=UTC)
    outbox.add_session(session, at, {"acc": {"kind": "heart"}})
    outbox.add_set(session, new_id(), {"exercise": "row", "started_at": at, "ended_at": at})
    outbox.add_completion(session, {"acc": ["no hash"]})
    with answering(422, []) as client:
        assert outbox.send(client) == 3
    assert len(outbox) == 0
    kinds = ("open", "set", "complete")
    assert [refused.what for refused in outbox.refused()] == [f"{kind} {session}" for kind in kinds]
    words = (b"heart", b"row", b"no hash")
    assert all(word in refused.body for word, refused in zip(words, outbox.refused(), strict=True))
    assert {refused.problem["title"] for refused in outbox.refused()} == {"so it is"}
    outbox.close()


def test_an_expired_access_token_is_renewed_and_the_request_sent_again():
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sign = request.headers.get("Authorization", "")
        asked.append((request.url.path.rpartition("/")[2], sign))
        if request.url.path == "/v1/auth/refresh":
            assert json.loads(request.content) == {"refresh_token": "refresh 1"}
            return httpx.Response(200, json={"access_token": "2", "refresh_token": "refresh 2"})
        if request.url.path == "/v1/auth/token":
            tokens = {"access_token": "1", "refresh_token": "refresh 1"}
            return httpx.Response(200, json=tokens)
        return httpx.Response(401 if sign == "Bearer 1" else 200, json={"session": str(session)})

    session = new_id()
    with served_by(answer) as client:
        client.login("ada", PASSWORD)
        client.session(session)
        assert client.token == "2"
    assert asked == [
        ("token", ""),
        (str(session), "Bearer 1"),
        ("refresh", ""),
        (str(session), "Bearer 2"),
    ]


def test_a_service_under_a_path_is_asked_there():
    asked: list[tuple[str, bool]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, "Authorization" in request.headers))
        return httpx.Response(200, json={"access_token": "1", "refresh_token": "2"})

    with Client("http://127.0.0.1:1/muvr", transport=httpx.MockTransport(answer)) as client:
        client.login("ada", PASSWORD)
    assert asked == [("/muvr/v1/auth/token", False)]


def waiting_in(waits: list[float]) -> SimpleNamespace:
    """The client's clock, which notes its waits; that of other threads goes on."""
    return SimpleNamespace(time=time.time, sleep=waits.append)


def test_a_request_waits_longer_after_each_failure_or_as_long_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
):
    waits: list[float] = []
    monkeypatch.setattr("examples.client.time", waiting_in(waits))
    answers: list[httpx.Response | Exception] = [
        httpx.ConnectError("no network"),
        httpx.Response(500),
        httpx.Response(503, headers={"Retry-After": "3"}),
        httpx.Response(429, headers={"Retry-After": "10"}),
        httpx.ReadTimeout("it took too long"),
        httpx.Response(200, json={"session": "here"}),
    ]

    def answer(_: httpx.Request) -> httpx.Response:
        response = answers.pop(0)
        if isinstance(response, Exception):
            raise response
        return response

    with served_by(answer) as client:
        assert client.session(new_id()) == {"session": "here"}
    assert waits == [0, 0.25, 0.5, 3, 10, 4]


def test_a_request_that_must_wait_for_long_is_not_tried_again(monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []
    monkeypatch.setattr("examples.client.time", waiting_in(waits))
    full = httpx.Response(429, headers={"Retry-After": "40000"}, text="the day is used up")
    with served_by(lambda _: full) as client, pytest.raises(TryLater, match="the day is used up"):
        client.put_chunk(new_id(), "acc", 0, b"samples")
    assert waits == [0]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(302, headers={"Location": "http://portal.example/login"}),
        httpx.Response(200, html="<h1>Welcome to our network</h1>"),
        httpx.Response(304),
    ],
    ids=["redirect", "page", "not modified"],
)
def test_an_answer_of_another_server_is_neither_a_success_nor_a_refusal(answer: httpx.Response):
    with served_by(lambda _: answer) as client:
        for ask in (
            lambda: client.session(new_id()),
            lambda: client.login("ada", PASSWORD),
            lambda: client.put_chunk(new_id(), "acc", 0, b"samples"),
            lambda: client.model("exercise"),
        ):
            with pytest.raises(TryLater, match=str(answer.status_code)):
                ask()


def test_a_model_that_is_still_the_newest_is_not_sent_again():
    def answer(request: httpx.Request) -> httpx.Response:
        headers = {"ETag": '"1"', "Content-Type": "application/x-npz"}
        if request.headers.get("If-None-Match") == '"1"':
            return httpx.Response(304, headers=headers)
        return httpx.Response(200, headers=headers, content=b"model")

    with served_by(answer) as client:
        assert client.model("exercise") == (b"model", '"1"')
        assert client.model("exercise", '"1"') == (None, '"1"')


def test_a_client_waits_longer_than_the_service_may_take():
    assert signature(Client).parameters["timeout_s"].default > Api().request_timeout_s


@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
def test_a_refusal_without_a_problem_document_shows_the_answer(content_type: str):
    def answer(_: httpx.Request) -> httpx.Response:
        headers = {"Content-Type": content_type}
        return httpx.Response(404, text="<h1>Nobody here</h1>", headers=headers)

    with served_by(answer) as client, pytest.raises(RequestRefused) as refused:
        client.session(new_id())
    assert refused.value.problem == {"title": "Not Found", "detail": "<h1>Nobody here</h1>"}
    assert str(refused.value) == "404 Not Found: <h1>Nobody here</h1>"


def test_a_chunk_whose_receipt_names_other_bytes_is_not_taken_as_sent():
    receipt = {"sha256": sha(b"other samples")}
    with served_by(lambda _: httpx.Response(200, json=receipt)) as client:
        with pytest.raises(ReceiptWrong):
            client.put_chunk(new_id(), "acc", 0, b"samples")
        assert client.put_chunk(new_id(), "acc", 0, b"other samples") == receipt


@pytest.mark.parametrize("noise", [bytes(10), b"\xff" * 10], ids=["zeros", "ones"])
def test_ids_of_the_client_are_those_of_the_service(noise: bytes):
    at = datetime(2026, 11, 21, 10, 0, 0, 123_000, tzinfo=UTC)
    assert new_id(at, noise) == uuid7(int(at.timestamp() * 1000), noise)


@pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
def test_service_on_this_machine_is_not_asked_through_a_proxy(
    monkeypatch: pytest.MonkeyPatch, variable: str
):
    """A proxy of the environment would be sent passwords and recordings in plain text."""
    let_in = {"access_token": "a", "refresh_token": "r"}
    with json_server({"/v1/auth/register": let_in}) as port:
        monkeypatch.setenv(variable, "http://127.0.0.1:1")  # where nobody listens
        for host in ("127.0.0.1", "localhost"):
            with Client(f"http://{host}:{port}") as client:
                client.register("ada", PASSWORD)
                assert client.token == "a"
