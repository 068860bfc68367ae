"""Work that a sweep does not repeat, and rows that it does not read."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from ingest.missing_labels import refresh_labelled_sets
from ingest.sweeper import EVENTS_PER_READ, ProjectedEvents, sweep, sweep_user
from schemas.errors import DatabaseUnavailable
from schemas.events import SessionOpening
from schemas.ids import slot
from schemas.retention import LABELLED_TTL_S
from schemas.times import us_of
from store.database import Database
from store.journal import Event, EventKey
from store.records import records_in
from tests.cassandra_node import ON_NODE, payloads_read
from tests.ingest.histories import LIMITS, START, confirmation, new_id
from tests.ingest.recorded_session import (
    NOW,
    CountingRepository,
    FailingRepository,
    RecordedSession,
)


async def test_sweep_skips_events_already_projected_by_the_process() -> None:
    one, projected = RecordedSession(), ProjectedEvents()
    await one.open(0, 1)
    await one.confirm()
    await sweep(one.records, START, NOW, projected=projected)
    unwritable = replace(one.records, sets=FailingRepository(one.records.sets, "put_all"))
    with pytest.raises(DatabaseUnavailable):
        await sweep(unwritable, START, NOW)
    assert await sweep(unwritable, START, NOW, projected=projected) == ()
    one.set = new_id()
    await one.confirm()
    sets = CountingRepository(one.records.sets)
    await sweep(replace(one.records, sets=sets), START, NOW, projected=projected)
    assert sets.calls["put_all"] == 1


def test_projected_events_are_evicted_beyond_the_capacity() -> None:
    user, projected = uuid4(), ProjectedEvents(capacity=2)
    sessions = {uuid4(): uuid4() for _ in range(3)}
    keys = [EventKey(event_id, "2026-11", n) for n, event_id in enumerate(sessions)]
    projected.add(user, sessions)
    assert projected.known(user, keys) == dict(list(sessions.items())[1:])
    assert projected.known(uuid4(), keys) == {}, "everybody's own"


async def test_session_reads_of_a_sweep_do_not_grow_with_the_number_of_events() -> None:
    one = RecordedSession()
    await one.open(0, 1)
    for _ in range(3 * EVENTS_PER_READ):
        await one.recorder.confirm_set(one.user, one.session, new_id(), confirmation(0, 0))
    sessions = CountingRepository(one.records.sessions)
    journal = CountingRepository(one.records.journal)
    counted = replace(one.records, sessions=sessions, journal=journal)
    await sweep(counted, START, NOW)
    assert journal.calls["read_many"] == 4
    read = sessions.calls["read"]
    for _ in range(3 * EVENTS_PER_READ):
        await one.recorder.confirm_set(one.user, one.session, new_id(), confirmation(0, 0))
    await sweep(counted, START, NOW)
    assert journal.calls["read_many"] == 4 + 7
    assert sessions.calls["read"] == 2 * read, "as often as with half of the events"


async def test_sessions_of_sets_without_samples_are_not_read() -> None:
    one = RecordedSession()
    await one.open(0, 1)
    for _ in range(20):  # confirmed without a watch
        session, opening = new_id(), SessionOpening(started_at=START, streams={})
        await one.recorder.open_session(one.user, session, opening)
        await one.recorder.confirm_set(one.user, session, new_id(), confirmation(0, 0))
    unread = replace(one.records, sessions=FailingRepository(one.records.sessions, "read"))
    await refresh_labelled_sets(unread, one.user, us_of(NOW))
    assert await one.labelled() == []
    dying = replace(one.records, labelled=FailingRepository(one.records.labelled, "put"))
    with pytest.raises(DatabaseUnavailable):
        await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))
    await refresh_labelled_sets(one.records, one.user, us_of(NOW))
    assert await one.labelled() == ["biceps curl"]


class WithoutHistory:
    """A repository that refuses to read all sets, labels or stretches of a user."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        assert name not in ("of_user", "sessions_of")
        return getattr(self._inner, name)

    async def revisions(self, user_id: UUID, only: Any = None) -> Any:
        assert only is not None
        return await self._inner.revisions(user_id, only)


async def test_a_sweep_reads_sets_labels_and_stretches_of_no_earlier_session() -> None:
    one, projected = RecordedSession(), ProjectedEvents()
    await one.open(0, 1)
    await one.confirm()
    await one.complete(0, 1)
    one.now += timedelta(days=1)
    one.session, one.set = new_id(), new_id()
    await one.open(0, 1)
    dying = replace(one.records, labelled=FailingRepository(one.records.labelled, "put"))
    with pytest.raises(DatabaseUnavailable):
        await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))
    await one.recorder.put_plan(one.user, new_id(), "Monday", [])
    bounded = replace(
        one.records,
        sets=WithoutHistory(one.records.sets),
        labelled=WithoutHistory(one.records.labelled),
        stretches=WithoutHistory(one.records.stretches),
    )
    for _ in range(2):
        since = one.now - timedelta(minutes=1)
        assert await sweep(bounded, since, one.now, projected=projected) == ()
        assert await one.labelled() == ["biceps curl", "biceps curl"]


async def test_sets_of_an_incomplete_session_are_only_tried_again_with_new_samples() -> None:
    waiting = RecordedSession()
    await waiting.open(0)
    await waiting.confirm()
    later = waiting.now + timedelta(hours=1)
    samples = CountingRepository(waiting.records.samples)
    records = replace(waiting.records, samples=samples)
    await sweep_user(records, waiting.user, later, later, topics={"plans", "predictions"})
    assert samples.calls == {}
    await sweep_user(records, waiting.user, later, later, topics={"samples"})
    assert samples.calls["metadata"] > 0
    assert await waiting.labelled() == []
    await waiting.put(1)
    await sweep_user(records, waiting.user, START, later, topics={"sets"})
    assert await waiting.labelled() == ["biceps curl"], "an event of the session is swept"


async def test_sets_whose_time_to_live_is_over_are_not_tried_again() -> None:
    waiting = RecordedSession()
    await waiting.open(0)
    row = await waiting.confirm()
    expires_us = row.revision + LABELLED_TTL_S * 10**6
    sessions = CountingRepository(waiting.records.sessions)
    records = replace(waiting.records, sessions=sessions)
    await refresh_labelled_sets(records, waiting.user, expires_us)
    assert sessions.calls == {}
    await refresh_labelled_sets(records, waiting.user, expires_us - 10**6)
    assert sessions.calls["read"] > 0


@ON_NODE
async def test_sweep_does_not_read_the_bodies_of_old_events(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists of 14 months are megabytes, and every active user is swept each minute."""
    one = RecordedSession()
    one.records = records_in(database, LIMITS)
    one.recorder = one.on(one.records)
    body = {"stream": "acc", "hashes": ["0" * 64] * 20}
    listed = [  # more than a page
        Event(slot(one.session, n), one.session, "stream-listed", body, us_of(START))
        for n in range(300)
    ]
    for n in range(0, len(listed), 20):
        await one.records.journal.append_all(one.user, listed[n : n + 20], "sessions")
    one.now += timedelta(days=1)
    await one.open(0, 1)
    await one.confirm()
    read = payloads_read(monkeypatch, database)
    projected, since = ProjectedEvents(), one.now - timedelta(minutes=1)
    await sweep_user(one.records, one.user, since, one.now, projected)
    assert len(read) == 3
    await sweep_user(one.records, one.user, since, one.now, projected)
    assert len(read) == 3, "nor again of what is projected"
