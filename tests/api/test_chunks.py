"""Chunks over HTTP: receipts, batches, encodings, rejections."""

import asyncio
import gzip
import uuid
from typing import Any

import cbor2
import httpx
import numpy as np
import pytest
import zstandard

from api.chunk_items import MAX_ITEMS
from api.raw_routes import session_id_of
from ingest.chunks import canonical_body
from models.signal.pieces import Piece
from schemas.errors import BadEvent
from tests.api.conftest import Person, RunningService
from tests.api.phone import CBOR, N, Phone, problem, sha
from tests.ingest.chunk_bodies import JSON_CHUNK


def test_repeated_uploads_of_a_chunk_return_the_same_receipt(open_phone: Phone) -> None:
    body = open_phone.body("acc", 0)
    receipts = [open_phone.put("acc", 0, body).json() for _ in range(3)]
    assert (
        receipts
        == [
            {
                "session": str(open_phone.session),
                "stream": "acc",
                "seq": 0,
                "samples": N,
                "sha256": sha(body),
            }
        ]
        * 3
    )


@pytest.mark.parametrize(
    ("encoding", "pack"), [("zstd", zstandard.compress), ("gzip", gzip.compress)]
)
def test_the_receipt_hash_is_of_the_decoded_body(
    open_phone: Phone, encoding: str, pack: Any
) -> None:
    body = open_phone.body("acc", 0)
    answer = open_phone.put("acc", 0, pack(body), **{"Content-Encoding": encoding})
    assert answer.json()["sha256"] == sha(body)


def test_json_chunks_are_accepted_and_their_quantum_is_reported(open_phone: Phone) -> None:
    answer = open_phone.http.put(f"{open_phone.path}/streams/acc/chunks/1", json=JSON_CHUNK)
    assert answer.json()["quantum"] == pytest.approx(2 / 32767)


def test_different_bodies_with_the_same_sequence_number_are_both_stored(open_phone: Phone) -> None:
    bodies = [open_phone.body("acc", 0, variant) for variant in range(2)]
    for body in bodies:
        assert open_phone.put("acc", 0, body).json()["sha256"] == sha(body)
    held = open_phone.http.get(f"{open_phone.path}/chunks").json()["streams"]["acc"]
    assert held["ranges"] == [[0, 0]]
    assert set(held["several"]["0"]) == {sha(body) for body in bodies}


def test_a_batch_returns_a_receipt_or_a_problem_per_item(open_phone: Phone) -> None:
    bodies = [open_phone.body("acc", seq) for seq in range(3)]
    items = [{"stream": "acc", "seq": n, "chunk": body} for n, body in enumerate(bodies)]
    odd = [
        {"stream": "nope", "seq": 0, "chunk": bodies[0]},
        {"stream": "acc", "seq": 0, "chunk": b"junk"},
        {"stream": "acc", "seq": -1, "chunk": bodies[0]},
        {"stream": "acc", "chunk": bodies[0]},
        7,
    ]
    body = b"".join(cbor2.dumps(item) for item in [*items, *odd])
    headers = {"Content-Type": "application/cbor-seq", "Content-Encoding": "zstd"}
    answer = open_phone.http.post(
        f"{open_phone.path}/chunks", content=zstandard.compress(body), headers=headers
    )
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert [result["sha256"] for result in results[:3]] == [sha(body) for body in bodies]
    names = [result["problem"]["type"].rpartition(":")[2] for result in results[3:]]
    assert names == ["not-there", "bad-chunk", "bad-chunk", "bad-chunk", "bad-chunk"]


def test_a_truncated_batch_stores_its_complete_items(open_phone: Phone) -> None:
    body = cbor2.dumps({"stream": "acc", "seq": 0, "chunk": open_phone.body("acc", 0)})
    answer = open_phone.http.post(
        f"{open_phone.path}/chunks", content=body + body[:-9], headers=CBOR
    )
    first, second = answer.json()["results"]
    assert first["sha256"] == sha(open_phone.body("acc", 0))
    assert second["problem"]["status"] == 422


HUGE = 10**5000  # more digits than Python converts to a string


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("stream", {"stream": HUGE}),
        ("seq", {"seq": HUGE}),
        ("seq", {"seq": -(2**64)}),
        ("seq", {"seq": cbor2.CBORTag(30, [1, 2])}),
        ("chunk", {"chunk": None}),
        ("t0", {"chunk": {"t0": HUGE}}),
        ("item", {"more": 1}),
        ("seq", {"seq": 1.5, "chunk": {}}),
    ],
)
def test_an_invalid_item_of_a_batch_does_not_affect_the_others(
    open_phone: Phone, field: str, changes: dict[str, Any]
) -> None:
    good = {"stream": "acc", "seq": 0, "chunk": open_phone.body("acc", 0)}
    odd = {**good, **changes}
    if isinstance(odd["chunk"], dict):
        odd["chunk"] = {**cbor2.loads(good["chunk"]), **odd["chunk"]}
    body = cbor2.dumps(odd) + cbor2.dumps(good)
    answer = open_phone.http.post(f"{open_phone.path}/chunks", content=body, headers=CBOR)
    assert answer.status_code == 200, answer.text
    refused, kept = answer.json()["results"]
    assert refused["problem"]["field"] == field
    assert refused["problem"]["value"]
    assert kept["sha256"] == sha(good["chunk"])


@pytest.mark.parametrize("zeros", [MAX_ITEMS, 4_000_000])
def test_a_batch_with_too_many_items_is_rejected_as_a_whole(open_phone: Phone, zeros: int) -> None:
    good = cbor2.dumps({"stream": "acc", "seq": 0, "chunk": open_phone.body("acc", 0)})
    body = good + bytes(zeros)
    headers = {**CBOR, "Content-Encoding": "gzip"}
    answer = open_phone.http.post(
        f"{open_phone.path}/chunks", content=gzip.compress(body), headers=headers
    )
    found = problem(answer, 422, "bad-chunk")
    assert (found["field"], found["value"]) == ("items", MAX_ITEMS + 1)
    assert open_phone.http.get(f"{open_phone.path}/chunks").json()["streams"]["acc"]["ranges"] == []


def test_a_mebibyte_of_one_second_chunks_is_within_the_item_limit(open_phone: Phone) -> None:
    second = canonical_body(Piece(10**18, 50.0, "g", 1 / 2000, np.zeros((50, 3), dtype=np.int16)))
    item = cbor2.dumps({"stream": "acc", "seq": 0, "chunk": second})
    assert (1 << 20) // len(item) < MAX_ITEMS
    body = b"".join(
        cbor2.dumps({"stream": "acc", "seq": seq, "chunk": second}) for seq in range(2000)
    )
    answer = open_phone.http.post(f"{open_phone.path}/chunks", content=body, headers=CBOR)
    assert [result["seq"] for result in answer.json()["results"]] == list(range(2000))


def test_an_empty_batch_has_no_results(open_phone: Phone) -> None:
    answer = open_phone.http.post(f"{open_phone.path}/chunks", content=b"", headers=CBOR)
    assert answer.json() == {"results": []}


@pytest.mark.parametrize(
    ("status", "name", "content", "headers"),
    [
        (422, "bad-chunk", b"", CBOR),
        (422, "bad-chunk", cbor2.dumps({"v": 1}), CBOR),
        (422, "bad-chunk", b"{}", {"Content-Type": "application/json"}),
        (422, "bad-chunk", b"x", {**CBOR, "Content-Encoding": "zstd"}),
        (415, "unsupported-media", b"", {"Content-Type": "text/csv"}),
        (415, "unsupported-media", b"", {**CBOR, "Content-Encoding": "br"}),
        (413, "too-large", bytes(1 << 21), CBOR),
        (
            413,
            "too-large",
            zstandard.compress(bytes(1 << 27)),
            {**CBOR, "Content-Encoding": "zstd"},
        ),
    ],
)
def test_invalid_bodies_return_problems(
    open_phone: Phone, status: int, name: str, content: bytes, headers: dict[str, str]
) -> None:
    path = f"{open_phone.path}/streams/acc/chunks/0"
    problem(open_phone.http.put(path, content=content, headers=headers), status, name)


def test_the_chunk_unit_must_match_the_stream(open_phone: Phone) -> None:
    found = problem(open_phone.put("gyro", 0, open_phone.body("acc", 0)), 422, "bad-chunk")
    assert found["field"] == "unit"


@pytest.mark.parametrize("seq", ["-1", "1000001", "x", "99999999999999", "٣"])
def test_invalid_sequence_numbers_are_rejected(open_phone: Phone, seq: str) -> None:
    path = f"{open_phone.path}/streams/acc/chunks/{seq}"
    answer = open_phone.http.put(path, content=open_phone.body("acc", 0), headers=CBOR)
    assert answer.status_code == 422
    assert answer.json()["field"] == "seq"


def test_a_session_id_that_is_not_a_uuid_is_rejected(open_phone: Phone) -> None:
    answer = open_phone.http.put("/v1/sessions/x/streams/acc/chunks/0", content=b"", headers=CBOR)
    assert problem(answer, 422, "bad-event")["field"] == "session"


def test_an_upload_without_a_token_is_refused(open_phone: Phone, service: RunningService) -> None:
    with service.client() as nobody:
        path = f"{open_phone.path}/streams/acc/chunks/0"
        problem(nobody.put(path, content=b"", headers=CBOR), 401, "not-authenticated")


def test_concurrent_uploads_are_all_stored(
    open_phone: Phone, person: Person, service: RunningService
) -> None:
    bodies = {seq: open_phone.body("acc", seq) for seq in range(200)}

    async def send() -> None:
        headers = {**CBOR, "Authorization": f"Bearer {person.tokens['access_token']}"}
        async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30) as client:
            gate = asyncio.Semaphore(16)

            async def one(seq: int) -> None:
                async with gate:
                    path = f"{open_phone.path}/streams/acc/chunks/{seq}"
                    answer = await client.put(path, content=bodies[seq])
                    assert answer.json()["sha256"] == sha(bodies[seq])

            await asyncio.gather(*(one(seq) for seq in [*bodies, *bodies]))

    asyncio.run(send())
    held = open_phone.http.get(f"{open_phone.path}/chunks").json()["streams"]["acc"]
    assert held == {"ranges": [[0, 199]], "several": {}}


def test_session_of_any_length_is_not_kept_in_memory() -> None:
    """`UUID` ignores dashes, wherever they are."""
    session = uuid.uuid4()
    for text in (str(session), session.hex, f"urn:uuid:{session}", f"{{{session}}}"):
        assert session_id_of(text) == session
    with pytest.raises(BadEvent, match="is no UUID") as refused:
        session_id_of("-" * 60_000 + session.hex)
    assert len(str(refused.value)) < 200
