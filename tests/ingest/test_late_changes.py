"""Sweeps and replays announce what they change: jobs have read past the first announcement."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from ingest import replay
from ingest.late_changes import announce_late_changes
from ingest.sweeper import sweep
from schemas.config import Limits
from schemas.errors import DatabaseUnavailable
from schemas.events import SessionOpening
from schemas.times import clock_from, time_at, us_of
from schemas.topics import Topic
from store.database import Database
from store.labelled_sets import LabelledSet
from store.records import Records, records_in
from store.sets import IDS_PER_QUERY
from store.watermarks import ANNOUNCED_BEFORE, Watermarks
from tests.cassandra_node import ON_NODE
from tests.ingest.costs import FreeRecorder
from tests.ingest.gym import BENCH, MONTH, ROW, Gym
from tests.ingest.histories import START, new_id
from tests.ingest.recorded_session import FailingRepository, RecordedSession
from tests.store.memory_sets import MemoryLabelledSets


async def announced(records: Records, user: Any, since: datetime) -> set[str]:
    changed = await records.changes.since(since, since + timedelta(days=1))
    return set(changed.get(user, ()))


async def cut_at(gym: Gym, repository: str, method: str, work: Any) -> None:
    """Do something that ends at one write, as with a killed process."""
    records = gym.records
    inner = getattr(records, repository)
    dying = replace(records, **{repository: FailingRepository(inner, method)})
    gym.recorder = FreeRecorder(dying, Limits(), gym.clock)
    with pytest.raises(DatabaseUnavailable):
        await work()
    gym.recorder = FreeRecorder(records, Limits(), gym.clock)


async def planned(gym: Gym) -> None:
    await gym.keep(BENCH, ROW)
    await gym.open()
    await gym.do("first", 1, "bench press", 8)


LATE = [
    ("plans", "put", lambda gym: gym.keep(ROW), {"plans"}),
    ("sets", "put_all", lambda gym: gym.do("second", 5, "row", 10), {"sets", "deviations"}),
    ("sets", "put_all", lambda gym: gym.do("first", 1, "row", 10), {"sets", "deviations"}),
    ("deviations", "replace", lambda gym: gym.do("second", 5, "row", 10), {"deviations"}),
    (
        *("sets", "delete"),
        lambda gym: gym.recorder.delete_set(gym.user, gym.session, gym.sets["first"][0]),
        {"sets", "deviations"},
    ),
    (
        *("samples", "delete_session"),
        lambda gym: gym.recorder.delete_session(gym.user, gym.session),
        {"sessions", "sets"},
    ),
]


@pytest.mark.parametrize(("repository", "method", "work", "topics"), LATE)
async def test_a_late_projection_is_announced_when_it_is_written(
    repository: str, method: str, work: Any, topics: set[str]
) -> None:
    gym = Gym()
    await planned(gym)
    await cut_at(gym, repository, method, lambda: work(gym))
    down_until = gym.now + timedelta(minutes=10)
    assert await announced(gym.records, gym.user, down_until) == set()
    assert await sweep(gym.records, gym.now - timedelta(minutes=1), down_until) == ()
    assert await announced(gym.records, gym.user, down_until) == topics


async def test_a_session_that_is_opened_or_completed_late_is_announced() -> None:
    one = RecordedSession()
    dying = replace(one.records, sessions=FailingRepository(one.records.sessions, "open"))
    one.recorder = one.on(dying)
    with pytest.raises(DatabaseUnavailable):
        await one.open()
    one.recorder = one.on(one.records)
    for method in ("open", "close"):
        if method == "close":
            await one.put(0, 1)
            failing = FailingRepository(one.records.sessions, "close")
            one.recorder = one.on(replace(one.records, sessions=failing))
            with pytest.raises(DatabaseUnavailable):
                await one.complete(0, 1)
            one.recorder = one.on(one.records)
        begin, one.now = one.now, one.now + timedelta(minutes=10)
        await sweep(one.records, begin - timedelta(minutes=1), one.now)
        assert await announced(one.records, one.user, one.now) == {"sessions"}


async def test_what_a_second_device_says_late_is_announced() -> None:
    one = RecordedSession()
    await one.open()
    dying = replace(one.records, sessions=FailingRepository(one.records.sessions, "open"))
    phone = {"started_at": START - timedelta(minutes=5), "timezone": "Europe/London"}
    for said in (phone, {"started_at": START, "plan": new_id()}):
        opening = SessionOpening(**said, streams={})
        with pytest.raises(DatabaseUnavailable):
            await one.on(dying).open_session(one.user, one.session, opening)
        begin, one.now = one.now, one.now + timedelta(minutes=10)
        for topics in ({"sessions"}, set()):
            one.now += timedelta(minutes=1)
            await sweep(one.records, begin - timedelta(minutes=1), one.now)
            assert await announced(one.records, one.user, one.now) == topics


async def test_what_is_projected_is_not_announced_again() -> None:
    gym, one = Gym(), RecordedSession()
    await planned(gym)
    await one.open(0, 1)
    earlier = SessionOpening(started_at=START - timedelta(minutes=5), streams={})
    await one.recorder.open_session(one.user, one.session, earlier)
    await one.confirm()
    await one.complete(0, 1)
    begin = min(gym.now, one.now) - timedelta(hours=2)
    later = max(gym.now, one.now) + timedelta(minutes=10)
    await sweep(one.records, begin, later)  # writes the stretches
    for records, user in ((gym.records, gym.user), (one.records, one.user)):
        later += timedelta(minutes=1)
        await sweep(records, begin, later)
        events = await records.journal.events(user, [MONTH])
        await replay.replay_events(records, user, events, clock_from(later))
        assert await announced(records, user, later) == set()


async def test_a_replay_announces_what_it_restores() -> None:
    gym = Gym()
    await planned(gym)
    events = await gym.records.journal.events(gym.user, [MONTH])
    row_id = gym.sets["first"][0]
    gym.records.sets._sets._rows.pop((gym.user, gym.session, row_id))
    later = gym.now + timedelta(minutes=10)
    await replay.replay_events(gym.records, gym.user, events, lambda: later)
    assert await announced(gym.records, gym.user, later) == {"sets"}


async def test_a_replay_of_years_announces_what_it_changes_when_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An older time would hide what was corrected meanwhile from jobs that had run since then."""
    monkeypatch.setattr(replay, "SESSIONS_PER_ANNOUNCEMENT", 1)

    class Slow(MemoryLabelledSets):
        """Labelled sets that take long to write."""

        async def put(self, user_id: UUID, row: LabelledSet, ttl_s: int) -> None:
            await super().put(user_id, row, ttl_s)
            one.now += 2 * ANNOUNCED_BEFORE

    one, announcements = RecordedSession(), list[tuple[Topic, timedelta]]()
    for one.session, one.set in [(new_id(), new_id()) for _ in range(2)]:
        await one.open(0, 1)
        await one.confirm()
        await one.complete(0, 1)
    events = await one.records.journal.events(one.user, [MONTH])
    announce, empty = one.records.changes.announce, replace(one.records, labelled=Slow())

    async def observed(user_id: UUID, topic: Topic, at_us: int) -> None:
        """Compare an announcement with the clock."""
        announcements.append((topic, one.now - time_at(at_us)))
        await announce(user_id, topic, at_us)

    monkeypatch.setattr(one.records.changes, "announce", observed)
    await replay.replay_events(empty, one.user, events, lambda: one.now)
    assert [topic for topic, _ in announcements] == ["sets", "sets", "stretches", "stretches"]
    assert max(age for _, age in announcements) < ANNOUNCED_BEFORE


@pytest.mark.parametrize(("count", "reads_all"), [(IDS_PER_QUERY, False), (201, True)])
def test_many_sets_are_compared_with_one_read(
    monkeypatch: pytest.MonkeyPatch, count: int, *, reads_all: bool
) -> None:
    async def story() -> None:
        gym, read = Gym(), list[Any]()
        await gym.open()
        for n in range(count):
            await gym.do(f"set {n}", 1, "row", 10)
        revisions = gym.records.sets.revisions

        async def noted(user_id: UUID, only: Any = None) -> Any:
            read.append(only)
            return await revisions(user_id, only)

        monkeypatch.setattr(gym.records.sets, "revisions", noted)
        events = await gym.records.journal.events(gym.user, [MONTH])
        later = gym.now + timedelta(minutes=10)
        await announce_late_changes(gym.records, gym.user, events, us_of(later))
        assert [only is None for only in read] == [reads_all]
        assert await announced(gym.records, gym.user, later) == set()

    asyncio.run(story())


@ON_NODE
async def test_a_job_that_ran_before_a_sweep_finds_the_user_after_it(database: Database) -> None:
    """The process is killed between journal and projection, and a job moves its watermark."""
    gym = Gym(records_in(database, Limits()))
    await planned(gym)
    work = gym.do
    await cut_at(gym, "sets", "put_all", lambda: work("second", 5, "row", 10))
    marks, ran_at = Watermarks(database), gym.now + timedelta(minutes=10)
    read_until = ran_at - ANNOUNCED_BEFORE
    swept_at = ran_at + timedelta(minutes=1)
    assert gym.user not in await marks.changed_users(["sets"], read_until, swept_at)
    await sweep(gym.records, gym.now - timedelta(minutes=1), swept_at)
    assert gym.user in await marks.changed_users(["sets"], read_until, swept_at)
