"""Deviations from plans: live, late, corrected, deleted, and rebuilt from events."""

import asyncio
import random
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from ingest.deviations import project_deviations
from ingest.projections import project, project_all
from schemas.config import Limits
from schemas.events import Completion, SessionOpening
from schemas.times import us_of
from store.database import Database
from store.records import records_in
from tests.ingest.gym import BENCH, MONTH, ROW, START, Gym, one_of_each
from tests.ingest.histories import CHUNKS, STREAM, new_id
from tests.store.made_records import prediction
from tests.store.memory import memory_records


@pytest.fixture
def gym() -> Gym:
    return Gym()


async def test_a_session_is_compared_with_its_plan(gym: Gym) -> None:
    await one_of_each(gym)
    assert await gym.kinds() == [
        ("bench press", "bench press", {"as_planned"}),
        ("bench press", "bench press", {"reps"}),
        ("row", None, {"missed"}),
        (None, "plank", {"extra"}),
    ]
    first, _, missed, extra = await gym.rows()
    assert (first.planned_reps, first.actual_reps, first.planned_weight_kg) == (8, 8, 60.0)
    assert (first.set_id, first.source, first.confidence) == (
        gym.sets["first"][0],
        "confirmed",
        None,
    )
    assert first.started_at_utc == START + timedelta(minutes=1)
    assert (first.local_hour, first.local_date.isoformat()) == (23, "2026-11-21")
    assert (extra.local_hour, extra.local_date.isoformat()) == (0, "2026-11-22")
    assert (missed.started_at_utc, missed.set_id, missed.source) == (START, None, None)


async def test_deviations_follow_corrections_and_deletions(gym: Gym) -> None:
    await one_of_each(gym)
    await gym.do("second", 5, "bench press", 8)
    assert (await gym.kinds())[1][2] == {"as_planned"}
    await gym.recorder.delete_set(gym.user, gym.session, gym.sets["first"][0])
    assert [kinds for _, _, kinds in await gym.kinds()] == [
        {"as_planned"},
        {"missed"},
        {"missed"},
        {"extra"},
    ]
    await gym.recorder.delete_session(gym.user, gym.session)
    assert await gym.rows() == []


async def test_deviations_use_the_plan_version_at_session_opening(gym: Gym) -> None:
    await one_of_each(gym)
    before = await gym.rows()
    await gym.keep(ROW)
    await gym.recorder.delete_plan(gym.user, gym.plan)
    await gym.do("third", 50, "plank", 2)
    after = [row._replace(revision=0) for row in await gym.rows()]
    assert after == [
        row._replace(revision=0, actual_reps=2 if row.actual_exercise == "plank" else r)
        for row in before
        for r in (row.actual_reps,)
    ]
    assert await gym.records.plans.of_user(gym.user) == []


async def test_every_planned_set_is_missed_once_a_session_without_sets_is_complete(
    gym: Gym,
) -> None:
    await gym.keep(BENCH, ROW)
    opening = SessionOpening(started_at=START, plan=gym.plan, streams={"acc": STREAM})
    await gym.recorder.open_session(gym.user, gym.session, opening)
    assert await gym.rows() == []
    await gym.recorder.complete(gym.user, gym.session, Completion(streams={"acc": []}))
    assert await gym.kinds() == [("bench press", None, {"missed"}), ("row", None, {"missed"})]


async def test_every_planned_set_is_missed_once_a_session_without_streams_is_complete(
    gym: Gym,
) -> None:
    """A workout that a phone alone keeps: the sets are typed, and nothing records."""
    await gym.keep(BENCH, ROW)
    await gym.open()
    for _ in range(2):
        row = await gym.recorder.complete(gym.user, gym.session, Completion(streams={}))
        assert (row.complete, row.ended_at) == (True, None)
    assert await gym.kinds() == [("bench press", None, {"missed"}), ("row", None, {"missed"})]
    events = await gym.records.journal.events(gym.user, [MONTH])
    assert [event.kind for event in events].count("stream-listed") == 1
    anew = memory_records()
    for event in events:
        await anew.journal.append(gym.user, event, "sessions")
    await project_all(anew, gym.user, events, 0)
    assert await anew.sessions.read(gym.user, gym.session) == row
    assert await gym.rows(anew) == await gym.rows()


async def test_deviations_are_computed_when_the_plan_arrives_after_its_session(gym: Gym) -> None:
    await gym.open()
    await gym.do("first", 1, "row", 10)
    assert await gym.rows() == []
    await gym.keep(ROW, BENCH)
    assert [kinds for _, _, kinds in await gym.kinds()] == [{"as_planned"}, {"missed"}]
    await gym.keep(BENCH)  # the first version still counts
    assert [kinds for _, _, kinds in await gym.kinds()] == [{"as_planned"}, {"missed"}]


async def test_deviations_are_stored_in_the_utc_month_of_the_session_start(
    database: Database,
) -> None:
    """December in Helsinki, November in UTC: rows are stored in and deleted from November."""
    gym = Gym(records_in(database, Limits()))
    await gym.keep(BENCH)
    begun = datetime.fromisoformat("2026-12-01T00:30:00+02:00")
    fields = {"started_at": begun, "timezone": "Europe/Helsinki", "plan": gym.plan}
    opening = SessionOpening.model_validate({**fields, "streams": {}})
    await gym.recorder.open_session(gym.user, gym.session, opening)
    minutes = (begun - START) // timedelta(minutes=1)
    gym.now = begun + timedelta(hours=1)
    await gym.do("first", minutes + 1, "bench press", 8)
    assert await gym.kinds() == [("bench press", "bench press", {"as_planned"})]
    await gym.recorder.delete_session(gym.user, gym.session)
    assert await gym.rows() == []


def test_no_deviations_exist_before_the_first_set_or_without_a_plan(gym: Gym) -> None:
    async def story(*, plan: bool) -> None:
        await gym.keep(BENCH)
        await gym.open(plan=plan)
        assert await gym.rows() == []
        if not plan:
            await gym.do("first", 1, "row", 10)
            assert await gym.rows() == []

    asyncio.run(story(plan=True))
    gym.session = new_id()
    asyncio.run(story(plan=False))


async def test_predicted_sets_count_until_a_set_is_confirmed(gym: Gym) -> None:
    await gym.keep(BENCH)
    await gym.open()
    await gym.recorder.complete(gym.user, gym.session, Completion(streams={}))
    at = START + timedelta(minutes=1)
    bench = prediction(gym.user, gym.session, at, exercise="bench press", predicted_at=gym.clock())
    unsure = bench._replace(set_id=uuid4(), abstained=True)
    nameless = bench._replace(set_id=uuid4(), exercise=None)
    await gym.records.predictions.replace(gym.user, gym.session, [bench, unsure, nameless])
    event = (await gym.records.journal.events(gym.user, [MONTH]))[-1]
    await project(gym.records, gym.user, event, 0)
    [row] = await gym.rows()
    assert (row.set_id, row.source, row.confidence) == (bench.set_id, "sensor", 0.9)
    assert (row.kinds, row.revision) == ({"as_planned"}, us_of(bench.predicted_at))
    await gym.do("said", 1, "bench press", 7)
    [row] = await gym.rows()
    assert (row.source, row.actual_reps, row.kinds) == ("confirmed", 7, {"reps"})
    await gym.recorder.delete_session(gym.user, gym.session)
    assert await gym.records.predictions.of_session(gym.user, gym.session) == []


async def test_predicted_sets_do_not_count_once_the_session_is_not_complete_any_more(
    gym: Gym,
) -> None:
    """As `sets` of the session, which shows confirmed ones only then."""
    await gym.keep(BENCH, ROW)
    opening = SessionOpening(started_at=START, plan=gym.plan, streams={"acc": STREAM})
    await gym.recorder.open_session(gym.user, gym.session, opening)
    await gym.recorder.complete(gym.user, gym.session, Completion(streams={}))
    at = START + timedelta(minutes=1)
    bench = prediction(gym.user, gym.session, at, exercise="bench press", predicted_at=gym.clock())
    await gym.records.predictions.replace(gym.user, gym.session, [bench])
    await project_deviations(gym.records, gym.user, gym.session, us_of(gym.now), us_of(gym.now))
    assert [row.source for row in await gym.rows()] == ["sensor", None]
    await gym.recorder.put_chunk(gym.user, gym.session, "acc", 0, CHUNKS[0, 0])
    assert not (await gym.recorder.session(gym.user, gym.session)).complete
    assert await gym.rows() == []
    await gym.do("said", 5, "row", 10)
    assert [(set(row.kinds), row.source) for row in await gym.rows()] == [
        ({"missed"}, None),
        ({"as_planned"}, "confirmed"),
    ]


@pytest.mark.parametrize("seed", range(8))
async def test_deviations_are_independent_of_event_order_and_repeats(gym: Gym, seed: int) -> None:
    await one_of_each(gym)
    await gym.do("second", 6, "row", 10)
    await gym.recorder.delete_set(gym.user, gym.session, gym.sets["third"][0])
    await gym.keep(ROW)
    events = await gym.records.journal.events(gym.user, [MONTH])
    wanted = await gym.rows()
    assert len({event.kind for event in events}) == 4
    assert len(wanted) == 3

    chance = random.Random(seed)
    told = [*events, *chance.choices(events, k=4)]
    chance.shuffle(told)
    for records in await gym.projected_again(events, told):
        assert await gym.rows(records) == wanted

    await project_all(gym.records, gym.user, events, 0)
    assert await gym.rows() == wanted  # a replay over live rows changes nothing


async def test_events_that_are_projected_late_leave_the_revision_of_a_replay(
    database: Database,
) -> None:
    """Older sets after the newest one, each of which changes rows that are newer than itself."""
    gym, late = Gym(), records_in(database, Limits())
    await gym.keep(BENCH, ROW)
    await gym.open()
    for minute, name in enumerate(("first", "second", "third"), start=1):
        await gym.do(name, minute, "bench press", 8)
    events = await gym.records.journal.events(gym.user, [MONTH])
    for event in events:
        await late.journal.append(gym.user, event, "sets")
    kept, opened, first, second, third = events
    for event in (kept, opened, third, second, first):
        await project(late, gym.user, event, us_of(gym.now))
    assert await gym.rows(late) == await gym.rows()
    assert {row.revision for row in await gym.rows(late)} == {third.received_us}
