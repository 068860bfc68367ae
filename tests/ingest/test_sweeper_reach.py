"""How far back a sweep looks: at announcements, at events, and at the months of their ids."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ingest.sweeper import sweep
from schemas.errors import DatabaseUnavailable
from schemas.ids import uuid7
from schemas.times import us_of
from tests.ingest.histories import confirmation
from tests.ingest.recorded_session import FailingRepository, RecordedSession


async def crash_at_a_set(one: RecordedSession) -> None:
    """The set is announced and in the journal, and then the worker dies."""
    dying = replace(one.records, sets=FailingRepository(one.records.sets, "put_all"))
    with pytest.raises(DatabaseUnavailable):
        await one.on(dying).confirm_set(one.user, one.session, one.set, confirmation(0, 0))


def test_a_set_written_long_after_its_announcement_is_found_by_the_next_sweep() -> None:
    """A sweep ran in between, and did not find it in the journal."""

    async def story() -> None:
        one = RecordedSession()
        await one.open(0, 1)
        await crash_at_a_set(one)
        last_sweep = one.now + timedelta(minutes=4)
        assert await sweep(one.records, last_sweep, last_sweep + timedelta(minutes=1)) == ()
        assert await one.labelled() == ["biceps curl"]

    asyncio.run(story())


@pytest.mark.parametrize("days", [1, -399])
def test_a_crash_at_a_set_is_repaired_in_every_month_that_new_ids_may_have(days: int) -> None:
    async def story() -> None:
        one = RecordedSession()
        await one.open(0, 1)
        one.now = datetime(2026, 11, 30, 12, tzinfo=UTC)
        one.set = uuid7(us_of(one.now + timedelta(days)) // 1000, bytes(10))
        await crash_at_a_set(one)
        assert await one.labelled() == []
        await sweep(one.records, one.now - timedelta(minutes=1), one.now)
        assert await one.labelled() == ["biceps curl"]

    asyncio.run(story())
