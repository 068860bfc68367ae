"""Which version of its plan a session follows."""

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ingest.deviations import followed_us
from ingest.projections import project_all
from schemas.times import us_of
from store.journal import Event
from tests.ingest.costs import FreeRecorder
from tests.ingest.devices import BENCH, PLAN, opened
from tests.ingest.gym import MONTH, ROW, Gym
from tests.ingest.histories import LIMITS, START, confirmation, new_id
from tests.ingest.recorded_session import CountingRepository, RecordedSession


@pytest.mark.parametrize(
    ("start_s", "offset_ms", "received_s", "followed_s"),
    [
        (0, None, 7200, 60),  # it arrived later, its plan within a minute
        (0, -30_000, 7200, 30),  # the device is ahead
        (0, None, 20, 20),  # it arrived at once
        (3600, None, 20, 20),  # the device is ahead, and does not say so
    ],
)
def test_plan_is_followed_from_the_start_and_what_arrives_within_a_minute_of_it(
    start_s: int, offset_ms: int | None, received_s: int, followed_s: int
) -> None:
    at = datetime(1970, 1, 2, tzinfo=UTC)
    body = {"started_at": (at + timedelta(seconds=start_s)).isoformat(), "timezone": "UTC"}
    received_us = us_of(at + timedelta(seconds=received_s))
    opening = Event(
        *(new_id(), new_id(), "session-opened", {**body, "plan": None}, received_us),
        meta={"offset_ms": offset_ms},
    )
    assert followed_us([opening]) == us_of(at + timedelta(seconds=followed_s))


def test_plan_counts_as_of_the_start_on_the_servers_clock() -> None:
    """The phone's clock is an hour behind; the plan was edited before and after the workout."""

    async def story(sent_at: datetime | None) -> str | None:
        one = RecordedSession()
        began, hour = START + timedelta(hours=2), timedelta(hours=1)
        for at, exercise in ((began - hour, "row"), (began - hour / 2, "bench press")):
            one.now = at
            await one.recorder.put_plan(one.user, PLAN, "Monday", [{**BENCH, "exercise": exercise}])
        one.now = began + hour
        await one.recorder.put_plan(one.user, PLAN, "Monday", [{**BENCH, "exercise": "plank"}])
        await opened(one, started_at=began - hour, plan=PLAN, sent_at=sent_at, streams={})
        said = confirmation(0, 0)
        times = {
            "started_at": began - hour,
            "ended_at": began - hour + timedelta(seconds=9),
        }
        await one.recorder.confirm_set(
            one.user, one.session, one.set, said.model_copy(update=times), None
        )
        rows = await one.records.deviations.of_session(one.user, f"{began:%Y-%m}", one.session)
        return rows[0].planned_exercise

    sent_at = START + timedelta(hours=2)
    assert asyncio.run(story(sent_at)) == "bench press"
    assert asyncio.run(story(None)) == "row"


async def followed_thrice() -> Gym:
    """Three sessions with a set each, before and after a second version of their plan."""
    gym = Gym()
    for planned in ((), (BENCH,), (ROW,)):
        if planned:
            await gym.keep(*planned)
        gym.session, gym.sets = new_id(), {}
        gym.start = gym.now = gym.now + timedelta(minutes=10)
        await gym.open()
        gym.now += timedelta(minutes=5)
        await gym.do("first", 1, "row", 10)
    return gym


async def test_a_later_version_of_a_plan_reads_no_session_that_was_opened_before_it() -> None:
    gym = await followed_thrice()
    sessions = CountingRepository(gym.records.sessions)
    deviations = CountingRepository(gym.records.deviations)
    counted = replace(gym.records, sessions=sessions, deviations=deviations)
    gym.recorder = FreeRecorder(counted, LIMITS, gym.clock)
    await gym.keep(BENCH, ROW)
    assert (sessions.calls, deviations.calls) == ({"of_plan": 1}, {})
    await project_all(counted, gym.user, await gym.records.journal.events(gym.user, [MONTH]), 0)
    assert sessions.calls["of_plan"] == 2, "a replay finds the sessions once for all versions"


@pytest.mark.parametrize("seed", range(8))
async def test_each_session_follows_its_version_in_whichever_order_events_are_projected(
    seed: int,
) -> None:
    gym = await followed_thrice()
    events = await gym.records.journal.events(gym.user, [MONTH])
    wanted = await gym.records.deviations.of_month(gym.user, MONTH)
    planned = [row.planned_exercise for row in wanted if row.planned_exercise]
    assert sorted(planned) == ["bench press", "bench press", "row"]
    told = [*events, *events[:4]]
    random.Random(seed).shuffle(told)
    for records in await gym.projected_again(events, told):
        assert await records.deviations.of_month(gym.user, MONTH) == wanted
