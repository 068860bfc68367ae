"""Sets, lists and plans are charged if they are stored, and a repeat is free."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from schemas.errors import (
    BadEvent,
    DatabaseUnavailable,
    EventConflict,
    LimitExceeded,
    StaleRevision,
)
from schemas.events import Completion
from tests.ingest.costs import Counted, OverLimit, counted_in, over_limit
from tests.ingest.histories import SHA, confirmation, new_id
from tests.ingest.recorded_session import (
    FailingRepository,
    RecordedSession,
    RunBefore,
    both_sensors,
)

HASH_BYTES = len(json.dumps(SHA[0, 0])) + 1  # with a comma
PLANNED: Any = [{"exercise": "row", "reps": 8, "weight_kg": None, "intensity": None}]
PLAN_BYTES = len(json.dumps({"name": "Monday", "sets": PLANNED}))


class UsedUp(list[int]):
    """What is charged when nothing is left of the quota."""

    def append(self, size: int) -> None:
        if size > 0:
            raise LimitExceeded("no more today", limit="samples", retry_after_s=9)


def listed(**numbers: list[int]) -> Completion:
    streams: Any = {name: [*(SHA[n, 0] for n in seqs), None] for name, seqs in numbers.items()}
    return Completion(streams=streams)


async def test_each_longer_list_is_charged_in_full_and_a_repeat_is_free() -> None:
    session = await both_sensors()
    charged: list[int] = []

    counted = counted_in(charged)

    async def complete(cost_of: Any, **numbers: list[int]) -> None:
        place = (session.user, session.session)
        await session.recorder.complete(*place, listed(**numbers), cost_of)

    await complete(counted, acc=[0])
    await complete(counted, acc=[0])
    await complete(counted, acc=[0, 1], gyro=[0])
    with pytest.raises(LimitExceeded):
        await complete(over_limit, gyro=[0, 1])
    lists = await session.records.sessions.lists(session.user, session.session)
    assert {name: len(stored.hashes) for name, stored in lists.items()} == {"acc": 2, "gyro": 1}
    await complete(over_limit, acc=[0, 1], gyro=[0])
    assert charged == [HASH_BYTES, 3 * HASH_BYTES]  # nulls at the end are left out


async def test_each_version_of_a_plan_is_charged_and_a_repeat_is_free() -> None:
    session = RecordedSession()
    plan, charged = new_id(), list[int]()
    for reps in (8, 8, 9):
        sets: Any = [{**PLANNED[0], "reps": reps}]
        await session.recorder.put_plan(session.user, plan, "Monday", sets, counted_in(charged))
    assert charged == [PLAN_BYTES] * 2
    with pytest.raises(LimitExceeded):
        await session.recorder.put_plan(session.user, plan, "Tuesday", sets, over_limit)
    [stored] = await session.records.plans.of_user(session.user)
    assert stored.name == "Monday"


def test_each_revision_of_a_set_is_charged_and_a_repeat_is_free() -> None:
    async def story() -> None:
        session = RecordedSession()
        await session.open(0)
        charged: list[int] = []
        place = (session.user, session.session, session.set)

        counted = Counted(charged)

        async def confirm(content: int, etag: int | None, cost: Any) -> Any:
            said = confirmation(0, content)
            return await session.recorder.confirm_set(*place, said, etag, cost)

        with pytest.raises(LimitExceeded):
            await confirm(0, None, OverLimit())
        first = await confirm(0, None, counted)
        assert await confirm(0, None, OverLimit()) == first
        second = await confirm(1, first.revision, counted)
        assert await confirm(1, first.revision, OverLimit()) == second
        assert await confirm(1, second.revision, OverLimit()) == second, "it says so already"
        assert charged == [1, 1]

    asyncio.run(story())


@pytest.mark.parametrize(
    ("content", "at", "stale", "refusal"),
    [(1, 0, False, EventConflict), (1, 0, True, StaleRevision), (0, -30, False, BadEvent)],
)
async def test_a_set_that_is_refused_is_not_charged(
    content: int, at: int, *, stale: bool, refusal: type[Exception]
) -> None:
    session = RecordedSession()
    await session.open(0)
    first = await session.confirm()
    charged: list[int] = []
    said = confirmation(at, content)
    etag = first.revision - 1 if stale else None
    place = (session.user, session.session, session.set)
    with pytest.raises(refusal):
        await session.recorder.confirm_set(*place, said, etag, Counted(charged))
    assert sum(charged) == 0


async def test_a_set_that_loses_a_race_is_not_charged() -> None:
    session = RecordedSession()
    await session.open(0)
    charged: list[int] = []

    async def meanwhile() -> None:
        await session.confirm()

    journal = RunBefore(session.records.journal, "append", meanwhile)
    slower = session.on(replace(session.records, journal=journal))
    place = (session.user, session.session, session.set)
    with pytest.raises(EventConflict):
        await slower.confirm_set(*place, confirmation(0, 1), None, Counted(charged))
    assert charged == [1, -1]


async def send_list(session: RecordedSession, recorder: Any, charged: list[int]) -> None:
    cost_of = counted_in(charged)
    await recorder.complete(session.user, session.session, listed(acc=[0, 1]), cost_of)


async def send_plan(session: RecordedSession, recorder: Any, charged: list[int]) -> None:
    await recorder.put_plan(session.user, session.set, "Monday", PLANNED, counted_in(charged))


async def send_set(session: RecordedSession, recorder: Any, charged: list[int]) -> None:
    place = (session.user, session.session, session.set)
    await recorder.confirm_set(*place, confirmation(0, 0), None, Counted(charged))


@pytest.mark.parametrize(
    ("send", "method"),
    [(send_list, "append_all"), (send_plan, "append"), (send_set, "append")],
)
async def test_what_was_not_stored_because_the_database_is_away_is_not_charged(
    send: Callable[..., Awaitable[None]], method: str
) -> None:
    session = RecordedSession()
    await session.open(0, 1)
    charged: list[int] = []
    away = replace(session.records, journal=FailingRepository(session.records.journal, method))
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await send(session, session.on(away), charged)
    assert len(charged) == 6
    assert sum(charged) == 0
    await send(session, session.recorder, charged)
    assert sum(charged) == charged[0]


@pytest.mark.parametrize(
    ("send", "method"),
    [(send_list, "append_all"), (send_plan, "append"), (send_set, "append")],
)
async def test_what_was_not_stored_because_its_time_was_over_is_not_charged(
    send: Callable[..., Awaitable[None]], method: str
) -> None:
    session, charged = RecordedSession(), list[int]()
    await session.open(0, 1)

    async def cancelled() -> None:
        raise asyncio.CancelledError  # as after `api.request_timeout_s`

    journal = RunBefore(session.records.journal, method, cancelled)
    slow = session.on(replace(session.records, journal=journal))
    with pytest.raises(asyncio.CancelledError):
        await send(session, slow, charged)
    assert len(charged) == 2
    assert sum(charged) == 0


async def test_only_the_lists_that_won_their_race_are_charged() -> None:
    """Another request lists one of two streams, with less, between reading and appending."""
    session = await both_sensors()
    charged: list[int] = []
    place = (session.user, session.session)

    async def meanwhile() -> None:
        await session.recorder.complete(*place, listed(gyro=[0]))

    journal = RunBefore(session.records.journal, "append_all", meanwhile)
    slower = session.on(replace(session.records, journal=journal))
    both = listed(acc=[0, 1], gyro=[0, 1])
    await slower.complete(*place, both, counted_in(charged))
    assert charged == [size * HASH_BYTES for size in (4, -2, 2)]


async def test_a_version_of_a_plan_that_lost_its_race_is_not_charged() -> None:
    session = RecordedSession()
    plan, charged = new_id(), list[int]()

    async def meanwhile() -> None:
        await session.recorder.put_plan(session.user, plan, "Tuesday", PLANNED)

    journal = RunBefore(session.records.journal, "append", meanwhile)
    slower = session.on(replace(session.records, journal=journal))
    await slower.put_plan(session.user, plan, "Monday", PLANNED, counted_in(charged))
    assert charged == [PLAN_BYTES, -PLAN_BYTES, PLAN_BYTES]


@pytest.mark.parametrize(
    ("send", "repository", "method"),
    [
        (send_list, "sessions", "put_list"),
        (send_plan, "plans", "put"),
        (send_set, "sets", "put_all"),
    ],
)
async def test_what_the_journal_has_already_is_charged_once(
    send: Callable[..., Awaitable[None]], repository: str, method: str
) -> None:
    """The first attempt failed half way, after the journal, and used up the quota."""
    session = RecordedSession()
    await session.open(0, 1)
    charged: list[int] = []
    inner = getattr(session.records, repository)
    dying = replace(session.records, **{repository: FailingRepository(inner, method)})
    for _ in range(3):
        with pytest.raises(DatabaseUnavailable):
            await send(session, session.on(dying), charged)
    assert sum(charged) == charged[0]
    await send(session, session.recorder, UsedUp())
