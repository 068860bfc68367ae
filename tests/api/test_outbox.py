"""The outbox loses nothing: behind other people's networks, on slow uplinks, after a crash."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.client import new_id
from examples.outbox import BATCH_BYTES, Outbox
from tests.api.offline_phone import (
    CHUNKS,
    DAYS,
    STREAMS,
    a_week,
    answering,
    items_of,
    receipts_of,
    served_by,
)

AT = datetime(2026, 11, 21, 10, tzinfo=UTC)
SET: Mapping[str, Any] = {
    "exercise": "row",
    "started_at": AT,
    "ended_at": AT + timedelta(seconds=10),
}
LOGIN_PAGE = {"Location": "http://portal.example/login"}
FOREIGN_ANSWERS = {
    "redirect": lambda: httpx.Response(302, headers=LOGIN_PAGE),
    "redirect with JSON": lambda: httpx.Response(307, headers=LOGIN_PAGE, json={}),
    "not modified": lambda: httpx.Response(304),
    "page": lambda: httpx.Response(200, html="<h1>Welcome to our network</h1>"),
    "empty page": lambda: httpx.Response(200),
    "object": lambda: httpx.Response(200, json={"user-portal-url": LOGIN_PAGE["Location"]}),
    "list": lambda: httpx.Response(200, json=[]),
}


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("examples.client.PAUSE_S", 0.0)


@pytest.mark.parametrize("kind", FOREIGN_ANSWERS)
def test_nothing_leaves_the_outbox_when_another_server_answers(tmp_path: Path, kind: str):
    outbox = Outbox(tmp_path / "outbox.db")
    a_week(outbox)
    with served_by(lambda _: FOREIGN_ANSWERS[kind]()) as client:
        assert outbox.send(client) == 0
    assert (len(outbox), outbox.refused()) == (DAYS * (CHUNKS + 3), [])
    outbox.close()


def within(limit_bytes: int, sizes: list[int]) -> Callable[[httpx.Request], httpx.Response]:
    """A server that gets only so many bytes of a request in time; `sizes` are those it was sent."""

    def answer(request: httpx.Request) -> httpx.Response:
        sizes.append(len(request.content))
        if len(request.content) > limit_bytes:
            return httpx.Response(408, json={"type": "urn:muvr:problem:too-slow"})
        return receipts_of(request)

    return answer


def test_batches_are_halved_until_they_arrive_in_time(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.db")
    session = new_id()
    for seq in range(32):
        outbox.add_chunk(session, "acc", seq, bytes(10_000))
    sizes: list[int] = []
    with served_by(within(100_000, sizes)) as client:
        assert outbox.send(client) == 32
    # 32 chunks, which are less than a batch may be; then 16; then 8 four times
    assert [round(size / 10_000) for size in sizes] == [32, 16, 8, 8, 8, 8]
    assert (len(outbox), outbox.refused()) == (0, [])
    outbox.close()


def test_a_single_chunk_that_does_not_arrive_in_time_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("examples.client.TRIES", 2)
    outbox = Outbox(tmp_path / "outbox.db")
    session = new_id()
    for seq in range(2):
        outbox.add_chunk(session, "acc", seq, bytes(BATCH_BYTES // 4))
    outbox.add_completion(session, {"acc": []})
    sizes: list[int] = []
    with served_by(within(BATCH_BYTES // 8, sizes)) as client:
        assert outbox.send(client) == 0
    assert [round(size / BATCH_BYTES * 4) for size in sizes] == [2, 1, 1]  # both, then one twice
    assert (len(outbox), outbox.refused()) == (3, [])
    outbox.close()


def test_both_bodies_of_a_chunk_number_are_sent(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.db")
    session = new_id()
    for body in (b"before the crash", b"after it", b"after it"):
        outbox.add_chunk(session, "acc", 5, body)
    received: list[tuple[int, bytes]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        received.extend((item["seq"], item["chunk"]) for item in items_of(request))
        return receipts_of(request)

    with served_by(answer) as client:
        assert outbox.send(client) == 2
    assert sorted(received) == [(5, b"after it"), (5, b"before the crash")]
    assert len(outbox) == 0
    outbox.close()


def test_a_session_is_opened_in_its_timezone(tmp_path: Path):
    outbox = Outbox(tmp_path / "outbox.db")
    outbox.add_session(new_id(), AT, STREAMS)
    outbox.add_session(new_id(), AT, STREAMS, timezone="Asia/Tokyo")
    received: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        received.append(json.loads(request.content)["timezone"])
        return receipts_of(request)

    with served_by(answer) as client:
        outbox.send(client)
    assert received == ["UTC", "Asia/Tokyo"]
    outbox.close()


@pytest.mark.parametrize(
    "unsendable",
    [
        {**SET, "weight_kg": float("nan")},
        {**SET, "weight_kg": float("inf")},
        {**SET, "exercise": "row \ud83d"},
        {**SET, "ended_at": "in a while"},
        {"started_at": AT, "ended_at": AT},
    ],
    ids=["NaN", "infinite", "half an emoji", "no time", "no exercise"],
)
def test_a_set_that_cannot_be_sent_is_kept_aside_and_the_next_one_sent(
    tmp_path: Path, unsendable: dict[str, Any]
):
    outbox = Outbox(tmp_path / "outbox.db")
    session = new_id()
    outbox.add_set(session, new_id(), unsendable)
    outbox.add_set(session, new_id(), SET)
    asked: list[str] = []
    with answering(200, asked) as client:
        assert outbox.send(client) == 2
    (aside,) = outbox.refused()
    assert (len(asked), len(outbox), aside.what) == (1, 0, f"set {session}")
    assert b"started_at" in aside.body
    assert aside.problem["detail"]
    outbox.close()
