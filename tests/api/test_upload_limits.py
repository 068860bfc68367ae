"""What a body costs whoever sends it: as much as the work and the rows that it makes."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cbor2
import pytest

from schemas.config import Cassandra, Limits
from tests.api.conftest import running, settings
from tests.api.phone import CBOR, Phone


@contextmanager
def strict_phone(keyspace: Cassandra, folder: Path, **limits: Any) -> Iterator[Phone]:
    """A phone with an open session, at a service with limits of its own."""
    with (
        running(settings(keyspace, folder, limits=Limits(**limits))) as strict,
        strict.register().client() as http,
    ):
        phone = Phone(http)
        phone.open()
        yield phone


@pytest.mark.parametrize(("stream", "status"), [("acc", 422), ("nope", 404)])
def test_an_item_that_is_refused_is_a_request_of_the_callers_limit(
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
        statuses = [one["problem"]["status"] if "problem" in one else 200 for one in results]
        assert Counter(statuses) == {200: 1, status: 4, 429: 997}
        assert (statuses[0], statuses[-1]) == (200, 429)
        assert results[-1]["retry_after_s"] in (9, 10)
        assert answer.headers["ratelimit"].startswith('"default";r=0;')
        assert phone.http.get(f"{phone.path}/chunks").status_code == 429


def test_chunks_that_are_kept_are_one_request_together(keyspace: Cassandra, tmp_path: Path) -> None:
    with strict_phone(keyspace, tmp_path, requests_per_minute=3) as phone:
        body = b"".join(
            cbor2.dumps({"stream": "acc", "seq": seq, "chunk": phone.body("acc", seq)})
            for seq in range(40)
        )
        answer = phone.http.post(f"{phone.path}/chunks", content=body, headers=CBOR)
        assert [one["samples"] for one in answer.json()["results"]] == [100] * 40
        held = phone.http.get(f"{phone.path}/chunks").json()["streams"]["acc"]
        assert held["ranges"] == [[0, 39]]
