"""Lists that are too long for one batch are charged one by one: each if it is stored."""

import json
from dataclasses import replace
from typing import Any

import pytest

from schemas.errors import DatabaseUnavailable, LimitExceeded
from schemas.events import Completion
from tests.ingest.costs import counted_in, over_limit
from tests.ingest.histories import SHA
from tests.ingest.recorded_session import (
    FailingAfterCalls,
    RecordedSession,
    RunBefore,
    both_sensors,
)

HASH_BYTES = len(json.dumps(SHA[0, 0])) + 1  # with a comma


@pytest.fixture(autouse=True)
def every_list_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.stream_lists._MAX_BATCH_HASHES", 0)


async def complete(session: RecordedSession, recorder: Any, cost_of: Any, **seqs: int) -> None:
    """List the first chunks of streams: as many of each as are given."""
    streams: Any = {name: [SHA[n, 0] for n in range(count)] for name, count in seqs.items()}
    await recorder.complete(session.user, session.session, Completion(streams=streams), cost_of)


async def test_each_longer_list_is_charged_in_full_and_a_repeat_is_free() -> None:
    session, charged = await both_sensors(), list[int]()
    for _ in range(2):
        await complete(session, session.recorder, counted_in(charged), acc=1)
    await complete(session, session.recorder, counted_in(charged), acc=2, gyro=1)
    with pytest.raises(LimitExceeded):
        await complete(session, session.recorder, over_limit, gyro=2)
    await complete(session, session.recorder, over_limit, acc=2, gyro=1)
    assert charged == [n * HASH_BYTES for n in (1, 2, 1)]


async def test_a_list_that_lost_its_race_is_not_charged() -> None:
    session, charged = await both_sensors(), list[int]()

    async def meanwhile() -> None:
        await complete(session, session.recorder, counted_in([]), acc=1)

    journal = RunBefore(session.records.journal, "append", meanwhile)
    slower = session.on(replace(session.records, journal=journal))
    await complete(session, slower, counted_in(charged), acc=2)
    assert charged == [n * HASH_BYTES for n in (2, -2, 2)]


async def test_only_the_lists_that_were_stored_before_the_database_went_away_are_charged() -> None:
    session, charged = await both_sensors(), list[int]()
    journal = FailingAfterCalls(session.records.journal, "append", 1)
    failing = session.on(replace(session.records, journal=journal))
    with pytest.raises(DatabaseUnavailable):
        await complete(session, failing, counted_in(charged), acc=2, gyro=2)
    assert charged == [n * HASH_BYTES for n in (2, 2, -2)]
