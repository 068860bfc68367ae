"""Uploads are charged by the work and the rows they cause."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cbor2
import pytest

from api import chunks
from api.quota import QUOTA_BYTES_PER_SAMPLE
from schemas.config import Cassandra, Limits
from tests.api.conftest import logging, running_strictly, settings
from tests.api.phone import CBOR, N, Phone, fresh_id, problem


@contextmanager
def strict_phone(keyspace: Cassandra, folder: Path, **limits: Any) -> Generator[Phone]:
    """A phone with an open session, at a service with these limits."""
    with (
        running_strictly(settings(keyspace, folder, limits=Limits(**limits))) as strict,
        strict.register().client() as http,
    ):
        phone = Phone(http)
        phone.open()
        yield phone


@pytest.mark.parametrize(("stream", "status"), [("acc", 422), ("nope", 404)])
def test_each_refused_item_counts_against_the_request_limit(
    keyspace: Cassandra, tmp_path: Path, stream: str, status: int
) -> None:
    with strict_phone(keyspace, tmp_path, requests_per_minute=6) as phone:  # opened: the first
        good = [
            cbor2.dumps({"stream": "acc", "seq": seq, "chunk": phone.body("acc", seq)})
            for seq in (0, 1)
        ]
        chunk = b"junk" if stream == "acc" else phone.body("acc", 0)
        bad = cbor2.dumps({"stream": stream, "seq": 2, "chunk": chunk})
        body = good[0] + bad * 1000 + good[1]
        answer = phone.http.post(f"{phone.path}/chunks", content=body, headers=CBOR)  # the second
        results = answer.json()["results"]
        statuses = [
            result["problem"]["status"] if "problem" in result else 200 for result in results
        ]
        assert Counter(statuses) == {200: 1, status: 4, 429: 997}
        assert (statuses[0], statuses[-1]) == (200, 429)
        assert results[-1]["retry_after_s"] == 10
        assert answer.headers["ratelimit"].startswith('"default";r=0;')
        assert phone.http.get(f"{phone.path}/chunks").status_code == 429


def test_each_refused_item_is_a_problem_of_the_metrics_and_the_answer_is_none(
    keyspace: Cassandra, tmp_path: Path
) -> None:
    lines: list[str] = []
    with (
        logging(keyspace, tmp_path, lines, limits=Limits()) as service,
        service.register().client() as http,
    ):
        phone = Phone(http)
        phone.open()
        broken = cbor2.dumps({"stream": "acc", "seq": 0, "chunk": b"junk"})
        elsewhere = cbor2.dumps({"stream": "nope", "seq": 0, "chunk": phone.body("acc", 0)})
        body = broken * 2 + elsewhere
        answer = http.post(f"{phone.path}/chunks", content=body, headers=CBOR)
        counts = dict(
            re.findall(r'muvr_problems_total\{type="(\S+)"\} (\S+)', http.get("/metrics").text)
        )
    assert answer.status_code == 200
    assert counts == {"bad-chunk": "2.0", "not-there": "1.0"}
    written = [json.loads(line) for line in "".join(lines).splitlines()]
    assert [line["problem"] for line in written if line["route"].endswith("/chunks")] == [None]


def test_refusing_many_items_yields_to_other_requests(
    keyspace: Cassandra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most as many items as are processed concurrently are refused in one loop step."""
    steps: list[int] = []
    refuse = chunks.problem_members

    def watched(*given: Any) -> Any:
        if not steps:
            asyncio.get_running_loop().call_soon(next_step)
            steps.append(0)
        steps[-1] += 1
        return refuse(*given)

    def next_step() -> None:
        if sum(steps) < 1000:
            steps.append(0)
            asyncio.get_running_loop().call_soon(next_step)

    monkeypatch.setattr(chunks, "problem_members", watched)
    with strict_phone(keyspace, tmp_path) as phone:
        body = cbor2.dumps({"stream": "acc", "seq": 0, "chunk": b"junk"}) * 1000
        answer = phone.http.post(f"{phone.path}/chunks", content=body, headers=CBOR)
        assert len(answer.json()["results"]) == 1000
    assert max(steps) <= 2 * chunks.CHUNKS_AT_ONCE


def test_the_stored_chunks_of_a_batch_count_as_one_request(
    keyspace: Cassandra, tmp_path: Path
) -> None:
    with strict_phone(keyspace, tmp_path, requests_per_minute=3) as phone:
        body = b"".join(
            cbor2.dumps({"stream": "acc", "seq": seq, "chunk": phone.body("acc", seq)})
            for seq in range(40)
        )
        answer = phone.http.post(f"{phone.path}/chunks", content=body, headers=CBOR)
        assert [result["samples"] for result in answer.json()["results"]] == [100] * 40
        held = phone.http.get(f"{phone.path}/chunks").json()["streams"]["acc"]
        assert held["ranges"] == [[0, 39]]


def test_each_stored_completion_list_is_charged_by_its_length(
    keyspace: Cassandra, tmp_path: Path
) -> None:
    """Sent hash by hash, 20 hashes are stored 210 times: such growth of the journal is charged."""
    number = 20
    sent, hash_as = number * 2 * N, 67 // QUOTA_BYTES_PER_SAMPLE
    with strict_phone(keyspace, tmp_path, samples_per_day=sent + 100 * hash_as) as phone:
        hashes = phone.send(number)["acc"]
        refused = 0
        for end in range(1, number + 1):
            answer = phone.complete({"acc": hashes[:end]})
            if answer.status_code != 200:
                assert problem(answer, 429, "over-limit")["limit"] == "samples"
                refused += 1
        assert 0 < refused < number / 2
        kept = phone.complete({"acc": hashes[: number - refused]})
        assert kept.status_code == 200, "a repeat stores nothing and costs nothing"


def test_repeated_completion_of_a_session_is_charged_once(
    keyspace: Cassandra, tmp_path: Path
) -> None:
    sent = 20 * 2 * N
    with strict_phone(keyspace, tmp_path, samples_per_day=sent + sent // 5) as phone:
        hashes = phone.send(20)
        assert [phone.complete(hashes).status_code for _ in range(30)] == [200] * 30


def test_a_plan_is_charged_each_time_it_changes(keyspace: Cassandra, tmp_path: Path) -> None:
    plan = f"/v1/me/plans/{fresh_id()}"
    sets = [{"exercise": "row", "reps": 8, "weight_kg": 60.5, "intensity": 0.5}] * 100
    limit = len(json.dumps(sets)) * 5 // 2 // QUOTA_BYTES_PER_SAMPLE
    with strict_phone(keyspace, tmp_path, samples_per_day=limit) as phone:
        bodies = [{"name": name, "sets": sets} for name in ("a", "a", "b", "b", "a")]
        answers = [phone.http.put(plan, json=body) for body in bodies]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
        assert phone.http.get(plan).json()["name"] == "b"
