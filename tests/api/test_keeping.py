"""A chunk counts the same, whichever door it came through."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest
from websockets.sync.client import connect

from schemas.config import Cassandra, Limits
from tests.api.conftest import Person, running, settings
from tests.api.phone import N, Phone, problem

COUNTED = {"muvr_chunks_total": 1, "muvr_samples_total": N, "muvr_ingest_lag_seconds_count": 1}
SENSORS = [{"name": f"acc{axis}", "units": "g"} for axis in "XYZ"]
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
    found = {name: re.search(rf"^{name} (\S+)$", text, re.MULTILINE) for name in COUNTED}
    return {name: float(one[1]) if one else 0.0 for name, one in found.items()}


@pytest.mark.parametrize("door", [upload, batch, live, acquisition])
def test_every_door_counts_what_it_keeps(
    person: Person, door: Callable[[Phone, str], None]
) -> None:
    with person.client() as http:
        phone = Phone(http)
        phone.open()
        before = counted(phone)
        door(phone, person.tokens["access_token"])
        after = counted(phone)
    assert {name: after[name] - before[name] for name in COUNTED} == COUNTED


def test_sensors_of_one_acquisition_are_allowed_together_or_not_at_all(
    keyspace: Cassandra, tmp_path: Path
) -> None:
    payload = {"interval_ms": 20, "sensors": SENSORS + TURNING, "values": [[0, 0, 1, 0, 0, 0]] * N}
    limits = Limits(samples_per_day=N)  # enough for one of both
    with (
        running(settings(keyspace, tmp_path, limits=limits)) as strict,
        strict.register().client() as http,
    ):
        phone = Phone(http)
        phone.open()
        path = f"{phone.path}/acquisitions/0?t0=2026-11-21T10:00:00Z"
        problem(http.put(path, json={"payload": payload}), 429, "over-limit")
        upload(phone)  # the day's samples are all left
