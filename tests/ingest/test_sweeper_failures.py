"""A user, or an event, that cannot be swept does not stop the others."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from ingest.sweeper import EVENTS_PER_READ, MAX_UNAVAILABLE_USERS, ProjectedEvents, sweep
from schemas.errors import BadEvent, DatabaseUnavailable
from schemas.ids import slot
from schemas.times import us_of
from store.journal import Event
from tests.ingest.histories import START, confirmation, new_id
from tests.ingest.recorded_session import NOW, FailingRepository, RecordedSession


@pytest.mark.parametrize("body", [{}, {"started_at": "noon", "timezone": "UTC", "plan": None}])
def test_malformed_event_of_one_user_does_not_stop_the_sweep(
    body: dict[str, Any],
) -> None:
    async def story() -> None:
        one = RecordedSession()
        await one.open(0, 1)
        entity_id, stranger = new_id(), uuid4()
        odd = Event(slot(entity_id, "odd"), entity_id, "session-opened", body, us_of(NOW))
        await one.records.journal.append(stranger, odd, "sessions")
        await one.put(2)
        swept = await sweep(one.records, START, NOW)
        assert [user for user, _ in swept.failed] == [stranger]
        assert swept.users == 2
        assert swept.events == 2

    asyncio.run(story())


def test_events_before_an_unknown_event_kind_are_projected() -> None:
    async def story() -> None:
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
        swept = await sweep(one.records, START, NOW, projected=projected)
        assert [type(problem) for _, problem in swept.failed] == [BadEvent]
        assert await one.records.sets.read(one.user, one.session, sets[0]) is not None
        assert await one.labelled(), "and followed up"

    asyncio.run(story())


class _Late:
    """Sets whose reads fail for some users; `calls` counts these reads."""

    def __init__(self, inner: object, users: Collection[UUID], *, answers_from: int = 99) -> None:
        self._inner, self._users, self._answers_from = inner, users, answers_from
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def of_user(self, user_id: UUID) -> Any:
        if user_id in self._users:
            self.calls += 1
            if self.calls < self._answers_from:
                raise DatabaseUnavailable("too much to read in time")
        return await self._inner.of_user(user_id)


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
def test_database_failure_for_one_user_is_retried_and_does_not_stop_the_sweep(
    position: int,
) -> None:
    async def story() -> None:
        one = RecordedSession()
        user = (await _five(one))[position]
        late = _Late(one.records.sets, [user])
        swept = await sweep(replace(one.records, sets=late), START, NOW)
        assert [failed for failed, _ in swept.failed] == [user]
        assert (swept.users, swept.labelled, late.calls) == (5, 4, 2)
        answers = _Late(one.records.sets, [user], answers_from=2)
        swept = await sweep(replace(one.records, sets=answers), START, NOW)
        assert (swept.failed, swept.labelled) == ((), 5)

    asyncio.run(story())


def test_database_failure_for_a_few_users_does_not_stop_the_sweep() -> None:
    async def story() -> None:
        one = RecordedSession()
        users = (await _five(one))[:MAX_UNAVAILABLE_USERS]
        late = _Late(one.records.sets, users)
        swept = await sweep(replace(one.records, sets=late), START, NOW)
        assert [failed for failed, _ in swept.failed] == users
        assert (swept.labelled, late.calls) == (2, 2 * len(users))

    asyncio.run(story())


def test_database_failure_for_many_users_aborts_the_sweep() -> None:
    async def story() -> None:
        one = RecordedSession()
        users = await _five(one)
        late = _Late(one.records.sets, users[1:])
        with pytest.raises(DatabaseUnavailable):
            await sweep(replace(one.records, sets=late), START, NOW)
        late = _Late(one.records.sets, users[-1:])
        changes = iter([one.records.journal.changed(START, NOW)])

        class Away(FailingRepository):
            def changed(self, *_: object) -> Any:
                return next(changes, None) or self.died

        records = replace(one.records, sets=late, journal=Away(one.records.journal, "died"))
        with pytest.raises(DatabaseUnavailable, match="died here"):
            await sweep(records, START, NOW)

    asyncio.run(story())
