"""Several devices open one session: what each of them knows counts, whichever is heard first."""

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ingest import openings
from ingest.projections import project
from schemas.errors import BadEvent, DatabaseUnavailable, EventConflict
from schemas.events import SessionOpening
from tests.ingest.devices import BENCH, OTHER_PLAN, PHONE, PLAN, TABLET, WATCH, events_of, opened
from tests.ingest.histories import START, STREAM, confirmation
from tests.ingest.jittered import jittered
from tests.ingest.recorded_session import NOW, FailingRepository, RecordedSession, replay
from tests.store.memory import memory_records


async def kinds(one: RecordedSession, month: str = f"{START:%Y-%m}") -> list[set[str]]:
    rows = await one.records.deviations.of_session(one.user, month, one.session)
    return [set(row.kinds) for row in rows]


@pytest.mark.parametrize("order", list(itertools.permutations([WATCH, PHONE, TABLET])))
async def test_what_a_device_knows_counts_in_every_order_of_arrival(
    order: tuple[dict, ...],
) -> None:
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


@pytest.mark.parametrize("seed", range(20))
async def test_concurrent_openings_agree(seed: int) -> None:
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


async def test_plan_that_a_second_opening_names_is_followed() -> None:
    one = RecordedSession()
    await one.recorder.put_plan(one.user, PLAN, "Monday", [BENCH])
    await opened(one, **WATCH)
    await one.confirm()
    assert await kinds(one) == []
    assert (await opened(one, **PHONE)).plan_id == PLAN
    assert await kinds(one) == [{"missed"}, {"extra"}]


async def test_first_plan_and_time_zone_that_are_named_stay() -> None:
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


async def test_set_before_the_first_arrived_start_is_taken_once_the_other_device_is_heard() -> None:
    one = RecordedSession()
    said = confirmation(0, 0)
    late = said.started_at + timedelta(minutes=4)
    await opened(one, started_at=late, streams={})
    with pytest.raises(BadEvent, match="before its session"):
        await one.confirm()
    await opened(one, **WATCH)
    assert (await one.confirm()).started_at == said.started_at


@pytest.mark.parametrize(
    ("earlier", "is_moved"),
    [(timedelta(days=1), True), (timedelta(days=1, milliseconds=1), False)],
)
async def test_start_moves_back_by_at_most_a_day(earlier: timedelta, is_moved: bool) -> None:
    one = RecordedSession()
    await opened(one, **WATCH)
    row = await opened(one, started_at=START - earlier, streams={})
    assert row.started_at == (START - earlier if is_moved else START)
    again = await opened(one, started_at=START - earlier - timedelta(hours=1), streams={})
    assert again.started_at == row.started_at, "counted from the first opening"


async def test_session_is_opened_differently_only_so_often() -> None:
    one = RecordedSession()
    for second in range(openings.MAX_AMENDMENTS + 1):
        await opened(one, started_at=START - timedelta(seconds=second), streams={})
    with pytest.raises(BadEvent, match="differently 32 times"):
        await opened(one, started_at=START - timedelta(hours=1), streams={})
    assert (await opened(one, **WATCH)).started_at == START - timedelta(seconds=32)


async def test_opening_that_is_one_too_many_is_projected_as_far_as_it_is_stored() -> None:
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


async def test_rows_move_to_the_month_of_an_earlier_start() -> None:
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


@pytest.mark.parametrize("reverse", [False, True])
async def test_replay_gives_the_same_session(reverse: bool) -> None:
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


async def test_second_opening_finishes_what_a_crash_left() -> None:
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
