"""How far back a sweep looks: at announcements, at events, and at the months of their ids."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import pytest

from ingest.sweeper import sweep
from schemas.errors import DatabaseUnavailable, UncertainWrite
from schemas.ids import day_of, uuid7
from schemas.layout import month_of
from schemas.times import us_of
from schemas.topics import SETS, UNSETTLED, Topic
from store.journal import Event, EventKey
from store.watermarks import ANNOUNCED_BEFORE
from tests.ingest.histories import confirmation
from tests.ingest.recorded_session import FailingRepository, RecordedSession
from tests.store.memory import MemoryJournal


async def crash_at_a_set(one: RecordedSession) -> None:
    """The set is announced and in the journal, and then the worker dies."""
    dying = replace(one.records, sets=FailingRepository(one.records.sets, "put_all"))
    with pytest.raises(DatabaseUnavailable):
        await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))


async def test_a_set_written_long_after_its_announcement_is_found_by_the_next_sweep() -> None:
    """A sweep ran in between, and did not find it in the journal."""
    one = RecordedSession()
    await one.open(0, 1)
    await crash_at_a_set(one)
    last_sweep = one.now + timedelta(minutes=4)
    assert await sweep(one.records, last_sweep, last_sweep + timedelta(minutes=1)) == ()
    assert await one.labelled() == ["biceps curl"]


@pytest.mark.parametrize("days", [1, -399])
async def test_a_crash_at_a_set_is_repaired_in_every_month_that_new_ids_may_have(days: int) -> None:
    one = RecordedSession()
    await one.open(0, 1)
    one.now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    one.set = uuid7(us_of(one.now + timedelta(days)) // 1000, bytes(10))
    await crash_at_a_set(one)
    assert await one.labelled() == []
    await sweep(one.records, one.now - timedelta(minutes=1), one.now)
    assert await one.labelled() == ["biceps curl"]


async def test_a_write_that_nobody_knew_the_end_of_is_settled_and_projected() -> None:
    """Its client gave up. The next event of the month would complete it, unseen by any sweep."""
    one = RecordedSession()
    await one.open(0, 1)
    journal, in_flight, looked_back = one.records.journal, list[Event](), set[datetime]()

    async def append(user_id: UUID, event: Event, topic: Topic) -> Event:
        """Leave a write in flight, as the journal does where Cassandra cannot tell."""
        in_flight.append(event)
        await one.records.changes.announce(user_id, UNSETTLED, event.received_us)
        raise UncertainWrite("two of three nodes are away")

    async def settle(user_id: UUID, months: Iterable[str]) -> None:
        """Complete what is in flight in these months."""
        for event in in_flight:
            if month_of(day_of(event.entity_id)) in months:
                await MemoryJournal.append(journal, user_id, event, SETS)

    async def keys(user_id: UUID, months: Iterable[str], since: datetime) -> list[EventKey]:
        """Remember how far back keys are read."""
        looked_back.add(since)
        return await MemoryJournal.keys(journal, user_id, months, since)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(journal, "append", append)
        with pytest.raises(UncertainWrite):
            await one.confirm()
        patched.setattr(journal, "append", partial(MemoryJournal.append, journal))
        patched.setattr(journal, "settle", settle)
        patched.setattr(journal, "keys", keys)
        begin = one.now + timedelta(minutes=4)
        assert await sweep(one.records, begin, begin + timedelta(hours=1)) == ()
    assert await one.labelled() == ["biceps curl"]
    assert looked_back == {begin - ANNOUNCED_BEFORE}, "what is settled is not old"
