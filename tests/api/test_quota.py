"""Every upload route charges the quota equally."""

import asyncio
import json
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import cbor2
import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from api.quota import MIN_CHUNK_QUOTA, chunk_quota, cost_of_bytes, set_quota, store_chunk
from api.rate_limiter import RateLimiter
from ingest.chunks import NumberedChunk, canonical_body, decode_chunk
from models.signal.pieces import Piece
from schemas.config import Cassandra, Limits
from schemas.errors import DatabaseUnavailable, LimitExceeded
from schemas.events import SetConfirmation
from store.sessions import SessionRow
from tests.api.conftest import Person, running_strictly, settings
from tests.api.phone import CBOR, STREAMS, N, Phone, fresh_id, problem

COUNTED = {"muvr_chunks_total": 1, "muvr_samples_total": N, "muvr_ingest_lag_seconds_count": 1}
SENSORS = [{"name": f"acc{axis}", "units": "g"} for axis in "XYZ"]
CALM = np.zeros((20, 3), dtype=np.int16)
TURNING = [{"name": f"gyr{axis}", "units": "rad/s"} for axis in "XYZ"]


def item(phone: Phone) -> bytes:
    return cbor2.dumps({"stream": "acc", "seq": 0, "chunk": phone.body("acc", 0)})


def upload(phone: Phone, token: str = "") -> None:
    assert phone.put("acc", 0, phone.body("acc", 0)).status_code == 200


def batch(phone: Phone, token: str) -> None:
    kind = {"Content-Type": "application/cbor-seq"}
    answer = phone.http.post(f"{phone.path}/chunks", content=item(phone), headers=kind)
    assert answer.json()["results"][0]["samples"] == N


def live(phone: Phone, token: str) -> None:
    url = str(phone.http.base_url).replace("http://", "ws://") + f"{phone.path}/live"
    headers = {"Authorization": f"Bearer {token}"}
    with connect(url, additional_headers=headers, open_timeout=20) as connection:
        connection.send(item(phone))
        heard = [json.loads(connection.recv(timeout=20))["type"] for _ in range(2)]
    assert heard == ["ready", "receipt"]


def acquisition(phone: Phone, token: str) -> None:
    values = [[0, 0, 1]] * N
    payload = {"interval_ms": 20, "sensors": SENSORS, "values": values}
    path = f"{phone.path}/acquisitions/0?t0=2026-11-21T10:00:00Z"
    answer = phone.http.put(path, json={"payload": payload})
    assert answer.json()["receipts"][0]["samples"] == N


def counted(phone: Phone) -> dict[str, float]:
    text = phone.http.get("/metrics").text
    lines = {name: re.search(rf"^{name} (\S+)$", text, re.MULTILINE) for name in COUNTED}
    return {name: float(line[1]) if line else 0.0 for name, line in lines.items()}


@pytest.mark.parametrize("door", [upload, batch, live, acquisition])
def test_every_upload_route_counts_chunks_samples_and_lag(
    person: Person, door: Callable[[Phone, str], None]
) -> None:
    with person.client() as http:
        phone = Phone(http)
        phone.open()
        before = counted(phone)
        door(phone, person.tokens["access_token"])
        after = counted(phone)
    assert {name: after[name] - before[name] for name in COUNTED} == COUNTED


def test_the_quota_admits_all_sensors_of_an_acquisition_or_none(
    keyspace: Cassandra, tmp_path: Path
) -> None:
    payload = {"interval_ms": 20, "sensors": SENSORS + TURNING, "values": [[0, 0, 1, 0, 0, 0]] * N}
    limits = Limits(samples_per_day=N)  # enough for one sensor of the two
    with (
        running_strictly(settings(keyspace, tmp_path, limits=limits)) as strict,
        strict.register().client() as http,
    ):
        phone = Phone(http)
        phone.open()
        path = f"{phone.path}/acquisitions/0?t0=2026-11-21T10:00:00Z"
        problem(http.put(path, json={"payload": payload}), 429, "over-limit")
        upload(phone)  # the quota was not touched


def one_sample(phone: Phone, seq: int) -> httpx.Response:
    piece = Piece(int(phone.started.timestamp()) * 10**9 + seq, 50.0, "g", 0.001, CALM[:1])
    return phone.put("acc", seq, canonical_body(piece))


def test_a_one_sample_chunk_costs_the_minimum_quota(keyspace: Cassandra, tmp_path: Path) -> None:
    limits = Limits(samples_per_day=3 * MIN_CHUNK_QUOTA)
    with (
        running_strictly(settings(keyspace, tmp_path, limits=limits)) as strict,
        strict.register().client() as http,
    ):
        phone = Phone(http)
        phone.open()
        assert [one_sample(phone, seq).status_code for seq in (0, 1)] == [200, 200]
        payload = {"interval_ms": 20, "sensors": SENSORS, "values": [[0, 0, 1]]}
        path = f"{phone.path}/acquisitions/2?t0=2026-11-21T10:00:00Z"
        assert http.put(path, json={"payload": payload}).status_code == 200
        problem(one_sample(phone, 3), 429, "over-limit")


def test_a_day_of_short_chunks_of_both_sensors_fits_the_default_quota() -> None:
    chunk = decode_chunk(
        canonical_body(Piece(0, 50.0, "g", 0.001, CALM)), CBOR["Content-Type"], Limits()
    )
    assert 86_400 * 50 / 20 * 2 * chunk_quota(chunk) < Limits().samples_per_day / 5


def test_a_confirmed_set_is_charged_for_the_samples_copied_with_it(
    keyspace: Cassandra, tmp_path: Path
) -> None:
    limits = Limits(samples_per_day=2000)
    with (
        running_strictly(settings(keyspace, tmp_path, limits=limits)) as strict,
        strict.register().client() as http,
    ):
        phone, bare = Phone(http), Phone(http)
        phone.open()
        bare.open(streams={})
        first, second = fresh_id(), fresh_id()
        assert phone.confirm(first).status_code == 200  # 4 s: 800 samples
        for _ in range(3):
            problem(phone.confirm(first, reps=4), 409, "event-conflict")
            problem(phone.confirm(first, '"1"', reps=4), 412, "stale-revision")
        assert [phone.confirm(one).status_code for one in (first, second, first)] == [200] * 3
        third = fresh_id()
        refused = phone.confirm(third)
        assert problem(refused, 429, "over-limit")["limit"] == "samples"
        assert int(refused.headers["retry-after"]) > 0
        problem(http.delete(f"{phone.path}/sets/{third}"), 404, "not-there")
        assert [bare.confirm(fresh_id()).status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("streams", "a_minute"),
    [([], 0), (["gyro"], 0), (["acc"], 6_000), (["acc", "gyro"], 12_000)],
)
def test_the_quota_of_a_set_follows_its_length_and_sensors(streams: list[str], a_minute: int):
    assert counts(60, streams) == a_minute


def test_the_quota_of_a_set_is_capped_at_what_is_stored() -> None:
    assert [counts(length_s) for length_s in (0.001, 6 * 3600)] == [16, 1_000_000]


def counts(length_s: float, streams: Iterable[str] = ("acc", "gyro")) -> int:
    """The quota of a set of this length in a session with these streams."""
    start = datetime(2026, 11, 21, tzinfo=UTC)
    declared: dict[str, dict[str, str | None]] = {name: {**STREAMS[name]} for name in streams}
    session = SessionRow(fresh_id(), start, None, "UTC", None, declared, {}, complete=False)
    end = start + timedelta(seconds=length_s)
    return set_quota(session, SetConfirmation(exercise="row", started_at=start, ended_at=end))


def test_four_bytes_of_a_list_count_as_one_sample() -> None:
    taken: list[tuple[UUID, int]] = []
    limiter = SimpleNamespace(take_samples=lambda *given: taken.append(given))
    services: Any = SimpleNamespace(rate_limiter=limiter)
    user = fresh_id()
    for size_bytes in (3, 4, 67):
        cost_of_bytes(services, user)(size_bytes).take()
    assert taken == [(user, 0), (user, 1), (user, 16)]


@pytest.mark.parametrize("problem", [DatabaseUnavailable("away"), asyncio.CancelledError()])
def test_chunk_that_could_not_be_stored_is_not_charged(
    tmp_path: Path, problem: BaseException
) -> None:
    """A live client that goes on while Cassandra is away, or too slow, keeps its quota."""
    chunk = decode_chunk(
        canonical_body(Piece(0, 50.0, "g", 0.001, CALM)), CBOR["Content-Type"], Limits()
    )
    limiter = RateLimiter(Limits(samples_per_day=len(CALM)), tmp_path / "limits", shared=False)
    away = [problem, problem]

    async def put_chunk(*_: object) -> str:
        if away:
            raise away.pop()
        return "receipt"

    services: Any = SimpleNamespace(
        rate_limiter=limiter,
        recorder=SimpleNamespace(put_chunk=put_chunk),
        metrics=SimpleNamespace(count_chunk=lambda piece: None),
    )

    async def store() -> object:
        return await store_chunk(services, UUID(int=1), UUID(int=2), NumberedChunk("acc", 0, chunk))

    for _ in range(2):
        with pytest.raises(type(problem)):
            asyncio.run(store())
    assert asyncio.run(store()) == "receipt"
    with pytest.raises(LimitExceeded):
        asyncio.run(store())
    limiter.close()
