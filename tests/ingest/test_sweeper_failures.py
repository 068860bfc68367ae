"""A user, or an event, that cannot be swept does not stop the others."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from ingest.sweeper import EVENTS_PER_READ, MAX_UNAVAILABLE_USERS, ProjectedEvents, sweep
from schemas.errors import BadEvent, DatabaseUnavailable
from schemas.ids import slot
from schemas.times import us_of
from store.journal import Event
from tests.ingest.histories import START, confirmation, new_id
from tests.ingest.recorded_session import (
    NOW,
    CountingRepository,
    FailingRepository,
    RecordedSession,
)


@pytest.mark.parametrize("body", [{}, {"started_at": "noon", "timezone": "UTC", "plan": None}])
async def test_malformed_event_of_one_user_does_not_stop_the_sweep(
    body: dict[str, Any],
) -> None:
    one = RecordedSession()
    await one.open(0, 1)
    entity_id, stranger = new_id(), uuid4()
    odd = Event(slot(entity_id, "odd"), entity_id, "session-opened", body, us_of(NOW))
    await one.records.journal.append(stranger, odd, "sessions")
    await one.put(2)
    sessions = CountingRepository(one.records.sessions)
    failed = await sweep(replace(one.records, sessions=sessions), START, NOW)
    assert [user for user, _ in failed] == [stranger]
    assert sessions.calls["open"] == sessions.calls["declare"] == 1


async def test_events_before_an_unknown_event_kind_are_projected() -> None:
    one, projected = RecordedSession(), ProjectedEvents()
    await one.open(0, 1)
    dying = one.on(replace(one.records, sets=FailingRepository(one.records.sets, "put_all")))
    sets = [new_id() for _ in range(EVENTS_PER_READ)]
    for set_id in sets:
        with pytest.raises(DatabaseUnavailable):
            await dying.confirm_set(one.user, one.session, set_id, confirmation(0, 0))
    later = new_id()
    event = Event(slot(later), later, "of-a-later-release", {}, us_of(NOW) + 1000)
    await one.records.journal.append(one.user, event, "sets")
    failed = await sweep(one.records, START, NOW, projected=projected)
    assert [type(problem) for _, problem in failed] == [BadEvent]
    assert await one.records.sets.read(one.user, one.session, sets[0]) is not None
    assert await one.labelled(), "and followed up"


class _Late:
    """Sets whose reads fail for some users.

    `calls` counts these reads, and `answered` has the users whose sets were read.
    """

    def __init__(self, inner: Any, users: Collection[UUID], *, answers_from: int = 99) -> None:
        self._inner, self._users, self._answers_from = inner, users, answers_from
        self.calls, self.answered = 0, set[UUID]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def of_sessions(self, user_id: UUID, session_ids: Collection[UUID]) -> Any:
        if user_id in self._users:
            self.calls += 1
            if self.calls < self._answers_from:
                raise DatabaseUnavailable("too much to read in time")
        self.answered.add(user_id)
        return await self._inner.of_sessions(user_id, session_ids)


class _Unreadable:
    """A journal that cannot be read for one user."""

    def __init__(self, inner: Any, user_id: UUID) -> None:
        self._inner, self._user_id = inner, user_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def keys(self, user_id: UUID, months: Iterable[str], since: datetime) -> Any:
        if user_id == self._user_id:
            raise DatabaseUnavailable("too much to read in time")
        return await self._inner.keys(user_id, months, since)


async def _five(one: RecordedSession) -> list[UUID]:
    """Users who all have something to sweep, in the order in which they are swept."""
    for n in range(5):
        one.user, one.session, one.set = UUID(int=n + 1), new_id(), new_id()
        await one.open(0, 1)
        dying = replace(one.records, labelled=FailingRepository(one.records.labelled, "put"))
        with pytest.raises(DatabaseUnavailable):
            await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))
    return [UUID(int=n + 1) for n in range(5)]


@pytest.mark.parametrize("position", [0, 4])
async def test_database_failure_for_one_user_is_retried_and_does_not_stop_the_sweep(
    position: int,
) -> None:
    one = RecordedSession()
    users = await _five(one)
    user = users[position]
    late = _Late(one.records.sets, [user])
    failed = await sweep(replace(one.records, sets=late), START, NOW)
    assert [user_id for user_id, _ in failed] == [user]
    assert late.calls == 2
    assert late.answered == {*users} - {user}
    answers = _Late(one.records.sets, [user], answers_from=2)
    assert await sweep(replace(one.records, sets=answers), START, NOW) == ()
    assert answers.answered == {*users}


async def test_database_failure_for_a_few_users_does_not_stop_the_sweep() -> None:
    one = RecordedSession()
    users = await _five(one)
    slow = users[:MAX_UNAVAILABLE_USERS]
    late = _Late(one.records.sets, slow)
    failed = await sweep(replace(one.records, sets=late), START, NOW)
    assert [user_id for user_id, _ in failed] == slow
    assert late.calls == 2 * len(slow)
    assert late.answered == {*users} - {*slow}


async def test_user_who_could_not_be_read_for_an_hour_is_swept_as_soon_as_he_can_be() -> None:
    """Each sweep looks back to the one before it."""
    one = RecordedSession()
    users = await _five(one)
    dying = replace(one.records, sets=FailingRepository(one.records.sets, "put_all"))
    another = new_id()
    place = (one.user, one.session, another)
    with pytest.raises(DatabaseUnavailable):
        await one.on(dying).confirm_set(*place, confirmation(0, 1))
    unreadable = replace(one.records, journal=_Unreadable(one.records.journal, one.user))
    since = START
    for minute in range(2, 62):
        now = START + timedelta(minutes=minute)
        for user in users[:-1]:  # others go on, so that the database is there
            await one.records.changes.announce(user, "plans", us_of(now))
        failed = await sweep(unreadable, since, now)
        assert [user_id for user_id, _ in failed] == [one.user]
        since = now
    assert await one.records.sets.read(*place) is None
    now = since + timedelta(minutes=1)
    assert await sweep(one.records, since, now) == ()
    assert await one.records.sets.read(*place) is not None
    assert sorted(await one.labelled()) == ["bench press", "biceps curl"]


async def test_database_failure_for_many_users_aborts_the_sweep() -> None:
    one = RecordedSession()
    users = await _five(one)
    late = _Late(one.records.sets, users[1:])
    with pytest.raises(DatabaseUnavailable):
        await sweep(replace(one.records, sets=late), START, NOW)
    late = _Late(one.records.sets, users[-1:])
    changes = iter([one.records.changes.since(START, NOW)])

    class Away(FailingRepository):
        def since(self, *_: object) -> Any:
            return next(changes, None) or self.died

    records = replace(one.records, sets=late, changes=Away(one.records.changes, "died"))
    with pytest.raises(DatabaseUnavailable, match="died here"):
        await sweep(records, START, NOW)
