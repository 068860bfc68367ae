"""Which sets a session accepts, and which deletions."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ingest.event_writer import EventWriter
from ingest.set_times import TOLERANCE, check_inside, refuse_outside
from schemas.errors import (
    BadEvent,
    ClockSkew,
    DatabaseUnavailable,
    EventConflict,
    NotFound,
)
from schemas.events import SessionOpening, SetConfirmation
from schemas.ids import day_of, recognised_set_id, uuid7
from schemas.layout import CHUNKS_PER_PART, month_of
from schemas.times import us_of
from store.sessions import SessionRow
from tests.ingest.histories import CHUNKS, LIMITS, START, confirmation, new_id
from tests.ingest.recorded_session import (
    CountingRepository,
    FailingRepository,
    RecordedSession,
)
from tests.store.made_records import prediction

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
    if problem is None:
        check_inside(confirmation, session, NOW)
        return
    with pytest.raises(problem[0]) as refused:
        check_inside(confirmation, session, NOW)
    assert refused.value.field == problem[1]


async def test_set_confirmed_before_its_session_ended_may_be_repeated_and_corrected() -> None:
    """Samples end before the set: a watch that ran out of power, or a late last chunk."""
    begin, end = START + SECOND, START + timedelta(seconds=10, microseconds=123_456)
    session = RecordedSession()
    await session.open(0)
    place = (session.user, session.session, session.set)
    said = SetConfirmation(exercise="row", started_at=begin, ended_at=end, reps=5)
    first = await session.recorder.confirm_set(*place, said)
    assert (await session.complete(0)).ended_at == START + SECOND
    assert end > START + SECOND + TOLERANCE
    assert await session.recorder.confirm_set(*place, said) == first
    corrected = said.model_copy(update={"reps": 6})
    row = await session.recorder.confirm_set(*place, corrected, first.revision)
    assert (row.reps, row.ended_at) == (6, end.replace(microsecond=123_000))
    longer = said.model_copy(update={"ended_at": end + SECOND})
    with pytest.raises(BadEvent):
        await session.recorder.confirm_set(*place, longer, row.revision)


async def test_set_in_chunks_that_follow_the_list_is_taken_before_the_longer_list() -> None:
    """The order of a queue: chunks, then the sets in them, then `complete`."""
    later = START + timedelta(seconds=6)  # of numbers 6 and 7; the list has number 0
    session = RecordedSession()
    await session.open(0)
    await session.complete(0)
    place = (session.user, session.session, session.set)
    said = SetConfirmation(
        exercise="row", started_at=later + 0.2 * SECOND, ended_at=later + 1.8 * SECOND
    )
    too_late = said.model_copy(update={"ended_at": later + 8 * SECOND})
    with pytest.raises(BadEvent, match="send the chunks that it lies in first"):
        await session.recorder.confirm_set(*place, said)
    await session.put(0, variant=1)  # another body of a listed number: it cannot extend
    for seq in (1, 2, 3):
        await session.put(seq)
    chunk_ends = START + timedelta(seconds=4)
    assert said.ended_at <= chunk_ends + TOLERANCE
    with pytest.raises(BadEvent, match="after its session"):
        await session.recorder.confirm_set(*place, too_late)
    assert (await session.recorder.confirm_set(*place, said)).ended_at == said.ended_at
    assert (await session.complete(0, 1, 2, 3)).ended_at == chunk_ends


async def test_set_behind_the_list_reads_the_newest_part_and_others_only_before_a_refusal() -> None:
    """A day behind the list has hundreds of parts, and each set in it is checked."""
    one = RecordedSession()
    await one.open(0)
    row = await one.complete(0)
    for part in range(4):  # all as of second 3
        place = (one.user, one.session, "acc", part * CHUNKS_PER_PART + 1)
        await one.recorder.put_chunk(*place, CHUNKS[3, 0])
    read: list[int] = []

    class Watched(CountingRepository):
        async def metadata(self, *args: Any) -> Any:
            read.extend(args[-1])
            return await one.records.samples.metadata(*args)

    samples: Any = Watched(one.records.samples)
    writer = EventWriter(replace(one.records, samples=samples), one.clock, LIMITS)
    said = SetConfirmation(
        exercise="row", started_at=START + 6 * SECOND, ended_at=START + 8 * SECOND
    )
    await refuse_outside(writer, row, one.user, said, None)
    assert read == [3]
    too_late = said.model_copy(update={"ended_at": START + 20 * SECOND})
    with pytest.raises(BadEvent, match="after its session"):
        await refuse_outside(writer, row, one.user, too_late, None)
    assert sorted(read) == [0, 1, 2, 3, 3]


@pytest.mark.parametrize("others", ["writes", "fails"])
async def test_correction_that_changes_nothing_is_no_revision(others: str) -> None:
    """A retry of `If-Match: *` names the revision that its first attempt wrote."""
    session = RecordedSession()
    await session.open(0, 1)
    first = await session.confirm()
    place = (session.user, session.session, session.set)
    said = confirmation(0, 1)
    if others == "fails":
        labelled: Any = FailingRepository(session.records.labelled, "put")
        recorder = session.on(replace(session.records, labelled=labelled))
        with pytest.raises(DatabaseUnavailable):
            await recorder.confirm_set(*place, said, first.revision)
    else:
        await session.recorder.confirm_set(*place, said, first.revision)
    second = await session.records.sets.read(*place)
    assert second is not None
    assert await session.recorder.confirm_set(*place, said, second.revision) == second
    assert await session.labelled() == [said.exercise], "also if the first attempt failed"
    for reps in (said.reps, 9):
        row = await session.recorder.confirm_set(
            *place, said.model_copy(update={"reps": reps}), second.revision
        )
        assert (row.reps, row.revision > second.revision) == (reps, reps == 9)
    months = [month_of(day_of(session.set))]
    events = await session.records.journal.events(session.user, months)
    assert len([event for event in events if event.kind == "set-confirmed"]) == 3


@pytest.mark.parametrize(
    "stored", ["2026-11-21T11:00:00.123456+01:00", "2026-11-21T10:00:00.123456Z"]
)
@pytest.mark.parametrize("repeated", ["10:00:00.123456Z", "10:00:00.123Z", "15:30:00.123+05:30"])
async def test_set_is_repeated_in_another_offset_and_as_the_server_returned_it(
    stored: str, repeated: str
) -> None:
    session = RecordedSession()
    await session.open(0)
    place = (session.user, session.session, session.set)
    end = "2026-11-21T10:00:00.900Z"
    said = SetConfirmation.model_validate(
        {"exercise": "row", "started_at": stored, "ended_at": end}
    )
    first = await session.recorder.confirm_set(*place, said)
    same = SetConfirmation.model_validate(
        {"exercise": "row", "started_at": f"2026-11-21T{repeated}", "ended_at": end}
    )
    assert await session.recorder.confirm_set(*place, same) == first
    moved = same.model_copy(update={"started_at": same.started_at - 0.001 * SECOND})
    with pytest.raises(EventConflict):
        await session.recorder.confirm_set(*place, moved)


async def test_set_id_of_another_session_is_a_conflict_that_says_so() -> None:
    session = RecordedSession()
    await session.open(0)
    await session.confirm()
    other = new_id()
    opening = SessionOpening(started_at=START, streams={})
    await session.recorder.open_session(session.user, other, opening)
    place = (session.user, other, session.set)
    with pytest.raises(EventConflict, match=f"in another session, {session.session}; a new"):
        await session.recorder.confirm_set(*place, confirmation(0, 0))
    with pytest.raises(NotFound):
        await session.recorder.confirm_set(*place, confirmation(0, 0), 17)


async def test_old_set_can_be_corrected_and_an_old_session_opened_again() -> None:
    """Only new things need an id of about now."""
    session = RecordedSession()
    await session.open(0, 1)
    first = await session.confirm()
    session.now += timedelta(days=500)
    assert await session.confirm() == first, "a repeat"
    corrected = await session.confirm(1, first.revision)
    assert corrected.exercise != first.exercise
    await session.open()
    session.set = new_id()
    with pytest.raises(ClockSkew):
        await session.confirm()
    session.session = new_id()
    with pytest.raises(ClockSkew):
        await session.open()


async def test_recognised_set_is_confirmed_under_its_id_at_any_age() -> None:
    """Its id is as old as its samples. Predictions are read only where an id is too old."""
    session = RecordedSession()
    await session.open(0)
    predictions = CountingRepository(session.records.predictions)
    session.recorder = session.on(replace(session.records, predictions=predictions))
    await session.confirm()  # of about now
    assert predictions.calls["of_session"] == 0
    found = prediction(session.user, session.session, START)
    found = found._replace(set_id=recognised_set_id(session.session, us_of(START) * 1000))
    far = found._replace(set_id=uuid7(0, bytes(10)))  # of an earlier release
    await predictions.replace(session.user, session.session, [found, far])
    session.now += timedelta(days=500)
    session.set = found.set_id
    row = await session.confirm()
    assert row.set_id == found.set_id
    assert await session.confirm() == row, "a repeat"
    for other in (new_id(), far.set_id):
        session.set = other
        with pytest.raises(ClockSkew):
            await session.confirm()
