"""Names that were stored as typed are normalised when they are read."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ingest import slots
from ingest.event_writer import EventWriter
from ingest.projections import project
from ingest.sets import confirmation_body
from schemas.errors import EventConflict
from schemas.events import SessionOpening, SetConfirmation
from store.records import Records, records_in
from tests.ingest.costs import FreeRecorder
from tests.ingest.histories import LIMITS, new_id

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
OLD, NEW = "bulga\u0308rian  squat", "bulgärian squat"
PLANNED = {"reps": 8, "weight_kg": None, "intensity": None}


def clock() -> datetime:
    return NOW + timedelta(hours=1)


@pytest.fixture
def records(database) -> Records:
    return records_in(database, LIMITS)


async def kept_before(records: Records, user, entity_id, slot_id, kind, body, topic):
    """An event and its rows as stored by a release that did not normalise names."""
    event, _ = await EventWriter(records, clock, LIMITS).write(
        user, entity_id, slot_id, kind, body, topic=topic
    )
    await project(records, user, event, 0)
    return event


def said(**changes) -> SetConfirmation:
    given = {"exercise": NEW, "started_at": NOW, "ended_at": NOW + timedelta(seconds=30), "reps": 8}
    return SetConfirmation.model_validate({**given, **changes})


def test_set_stored_under_an_old_name_is_repeated_and_corrected(database, records):
    user, session, one = uuid4(), new_id(), new_id()
    recorder = FreeRecorder(records, LIMITS, clock)

    async def story():
        await recorder.open_session(user, session, SessionOpening(started_at=NOW, streams={}))
        body = confirmation_body(session, said()) | {"exercise": OLD}
        slot_id = slots.set_confirmed(one, 0)
        await kept_before(records, user, one, slot_id, "set-confirmed", body, "sets")
        raw = await database.run("SELECT exercise FROM sets WHERE user_id = ?", (user,))
        assert [row.exercise for row in raw] == [OLD]

        [before] = await records.sets.of_user(user)
        assert before.exercise == NEW
        for typed in (OLD, NEW, f" {NEW} "):
            assert await recorder.confirm_set(user, session, one, said(exercise=typed)) == before
        with pytest.raises(EventConflict):
            await recorder.confirm_set(user, session, one, said(exercise=NEW.title()))
        after = await recorder.confirm_set(user, session, one, said(reps=9), before.revision)
        assert (after.exercise, after.reps) == (NEW, 9)
        events = await records.journal.events(user, ["2026-11"])
        names = [event.body["exercise"] for event in events if event.kind == "set-confirmed"]
        assert names == [NEW, NEW]

    asyncio.run(story())


def test_plan_stored_with_old_names_is_repeated_and_compared(records):
    user, session, plan = uuid4(), new_id(), new_id()
    recorder = FreeRecorder(records, LIMITS, clock)

    async def story():
        body = {"name": "Monday", "sets": [{"exercise": OLD, **PLANNED}]}
        slot_id = slots.plan_version(plan, 0)
        await kept_before(records, user, plan, slot_id, "plan-kept", body, "plans")
        before = await records.plans.read(user, plan)
        assert before.sets == [{"exercise": NEW, **PLANNED}]
        again = await recorder.put_plan(user, plan, "Monday", [{"exercise": NEW, **PLANNED}])
        assert again == before
        opening = SessionOpening(started_at=NOW, plan=plan, streams={})
        await recorder.open_session(user, session, opening)
        await recorder.confirm_set(user, session, new_id(), said())
        [row] = await records.deviations.of_session(user, "2026-11", session)
        assert (row.planned_exercise, row.actual_exercise, row.kinds) == (NEW, NEW, {"as_planned"})

    asyncio.run(story())
