"""A user with many requests waits behind users with few."""

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from api import measure
from api.fair_queue import MAX_WAITING, FairQueue
from api.measure import Measurer
from schemas.errors import Retryable
from store.sets import SetRow

ANNA, BEN, CLARA = (UUID(int=n) for n in (1, 2, 3))

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
A_SET = SetRow(
    UUID(int=4), UUID(int=5), "row", NOON, NOON + timedelta(60), None, None, None, "typed", 1
)


class Room:
    """Records whose turn it was, in order; each visitor stays until `go` is set."""

    def __init__(self) -> None:
        self.turns = FairQueue()
        self.served: list[UUID] = []
        self.go = asyncio.Event()
        self.called_away: list[asyncio.Task[None]] = []

    async def visit(self, who: UUID) -> None:
        async with self.turns.turn(who):
            self.served.append(who)
            await self.go.wait()
        while self.called_away:  # before the next one is told of its turn
            self.called_away.pop().cancel()

    async def come(self, *who: UUID) -> list[asyncio.Task[None]]:
        """Queue all of them, in this order."""
        coming = [asyncio.create_task(self.visit(one)) for one in who]
        await asyncio.sleep(0)
        return coming


def test_waiting_users_are_served_in_turn():
    async def day() -> list[UUID]:
        room = Room()
        coming = await room.come(ANNA, ANNA, ANNA, BEN, BEN, CLARA)
        room.go.set()
        await asyncio.gather(*coming)
        return room.served

    assert asyncio.run(day()) == [ANNA, BEN, CLARA, ANNA, BEN, ANNA]


async def test_a_user_over_the_waiting_limit_is_refused_and_others_are_not():
    room = Room()
    for _ in range(2):  # who has been served counts no longer
        room.go.clear()
        coming = await room.come(*[ANNA] * (1 + MAX_WAITING))
        with pytest.raises(Retryable, match=f"^{MAX_WAITING} of this user's"):
            await room.visit(ANNA)
        coming += await room.come(BEN)
        room.go.set()
        await asyncio.gather(*coming)
        assert room.served[:2] == [ANNA, BEN]
        assert len(room.served) == 2 + MAX_WAITING
        room.served.clear()
    assert not room.turns._waiting, "a queue of all users that ever waited would grow for ever"


async def test_cancelled_requests_leave_the_queue():
    room = Room()
    first, leaves, chosen, last = await room.come(ANNA, BEN, CLARA, ANNA)
    leaves.cancel()
    room.called_away.append(chosen)
    room.go.set()
    await asyncio.gather(first, last)
    await room.visit(BEN)
    assert (leaves.cancelled(), chosen.cancelled()) == (True, True)
    assert room.served == [ANNA, ANNA, BEN]


def test_a_turn_lasts_until_its_work_ends_even_if_the_caller_is_cancelled():
    async def day() -> list[str]:
        turns, told = FairQueue(), list[str]()
        go = asyncio.Event()

        async def work(name: str) -> None:
            told.append(f"{name} begins")
            await go.wait()
            told.append(f"{name} ends")

        def come(who: UUID, name: str) -> asyncio.Task[None]:
            return asyncio.create_task(turns.run(who, lambda: work(name)))

        given_up, never_begun, last = come(ANNA, "1"), come(ANNA, "2"), come(BEN, "3")
        await asyncio.sleep(0.01)
        given_up.cancel()
        never_begun.cancel()
        await asyncio.sleep(0.01)
        assert told == ["1 begins"]
        go.set()
        await last
        assert (given_up.cancelled(), never_begun.cancelled()) == (True, True)
        assert not turns._tasks, "tasks that are done are let go"
        return told

    assert asyncio.run(day()) == ["1 begins", "1 ends", "3 begins", "3 ends"]


async def test_work_that_fails_after_its_caller_left_is_not_reported_as_forgotten():
    turns, forgotten, go = FairQueue(), list[dict[str, Any]](), asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(lambda _, what: forgotten.append(what))

    async def work() -> None:
        await go.wait()
        raise ValueError("no samples")

    given_up = asyncio.create_task(turns.run(ANNA, work))
    never_begun = asyncio.create_task(turns.run(BEN, work))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    given_up.cancel()
    never_begun.cancel()
    go.set()
    await asyncio.wait([given_up, never_begun])
    await asyncio.sleep(0.01)
    gc.collect()
    assert not forgotten


def test_a_timed_out_measurement_continues_and_its_result_is_cached(
    monkeypatch: pytest.MonkeyPatch,
):
    """Six requests that time out one after another leave one computing thread, not six."""
    go, begun = threading.Event(), list[int]()

    def slowly(*_: object) -> dict[UUID, object]:
        begun.append(1)
        go.wait(10)
        return {A_SET.set_id: measure._Measured(cast("Any", "measured"), is_whole=True)}

    async def nothing(*_: object) -> Any:
        return {}

    async def recordings(*args: Any) -> AsyncGenerator[tuple[range, object]]:
        for n in range(len(args[-2])):  # the spans, before their context
            yield range(n, n + 1), object()

    monkeypatch.setattr(measure, "_measured", slowly)
    monkeypatch.setattr(measure, "load_portions", recordings)
    records: Any = SimpleNamespace(sessions=SimpleNamespace(lists=nothing))
    models: Any = SimpleNamespace(by_layout=nothing)
    session: Any = SimpleNamespace(session_id=UUID(int=9), streams={}, complete=True)

    async def day() -> None:
        measurer = Measurer(records, models)

        async def ask() -> object:
            return await measurer.of_sets(ANNA, session, [A_SET])

        for _ in range(6):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(), 0.02)
        assert begun == [1]
        go.set()
        assert await ask() == {A_SET.set_id: "measured"}
        assert begun == [1]

    asyncio.run(day())
