"""Deviations of a session that two writers project at the same time."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from ingest.deviations import MAX_READS
from ingest.projections import project_all
from schemas.config import Limits
from schemas.events import SetConfirmation
from tests.ingest.costs import FreeRecorder
from tests.ingest.gym import BENCH, MONTH, ROW, START, Gym
from tests.ingest.histories import new_id
from tests.store.memory import memory_records


@pytest.fixture
def gym() -> Gym:
    return Gym()


class _Meanwhile:
    """Predictions before whose reads another writer does something, as often as said."""

    def __init__(self, inner: Any, change: Callable[[], Awaitable[None]], times: int) -> None:
        self._inner, self._change, self._left, self.reads = inner, change, times, 0

    async def of_session(self, user_id: UUID, session_id: UUID) -> Any:
        self.reads += 1
        if self._left:
            self._left -= 1
            await self._change()
        return await self._inner.of_session(user_id, session_id)


async def second_set(gym: Gym, meanwhile: Callable[[], Awaitable[None]], times: int) -> int:
    """Do a set; its writer has read the sets each time another one changes them; how many reads."""
    slow = _Meanwhile(gym.records.predictions, meanwhile, times)
    recorder = FreeRecorder(replace(gym.records, predictions=slow), Limits(), gym.clock)
    said = SetConfirmation(
        exercise="bench press",
        started_at=START + timedelta(minutes=5),
        ended_at=START + timedelta(minutes=6),
        reps=6,
    )
    await recorder.confirm_set(gym.user, gym.session, new_id(), said)
    return slow.reads


async def of_replay(gym: Gym) -> list[Any]:
    """A session's rows after a replay."""
    events, anew = await gym.records.journal.events(gym.user, [MONTH]), memory_records()
    for event in events:
        await anew.journal.append(gym.user, event, "sets")
    await project_all(anew, gym.user, events, 0)
    return await gym.rows(anew)


@pytest.mark.parametrize(
    ("meanwhile", "sets"), [("confirmed", 3), ("deleted", 1), ("planned", 2), ("nothing", 2)]
)
async def test_rows_of_another_writer_who_has_read_more_stay(
    gym: Gym, meanwhile: str, sets: int
) -> None:
    """The other one writes after the first has read the sets, and before it writes."""

    async def change() -> None:
        match meanwhile:
            case "confirmed":
                await gym.do("other", 10, "row", 10)
            case "deleted":
                await gym.recorder.delete_set(gym.user, gym.session, gym.sets["first"][0])
            case "planned":
                await gym.keep(BENCH, ROW)

    if meanwhile != "planned":
        await gym.keep(BENCH, ROW)
    await gym.open()
    await gym.do("first", 1, "bench press", 8)
    assert await second_set(gym, change, 1) == (1 if meanwhile == "nothing" else 2)
    assert await gym.rows() == await of_replay(gym)
    assert sum(row.set_id is not None for row in await gym.rows()) == sets


@pytest.mark.parametrize("times", [MAX_READS - 1, MAX_READS, 99])
async def test_rows_that_others_write_again_and_again_are_left_to_them(
    gym: Gym, times: int
) -> None:
    await gym.keep(BENCH, ROW)
    await gym.open()
    minutes = iter(range(10, 200))

    async def change() -> None:
        minute = next(minutes)
        await gym.do(f"at {minute}", minute, "row", 10)

    assert await second_set(gym, change, times) == MAX_READS
    assert await gym.rows() == await of_replay(gym)


async def test_a_deletion_that_is_dated_later_leaves_rows_of_sets_that_it_has_not_read(
    gym: Gym,
) -> None:
    """What it has read is older than the other set, which is older than the deletion."""
    await gym.keep(BENCH, ROW)
    await gym.open()
    await gym.do("first", 1, "bench press", 8)
    gym.now += timedelta(seconds=10)

    async def change() -> None:
        gym.now -= timedelta(seconds=5)
        await gym.do("other", 10, "row", 10)
        gym.now += timedelta(seconds=5)

    slow = _Meanwhile(gym.records.predictions, change, 1)
    recorder = FreeRecorder(replace(gym.records, predictions=slow), Limits(), gym.clock)
    await recorder.delete_set(gym.user, gym.session, gym.sets["first"][0])
    assert slow.reads == 2
    assert await gym.rows() == await of_replay(gym)
    assert [row.set_id for row in await gym.rows()] == [None, gym.sets["other"][0]]
