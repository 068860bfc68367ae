"""Recording months at once gives the same rows as recording set by set."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from ingest.event_writer import EventWriter
from ingest.histories import HistorySession, record_history
from schemas.config import Limits
from schemas.errors import BadEvent, ClockSkew, Deleted, EventConflict
from schemas.events import SessionOpening, SetConfirmation
from schemas.ids import uuid7
from tests.ingest.costs import FreeRecorder
from tests.store.memory import memory_records

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
FIRST = datetime(2026, 9, 29, 18, tzinfo=UTC)
LIMITS = Limits()
STREAM = {"kind": "acc", "unit": "g"}
PLAN = {
    "name": "Monday",
    "sets": [{"exercise": "squat", "reps": reps, "weight_kg": 80.0, "intensity": None}
             for reps in (8, 9)],
}  # fmt: skip


def id_at(at: datetime, number: int) -> UUID:
    return uuid7(int(at.timestamp() * 1000), number.to_bytes(10, "big"))


def visit_at(day: int, sets: int = 3, *, streams=None) -> HistorySession:
    at = FIRST + timedelta(days=day)
    opening = SessionOpening(
        started_at=at, timezone="Asia/Tokyo", plan=id_at(at, 99), streams=streams or {}
    )
    return HistorySession(id_at(at, 1), opening, [one_set(at, n) for n in range(sets)], PLAN)


def one_set(at: datetime, number: int, reps: int = 8) -> tuple[UUID, SetConfirmation]:
    began = at + timedelta(minutes=3 * number)
    confirmation = SetConfirmation(
        exercise="squat", started_at=began, ended_at=began + timedelta(seconds=30), reps=reps,
        weight_kg=80.0, intensity=0.7,
    )  # fmt: skip
    return id_at(at, 10 + number), confirmation


VISITS = [visit_at(day) for day in range(0, 50, 2)]  # three months, 75 sets


def writer(records) -> EventWriter:
    return EventWriter(records, lambda: NOW, LIMITS)


async def kept(records, user: UUID):
    events = await records.journal.events(user, ["2026-09", "2026-10", "2026-11"])
    return (
        sorted(events, key=lambda event: event.event_id),
        await records.sets.of_user(user),
        await records.sessions.page(user, None, 1000),
        await records.plans.of_user(user),
        [
            row._replace(revision=0)  # revisions count steps, which are fewer here
            for month in ("2026-09", "2026-10", "2026-11")
            for visit in VISITS
            for row in await records.deviations.of_session(user, month, visit.session_id)
        ],
        {
            user_id: set(topics)
            for user_id, topics in (
                await records.changes.since(NOW - timedelta(days=1), NOW)
            ).items()
        },
    )


async def test_recording_a_history_equals_recording_each_set_and_is_repeatable(records):
    one_by_one = memory_records()
    user = uuid4()
    recorder = FreeRecorder(one_by_one, LIMITS, lambda: NOW)
    for visit in VISITS:
        await recorder.put_plan(user, visit.opening.plan, PLAN["name"], PLAN["sets"])
        await recorder.open_session(user, visit.session_id, visit.opening)
        for set_id, confirmation in visit.sets:
            await recorder.confirm_set(user, visit.session_id, set_id, confirmation)
    await record_history(writer(records), user, VISITS)
    first = await kept(records, user)
    expected = await kept(one_by_one, user)
    assert len(expected[1]) == 75
    assert first[:5] == expected[:5]
    assert first[5][user] == expected[5][user] == {"plans", "sessions", "sets", "deviations"}
    assert [row.kinds for row in first[4]][:3] == [{"as_planned"}, {"reps"}, {"extra"}]
    later = EventWriter(records, lambda: NOW + timedelta(hours=1), LIMITS)
    await record_history(later, user, VISITS)
    assert (await kept(records, user))[:5] == first[:5]


def test_slot_taken_concurrently_fails_alone_and_the_other_sets_are_stored(records):
    """The batch of a month is refused as a whole; sets without a conflict are still stored."""

    async def run():
        user, visit = uuid4(), VISITS[0]
        other = HistorySession(visit.session_id, visit.opening, [one_set(FIRST, 1, reps=5)])
        await record_history(writer(records), user, [other])
        journal = records.journal
        held, journal.events = journal.events, nothing_yet
        with pytest.raises(EventConflict, match="is stored already"):
            await record_history(writer(records), user, [visit])
        journal.events = held
        rows = await records.sets.of_session(user, visit.session_id)
        assert sorted(row.reps for row in rows) == [5, 8, 8]

    async def nothing_yet(user, months):
        return []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("visit", "problem"),
    [
        (visit_at(0, streams={"acc": STREAM}), BadEvent),
        (visit_at(-500), ClockSkew),
        (HistorySession(*[(v := visit_at(9)).session_id, v.opening], v.sets[:1]), None),
        (HistorySession(visit_at(9).session_id, visit_at(9).opening, visit_at(2).sets), BadEvent),
    ],
    ids=["streams", "too long ago", "good", "a set before its session"],
)
async def test_history_is_refused_as_a_whole_if_a_session_is_invalid(visit, problem):
    records, user = memory_records(), uuid4()
    work = record_history(writer(records), user, [VISITS[0], visit])
    if problem is None:
        await work
        return
    with pytest.raises(problem):
        await work
    assert await records.sets.of_user(user) == []


async def test_deleted_sets_and_sessions_with_streams_are_refused():
    records, user = memory_records(), uuid4()
    recorder = FreeRecorder(records, LIMITS, lambda: NOW)
    visit = VISITS[0]
    await record_history(writer(records), user, [visit])
    await recorder.delete_set(user, visit.session_id, visit.sets[0][0])
    with pytest.raises(Deleted, match="set"):
        await record_history(writer(records), user, [visit])
    await recorder.delete_session(user, visit.session_id)
    with pytest.raises(Deleted, match="session"):
        await record_history(writer(records), user, [visit])
    streamed = visit_at(1, streams={"acc": STREAM})
    await recorder.open_session(user, streamed.session_id, streamed.opening)
    with pytest.raises(BadEvent, match="one by one"):
        await record_history(writer(records), user, [visit_at(1)])


async def test_a_deleted_plan_stays_deleted_and_its_history_may_be_sent_again():
    records, user, visit = memory_records(), uuid4(), VISITS[0]
    await record_history(writer(records), user, [visit])
    later = FreeRecorder(records, LIMITS, lambda: NOW + timedelta(hours=1))
    await later.delete_plan(user, visit.opening.plan)
    before = await kept(records, user)
    await record_history(writer(records), user, [visit])
    assert await kept(records, user) == before
    assert await records.plans.of_user(user) == []
