"""Several devices open one session: what each of them knows counts, whichever is heard first."""

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingest import openings
from ingest.deviations import followed_us
from ingest.projections import project
from schemas.errors import BadEvent, DatabaseUnavailable, EventConflict
from schemas.events import SessionOpening
from schemas.times import us_of
from store.journal import Event
from store.sessions import SessionRow
from tests.ingest.histories import START, STREAM, confirmation, new_id
from tests.ingest.recorded_session import NOW, FailingRepository, RecordedSession, replay
from tests.ingest.test_races import jittered
from tests.store.memory import memory_records

BENCH = {"exercise": "bench press", "reps": 8, "weight_kg": None, "intensity": None}
PLAN, OTHER_PLAN = new_id(), new_id()
WATCH: dict[str, Any] = {"started_at": START, "streams": {"acc": STREAM}}
PHONE: dict[str, Any] = {
    "started_at": START - timedelta(minutes=5),
    "timezone": "Europe/London",
    "plan": PLAN,
    "streams": {},
}
TABLET: dict[str, Any] = {"started_at": START + timedelta(minutes=5), "streams": {}}


async def opened(one: RecordedSession, **fields: Any) -> SessionRow:
    return await one.recorder.open_session(one.user, one.session, SessionOpening(**fields))


async def events_of(one: RecordedSession) -> list[Event]:
    return await one.records.journal.events(one.user, [f"{START:%Y-%m}"])


async def kinds(one: RecordedSession, month: str = f"{START:%Y-%m}") -> list[set[str]]:
    rows = await one.records.deviations.of_session(one.user, month, one.session)
    return [set(row.kinds) for row in rows]


@pytest.mark.parametrize("order", list(itertools.permutations([WATCH, PHONE, TABLET])))
def test_what_a_device_knows_counts_in_every_order_of_arrival(order: tuple[dict, ...]) -> None:
    async def story() -> None:
        one = RecordedSession()
        for fields in (*order, *order):  # and a repeat adds nothing
            row = await opened(one, **fields)
        assert (row.started_at, row.timezone, row.plan_id) == (
            PHONE["started_at"],
            "Europe/London",
            PLAN,
        )
        assert row.streams.keys() == {"acc"}
        assert len(await openings.openings_of(one.records, one.user, one.session)) <= 3

    asyncio.run(story())


@pytest.mark.parametrize("seed", range(20))
def test_concurrent_openings_agree(seed: int) -> None:
    async def story() -> None:
        one = RecordedSession()
        await asyncio.gather(
            *(
                one.on(jittered(one.records, 3 * seed + n)).open_session(
                    one.user, one.session, SessionOpening(**fields)
                )
                for n, fields in enumerate((WATCH, PHONE, TABLET))
            )
        )
        row = await one.recorder.session(one.user, one.session)
        assert (row.started_at, row.plan_id) == (PHONE["started_at"], PLAN)
        assert len(await openings.openings_of(one.records, one.user, one.session)) <= 3
        anew = memory_records()
        for event in await events_of(one):
            await anew.journal.append(one.user, event, "sessions")
        await replay(anew, one.user, START, NOW)
        assert await anew.sessions.read(one.user, one.session) == row

    asyncio.run(story())


def test_plan_that_a_second_opening_names_is_followed() -> None:
    async def story() -> None:
        one = RecordedSession()
        await one.recorder.put_plan(one.user, PLAN, "Monday", [BENCH])
        await opened(one, **WATCH)
        await one.confirm()
        assert await kinds(one) == []
        assert (await opened(one, **PHONE)).plan_id == PLAN
        assert await kinds(one) == [{"missed"}, {"extra"}]

    asyncio.run(story())


def test_first_plan_and_time_zone_that_are_named_stay() -> None:
    async def story() -> None:
        one = RecordedSession()
        await opened(one, **PHONE)
        elsewhere = {**TABLET, "timezone": "Asia/Tokyo"}
        assert (await opened(one, **elsewhere)).timezone == "Europe/London"
        gyro = {"gyro": {**STREAM, "kind": "gyro", "unit": "rad/s"}}
        with pytest.raises(EventConflict, match=str(PLAN)):
            await opened(one, **{**WATCH, "plan": OTHER_PLAN, "streams": gyro})
        row = await one.recorder.session(one.user, one.session)
        assert row.plan_id == PLAN
        assert row.streams.keys() == {"gyro"}, "its samples may follow nevertheless"

    asyncio.run(story())


def test_set_before_the_first_arrived_start_is_taken_once_the_other_device_is_heard() -> None:
    async def story() -> None:
        one = RecordedSession()
        said = confirmation(0, 0)
        late = said.started_at + timedelta(minutes=4)
        await opened(one, started_at=late, streams={})
        with pytest.raises(BadEvent, match="before its session"):
            await one.confirm()
        await opened(one, **WATCH)
        assert (await one.confirm()).started_at == said.started_at

    asyncio.run(story())


@pytest.mark.parametrize(
    ("earlier", "is_moved"),
    [(timedelta(days=1), True), (timedelta(days=1, milliseconds=1), False)],
)
def test_start_moves_back_by_at_most_a_day(earlier: timedelta, is_moved: bool) -> None:
    async def story() -> None:
        one = RecordedSession()
        await opened(one, **WATCH)
        row = await opened(one, started_at=START - earlier, streams={})
        assert row.started_at == (START - earlier if is_moved else START)
        again = await opened(one, started_at=START - earlier - timedelta(hours=1), streams={})
        assert again.started_at == row.started_at, "counted from the first opening"

    asyncio.run(story())


def test_session_is_opened_differently_only_so_often() -> None:
    async def story() -> None:
        one = RecordedSession()
        for second in range(openings.MAX_AMENDMENTS + 1):
            await opened(one, started_at=START - timedelta(seconds=second), streams={})
        with pytest.raises(BadEvent, match="differently 32 times"):
            await opened(one, started_at=START - timedelta(hours=1), streams={})
        assert (await opened(one, **WATCH)).started_at == START - timedelta(seconds=32)

    asyncio.run(story())


def test_opening_that_is_one_too_many_is_projected_as_far_as_it_is_stored() -> None:
    async def story() -> None:
        one = RecordedSession()
        for second in range(openings.MAX_AMENDMENTS):
            await opened(one, started_at=START - timedelta(seconds=second), streams={})
        dying = replace(one.records, sessions=FailingRepository(one.records.sessions, "open"))
        recorder, one.recorder = one.recorder, one.on(dying)
        with pytest.raises(DatabaseUnavailable):
            await opened(one, started_at=START - timedelta(seconds=32), streams={})
        one.recorder = recorder
        with pytest.raises(BadEvent, match="differently 32 times"):
            await opened(one, **{**WATCH, "started_at": START - timedelta(hours=1)})
        row = await one.recorder.session(one.user, one.session)
        assert row.started_at == START - timedelta(seconds=32)
        assert row.streams.keys() == {"acc"}, "its samples may follow nevertheless"

    asyncio.run(story())


def test_rows_move_to_the_month_of_an_earlier_start() -> None:
    async def story() -> None:
        one = RecordedSession()
        first = datetime(2026, 11, 30, 23, 58, tzinfo=UTC)
        one.now = first + timedelta(hours=1)
        await one.recorder.put_plan(one.user, PLAN, "Monday", [BENCH])
        await opened(one, started_at=first + timedelta(minutes=4), plan=PLAN, streams={})
        said = confirmation(0, 0).model_copy(
            update={
                "started_at": first + timedelta(minutes=5),
                "ended_at": first + timedelta(minutes=6),
            }
        )
        await one.recorder.confirm_set(one.user, one.session, one.set, said, None)
        assert len(await kinds(one, "2026-12")) == 2
        await opened(one, started_at=first, streams={})
        assert (len(await kinds(one, "2026-11")), await kinds(one, "2026-12")) == (2, [])
        await one.recorder.delete_session(one.user, one.session)
        assert await kinds(one, "2026-11") == []

    asyncio.run(story())


@pytest.mark.parametrize("reverse", [False, True])
def test_replay_gives_the_same_session(reverse: bool) -> None:
    async def story() -> None:
        one = RecordedSession()
        await one.recorder.put_plan(one.user, PLAN, "Monday", [BENCH])
        for fields in (WATCH, TABLET, PHONE):
            await opened(one, **fields)
        await one.confirm()
        live = await one.records.sessions.read(one.user, one.session), await kinds(one)
        events = await events_of(one)
        anew = memory_records()
        for event in events:
            await anew.journal.append(one.user, event, "sessions")
        for event in reversed(events) if reverse else events:
            await project(anew, one.user, event, 0)
        one.records = anew
        assert (await anew.sessions.read(one.user, one.session), await kinds(one)) == live
        await replay(anew, one.user, START, NOW)
        assert (await anew.sessions.read(one.user, one.session), await kinds(one)) == live

    asyncio.run(story())


def test_second_opening_finishes_what_a_crash_left() -> None:
    async def story() -> None:
        one = RecordedSession()
        await opened(one, **WATCH)
        before = await one.records.sessions.read(one.user, one.session)
        await opened(one, **PHONE)
        row = await one.records.sessions.read(one.user, one.session)
        unprojected = memory_records()
        for event in await events_of(one):
            await unprojected.journal.append(one.user, event, "sessions")
            if event.kind != "session-amended":
                await project(unprojected, one.user, event, 0)
        assert await unprojected.sessions.read(one.user, one.session) == before
        one.records = unprojected
        one.recorder = one.on(unprojected)
        assert await opened(one, **PHONE) == row

    asyncio.run(story())


@pytest.mark.parametrize(
    ("start_s", "offset_ms", "received_s", "followed_s"),
    [
        (0, None, 7200, 60),  # it arrived later, its plan within a minute
        (0, -30_000, 7200, 30),  # the device is ahead
        (0, None, 20, 20),  # it arrived at once
        (3600, None, 20, 20),  # the device is ahead, and does not say so
        (0, "earlier release", 7200, 7200),  # as its deviations were projected
    ],
)
def test_plan_is_followed_from_the_start_and_what_arrives_within_a_minute_of_it(
    start_s: int, offset_ms: int | str | None, received_s: int, followed_s: int
) -> None:
    at = datetime(1970, 1, 2, tzinfo=UTC)
    body = {"started_at": (at + timedelta(seconds=start_s)).isoformat(), "timezone": "UTC"}
    received_us = us_of(at + timedelta(seconds=received_s))
    opening = Event(
        *(new_id(), new_id(), "session-opened", {**body, "plan": None}, received_us),
        meta={} if offset_ms == "earlier release" else {"offset_ms": offset_ms},
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


@pytest.mark.parametrize("says_offset", [True, False])
def test_replay_keeps_the_deviations_of_earlier_releases(says_offset: bool) -> None:
    """They compared a session with its plan as of the opening's arrival, and kept no offset."""

    async def story() -> None:
        one = RecordedSession()
        await one.recorder.put_plan(one.user, PLAN, "Monday", [{**BENCH, "exercise": "row"}])
        one.now += timedelta(hours=1)
        await one.recorder.put_plan(one.user, PLAN, "Monday", [BENCH])
        one.now += timedelta(hours=1)
        sent_at = one.now if says_offset else None
        await opened(one, **WATCH, plan=PLAN, sent_at=sent_at)
        await one.confirm()
        events = [
            replace(event, meta={}) if event.kind == "session-opened" else event
            for event in await events_of(one)
        ]
        anew = memory_records()
        for event in events:
            await anew.journal.append(one.user, event, "sessions")
        for records, planned in ((one.records, "row"), (anew, "bench press")):
            await replay(records, one.user, START, NOW + timedelta(hours=3))
            rows = await records.deviations.of_session(one.user, f"{START:%Y-%m}", one.session)
            assert rows[0].planned_exercise == planned

    asyncio.run(story())
