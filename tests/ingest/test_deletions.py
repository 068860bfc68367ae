"""Which deletions of sets and sessions are taken, and what a repeated one does."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from schemas.errors import Deleted, NotFound, StaleRevision
from schemas.events import SessionOpening
from schemas.ids import day_of, uuid7
from schemas.layout import CHUNKS_PER_PART, month_of
from store.records import Records
from tests.ingest.histories import CHUNKS, START, confirmation, new_id
from tests.ingest.recorded_session import RecordedSession, RunBefore
from tests.store.cells import Cells


async def test_a_deletion_names_the_newest_revision_or_none():
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


@pytest.mark.parametrize("repeats", [False, True])
async def test_a_deletion_of_a_revision_keeps_what_is_confirmed_meanwhile(repeats: bool) -> None:
    """Another device corrects the set after the deletion has read it, and gets its answer."""
    one = RecordedSession()
    await one.open(0, 1)
    first = await one.confirm()
    place = (one.user, one.session, one.set)

    async def correct() -> None:
        await one.confirm(0 if repeats else 1, first.revision)

    journal = RunBefore(one.records.journal, "append_unless", correct)
    deleting = one.on(replace(one.records, journal=journal))
    if repeats:  # what is said already is no correction
        await deleting.delete_set(*place, first.revision)
        assert await one.labelled() == []
    else:
        with pytest.raises(StaleRevision, match=f'not "{first.revision}"'):
            await deleting.delete_set(*place, first.revision)
        assert await one.labelled() == ["bench press"]


@pytest.mark.parametrize("whole_session", [False, True])
async def test_a_set_stays_deleted_when_cassandra_has_forgotten_its_deletion(
    whole_session: bool,
) -> None:
    """An offline phone sends what it has queued until weeks later."""
    one = RecordedSession()
    await one.open(0, 1)
    await one.complete(0, 1)
    await one.confirm()
    other, opening = new_id(), SessionOpening(started_at=START, streams={})
    await one.recorder.open_session(one.user, other, opening)
    if whole_session:
        await one.recorder.delete_session(one.user, one.session)
    else:
        await one.recorder.delete_set(one.user, one.session, one.set)
    purge(one.records)
    one.now += timedelta(days=14)
    for session, content in ((one.session, 0), (one.session, 1), (other, 0)):
        place = (one.user, session, one.set, confirmation(0, content), None)
        with pytest.raises(Deleted):
            await one.recorder.confirm_set(*place)
    assert await one.records.sets.of_user(one.user) == []
    assert await one.labelled() == []


def purge(records: Records) -> None:
    """Forget what was deleted, in all tables in memory."""
    for name in Records.__slots__:
        for table in vars(getattr(records, name)).values():
            if isinstance(table, Cells):
                table.purge()


def id_of(year: int) -> UUID:
    """A UUIDv7 of a year; of one after 9999 if its time has more bits than a datetime takes."""
    seconds = (year - 1970) * 365.2425 * 86_400
    return uuid7(min(int(seconds * 1000), (1 << 48) - 1), bytes(10))


@pytest.mark.parametrize("year", [5731, 12_000])
async def test_sets_and_sessions_of_the_far_future_are_not_found(year: int) -> None:
    session = RecordedSession()
    await session.open(0)
    await session.recorder.delete_session(session.user, session.session)
    for call in (
        session.recorder.delete_session(session.user, id_of(year)),
        session.recorder.delete_set(session.user, session.session, id_of(year)),
        session.recorder.delete_set(session.user, id_of(year), new_id()),
    ):
        with pytest.raises(NotFound):
            await call


async def test_deleting_a_set_that_a_deleted_session_never_had_writes_nothing() -> None:
    session = RecordedSession()
    await session.open(0, 1)
    await session.confirm()
    await session.recorder.delete_session(session.user, session.session)
    stranger, old = new_id(), id_of(2025)
    for set_id in (stranger, old, session.set):
        await session.recorder.delete_set(session.user, session.session, set_id)
    months = [month_of(day_of(id_)) for id_ in (stranger, old, session.set)]
    events = await session.records.journal.events(session.user, months)
    deleted = [event.entity_id for event in events if event.kind == "set-deleted"]
    assert deleted == [session.set]


async def test_a_set_that_lives_in_another_session_is_not_deleted_with_a_deleted_session() -> None:
    """The wrong session in an old entry of a queue."""
    alive = RecordedSession()
    await alive.open(0, 1)
    first = await alive.confirm()
    gone, opening = new_id(), SessionOpening(started_at=START, streams={})
    await alive.recorder.open_session(alive.user, gone, opening)
    await alive.recorder.delete_session(alive.user, gone)
    await alive.recorder.delete_set(alive.user, gone, alive.set)
    assert await alive.labelled() == ["biceps curl"]
    await alive.recorder.delete_set(alive.user, alive.session, alive.set, first.revision)
    assert await alive.records.sets.of_user(alive.user) == []


async def test_a_deleted_session_refuses_chunks_in_a_new_part() -> None:
    one = RecordedSession()
    await one.open(0)
    await one.on(one.records).delete_session(one.user, one.session)
    with pytest.raises(Deleted):
        await one.recorder.put_chunk(one.user, one.session, "acc", CHUNKS_PER_PART, CHUNKS[0, 0])
    assert await one.records.samples.metadata(one.user, one.session, "acc", [0, 1]) == []


async def test_a_part_that_is_begun_during_a_deletion_keeps_no_chunks() -> None:
    """A worker that knows the session begins it after the samples were deleted."""
    one = RecordedSession()
    await one.open(0)

    async def begin() -> None:
        with suppress(Deleted):
            place = (one.user, one.session, "acc", CHUNKS_PER_PART)
            await one.recorder.put_chunk(*place, CHUNKS[0, 0])

    predictions = RunBefore(one.records.predictions, "delete", begin)
    deleting = one.on(replace(one.records, predictions=predictions))
    await deleting.delete_session(one.user, one.session)
    assert await one.records.samples.metadata(one.user, one.session, "acc", [0, 1]) == []
