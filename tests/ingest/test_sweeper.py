"""What a crash left half done is found and finished; everything else stays as it is."""

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest

from ingest.replay import replay
from ingest.sweeper import READ_AT_ONCE, Projected, project_pending, sweep, sweep_user
from schemas.errors import BadEvent, DatabaseAway
from schemas.events import SessionOpening
from schemas.ids import slot
from schemas.times import us_of
from store.database import Database
from store.journal import Event, EventHead
from store.records import records_in
from tests.cassandra_node import ON_NODE, payloads_read
from tests.ingest.histories import LIMITS, START, confirmation, new_id
from tests.ingest.story import NOW, Dying, Story


@pytest.mark.parametrize("repository_and_method", ["sets.put_all", "sets.put_labelled"])
def test_a_journaled_set_that_was_not_projected_is_found(repository_and_method: str) -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        repository, method = repository_and_method.split(".")
        inner = getattr(one.records, repository)
        dying = replace(one.records, **{repository: Dying(inner, method)})
        with pytest.raises(DatabaseAway):
            await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))
        assert await one.labelled() == []
        swept = await sweep(one.records, START, NOW)
        assert (swept.users, swept.labelled, swept.failed) == (1, 1, ())
        assert await one.labelled() == ["biceps curl"]

    asyncio.run(story())


def test_what_a_process_has_projected_is_not_projected_by_it_again() -> None:
    async def story() -> None:
        one, projected = Story(), Projected()
        await one.open(0, 1)
        await one.confirm()
        first = await sweep(one.records, START, NOW, projected=projected)
        assert first.events > 0
        unwritable = replace(one.records, sets=Dying(one.records.sets, "put_all"))
        with pytest.raises(DatabaseAway):
            await sweep(unwritable, START, NOW)
        again = await sweep(unwritable, START, NOW, projected=projected)
        assert (again.users, again.events, again.failed) == (1, 0, ())
        one.set = new_id()
        await one.confirm()
        assert (await sweep(one.records, START, NOW, projected=projected)).events == 1

    asyncio.run(story())


def test_only_so_many_projected_events_are_remembered() -> None:
    user, projected = uuid4(), Projected(most=2)
    sessions = {uuid4(): uuid4() for _ in range(3)}
    heads = [EventHead(event_id, "2026-11", n) for n, event_id in enumerate(sessions)]
    projected.add(user, sessions)
    assert projected.known(user, heads) == dict(list(sessions.items())[1:])
    assert projected.known(uuid4(), heads) == {}, "everybody's own"


def test_a_session_is_followed_up_once_however_many_events_it_has() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        for _ in range(3 * READ_AT_ONCE):
            await one.recorder.confirm_set(one.user, one.session, new_id(), confirmation(0, 0))
        sessions = Counting(one.records.sessions)
        few = await sweep(replace(one.records, sessions=sessions), START, NOW)  # type: ignore[arg-type]
        assert few.events > 3 * READ_AT_ONCE
        read = sessions.calls["read"]
        for _ in range(3 * READ_AT_ONCE):
            await one.recorder.confirm_set(one.user, one.session, new_id(), confirmation(0, 0))
        many = await sweep(replace(one.records, sessions=sessions), START, NOW)  # type: ignore[arg-type]
        assert many.events == few.events + 3 * READ_AT_ONCE
        assert sessions.calls["read"] == 2 * read, "as often as with half of the events"

    asyncio.run(story())


def test_what_stands_before_an_event_of_a_later_release_is_projected() -> None:
    async def story() -> None:
        one, projected = Story(), Projected()
        await one.open(0, 1)
        dying = one.on(replace(one.records, sets=Dying(one.records.sets, "put_all")))
        sets = [new_id() for _ in range(READ_AT_ONCE)]
        for set_id in sets:
            with pytest.raises(DatabaseAway):
                await dying.confirm_set(one.user, one.session, set_id, confirmation(0, 0))
        later = new_id()
        event = Event(slot(later), later, "of-a-later-release", {}, us_of(NOW) + 1000)
        await one.records.journal.append(one.user, event, "sets")
        swept = await sweep(one.records, START, NOW, projected=projected)
        assert [type(problem) for _, problem in swept.failed] == [BadEvent]
        assert await one.records.sets.read(one.user, one.session, sets[0]) is not None
        assert await one.labelled(), "and followed up"

    asyncio.run(story())


class Counting:
    """A repository that counts how often each of its methods is called."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self._inner, name)


def test_samples_that_come_long_after_their_set_are_found() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0)
        await one.confirm()
        one.now += timedelta(hours=1)
        one.recorder = one.on(one.records)  # another worker, or this one a minute later
        await one.put(1)
        swept = await sweep(one.records, one.now - timedelta(minutes=1), one.now)
        assert (swept.users, swept.events, swept.labelled) == (1, 0, 1)
        assert await one.labelled() == ["biceps curl"]

    asyncio.run(story())


def test_sets_without_samples_cost_no_reading_of_their_sessions() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        for _ in range(20):  # written down without a watch
            session, opening = new_id(), SessionOpening(started_at=START, streams={})
            await one.recorder.open_session(one.user, session, opening)
            await one.recorder.confirm_set(one.user, session, new_id(), confirmation(0, 0))
        unread = replace(one.records, sessions=Dying(one.records.sessions, "read"))
        assert await project_pending(unread, one.user, us_of(NOW)) == 0
        dying = replace(one.records, sets=Dying(one.records.sets, "put_labelled"))
        with pytest.raises(DatabaseAway):
            await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))
        assert await project_pending(one.records, one.user, us_of(NOW)) == 1

    asyncio.run(story())


def test_what_was_under_way_does_not_come_back_after_a_deletion() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        row = await one.confirm()
        await one.recorder.delete_session(one.user, one.session)
        late = row._replace(revision=us_of(one.now + timedelta(days=1)))  # a clock that is ahead
        await one.records.sets.put(one.user, late)
        await one.records.sessions.open(one.user, one.session, START, "UTC", None, late.revision)
        assert await one.records.sets.of_user(one.user) == []
        assert await one.records.sessions.read(one.user, one.session) is None
        other = Story()
        await other.open(0, 1)
        row = await other.confirm()
        await other.recorder.delete_set(other.user, other.session, other.set)
        late = row._replace(revision=us_of(other.now + timedelta(days=1)))
        await other.records.sets.put(other.user, late)
        assert await other.records.sets.of_user(other.user) == []

    asyncio.run(story())


def test_a_whole_replay_changes_nothing() -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1, 2)
        first = await one.confirm(0)
        await one.confirm(1, first.revision)
        await one.complete(0, 1)
        before = await _everything(one)
        assert await replay(one.records, one.user, START, NOW) == 5
        assert await _everything(one) == before

    asyncio.run(story())


@pytest.mark.parametrize("body", [{}, {"started_at": "noon", "timezone": "UTC", "plan": None}])
def test_one_user_of_whom_the_journal_says_nonsense_does_not_stop_the_others(
    body: dict[str, Any],
) -> None:
    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        about, stranger = new_id(), uuid4()
        odd = Event(slot(about, "odd"), about, "session-opened", body, us_of(NOW))
        await one.records.journal.append(stranger, odd, "sessions")
        await one.put(2)
        swept = await sweep(one.records, START, NOW)
        assert [user for user, _ in swept.failed] == [stranger]
        assert swept.users == 2
        assert swept.events == 2

    asyncio.run(story())


def test_what_a_long_sweep_writes_is_announced_when_it_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A training that begins meanwhile looks back one minute, not to the begin of the sweep."""
    seconds = iter([0.0, 300.0])
    monkeypatch.setattr("ingest.sweeper.time", SimpleNamespace(monotonic=lambda: next(seconds)))

    async def story() -> None:
        one = Story()
        await one.open(0, 1)
        dying = replace(one.records, sets=Dying(one.records.sets, "put_labelled"))
        with pytest.raises(DatabaseAway):
            await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))
        await sweep(one.records, START, NOW)
        assert await one.labelled() == ["biceps curl"]
        topics = (await one.records.journal.changed(START, NOW))[one.user]
        assert topics["sets"] == NOW + timedelta(seconds=300)

    asyncio.run(story())


@ON_NODE
def test_of_old_events_a_sweep_does_not_read_what_they_say(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's lists of 14 months have megabytes, and everybody who sends is swept each minute."""
    one = Story()
    one.records = records_in(database, LIMITS)
    one.recorder = one.on(one.records)

    async def story() -> None:
        for n in range(300):  # more than a page
            body = {"stream": "acc", "hashes": ["0" * 64] * 20}
            event = Event(slot(one.session, n), one.session, "stream-listed", body, us_of(START))
            await one.records.journal.append(one.user, event, "sessions")
        one.now += timedelta(days=1)
        await one.open(0, 1)
        await one.confirm()
        read = payloads_read(monkeypatch, database)
        projected, since = Projected(), one.now - timedelta(minutes=1)
        assert (await sweep_user(one.records, one.user, since, one.now, projected))[0] == 3
        assert len(read) == 3
        assert (await sweep_user(one.records, one.user, since, one.now, projected))[0] == 0
        assert len(read) == 3, "nor again of what is projected"

    asyncio.run(story())


class _Late:
    """Sets that the database does not give of some users; `calls` counts how often it was asked."""

    def __init__(self, inner: object, users: Collection[UUID], *, answers_from: int = 99) -> None:
        self._inner, self._users, self._answers_from = inner, users, answers_from
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def of_user(self, user_id: UUID) -> Any:
        if user_id in self._users:
            self.calls += 1
            if self.calls < self._answers_from:
                raise DatabaseAway("too much to read in time")
        return await self._inner.of_user(user_id)  # type: ignore[attr-defined]


async def _five(one: Story) -> list[UUID]:
    """Users who all have something to sweep, in the order in which they are swept."""
    for n in range(5):
        one.user, one.session, one.set = UUID(int=n + 1), new_id(), new_id()
        await one.open(0, 1)
        dying = replace(one.records, sets=Dying(one.records.sets, "put_labelled"))
        with pytest.raises(DatabaseAway):
            await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))
    return [UUID(int=n + 1) for n in range(5)]


@pytest.mark.parametrize("position", [0, 4])
def test_one_user_of_whom_the_database_gives_nothing_does_not_stop_the_others(
    position: int,
) -> None:
    async def story() -> None:
        one = Story()
        user = (await _five(one))[position]
        late = _Late(one.records.sets, [user])
        swept = await sweep(replace(one.records, sets=late), START, NOW)  # type: ignore[arg-type]
        assert [failed for failed, _ in swept.failed] == [user]
        assert (swept.users, swept.labelled, late.calls) == (5, 4, 2)
        answers = _Late(one.records.sets, [user], answers_from=2)
        swept = await sweep(replace(one.records, sets=answers), START, NOW)  # type: ignore[arg-type]
        assert (swept.failed, swept.labelled) == ((), 5)

    asyncio.run(story())


def test_where_the_database_gives_nothing_of_many_the_sweep_is_repeated() -> None:
    async def story() -> None:
        one = Story()
        users = await _five(one)
        late = _Late(one.records.sets, users[1:])
        with pytest.raises(DatabaseAway):
            await sweep(replace(one.records, sets=late), START, NOW)  # type: ignore[arg-type]
        late = _Late(one.records.sets, users[-1:])
        changes = iter([one.records.journal.changed(START, NOW)])

        class Away(Dying):
            def changed(self, *_: object) -> Any:
                return next(changes, None) or self.died

        records = replace(one.records, sets=late, journal=Away(one.records.journal, "died"))  # type: ignore[arg-type]
        with pytest.raises(DatabaseAway, match="died here"):
            await sweep(records, START, NOW)

    asyncio.run(story())


async def _everything(one: Story) -> list[Any]:
    records, user = one.records, one.user
    return [
        await records.sessions.read(user, one.session),
        await records.sessions.lists(user, one.session),
        await records.sets.of_user(user),
        await records.sets.labelled(user, "wrist-acc3"),
        await records.dead_letters.of_user(user, NOW),
    ]
