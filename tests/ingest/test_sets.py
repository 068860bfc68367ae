"""Which sets a session accepts, and which deletions."""

import asyncio
from datetime import timedelta

import pytest

from ingest.event_writer import EventWriter
from ingest.sets import TOLERANCE, check_inside
from schemas.errors import BadEvent, ClockSkew, NotFound, StaleRevision
from schemas.events import SetConfirmation
from store.sessions import SessionRow
from tests.ingest.histories import START, new_id
from tests.ingest.recorded_session import RecordedSession
from tests.store.memory import memory_records

SECOND, JUST = timedelta(seconds=1), timedelta(microseconds=1)
END = START + timedelta(hours=1)
NOW = START + timedelta(hours=2)
TOMORROW = NOW + timedelta(days=1)


@pytest.mark.parametrize(
    ("started_at", "ended_at", "complete", "problem"),
    [
        (START - TOLERANCE, START, True, None),
        (START - TOLERANCE - JUST, START, True, (BadEvent, "started_at")),
        (END, END + TOLERANCE, True, None),
        (END, END + TOLERANCE + JUST, True, (BadEvent, "ended_at")),
        (END, END + TOLERANCE + JUST, False, None),  # it may go on
        (TOMORROW - SECOND, TOMORROW, False, None),
        (TOMORROW - SECOND, TOMORROW + JUST, False, (ClockSkew, "ended_at")),
    ],
)
def test_a_set_may_reach_five_seconds_beyond_its_session(started_at, ended_at, complete, problem):
    session = SessionRow(new_id(), START, END, "UTC", None, {}, {}, complete)
    confirmation = SetConfirmation(exercise="row", started_at=started_at, ended_at=ended_at)
    writer = EventWriter(memory_records(), lambda: NOW)
    if problem is None:
        check_inside(confirmation, session, writer)
        return
    with pytest.raises(problem[0]) as refused:
        check_inside(confirmation, session, writer)
    assert refused.value.field == problem[1]


def test_a_deletion_names_the_newest_revision_or_none():
    async def story() -> None:
        session = RecordedSession()
        await session.open(0, 1)
        first = await session.confirm()
        second = await session.confirm(1, first.revision)
        place = (session.user, session.session, session.set)
        with pytest.raises(StaleRevision):
            await session.recorder.delete_set(*place, first.revision)
        assert await session.labelled() == ["bench press"]
        await session.recorder.delete_set(*place, second.revision)
        for repeated in (second.revision, first.revision, None):  # from a queue
            await session.recorder.delete_set(*place, repeated)
        assert await session.labelled() == []
        with pytest.raises(NotFound):
            await session.recorder.delete_set(session.user, session.session, new_id())

    asyncio.run(story())
