"""Batched writes: each is sent once, in order, and each gets its own result."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.write_batching import WriteBatcher
from tests.waiting import settled


class Away(Exception):
    """The error of an unavailable database."""


class Slow:
    """A database that answers when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self._answers: list[asyncio.Future[None]] = []

    async def send(self, writes: Sequence[int]) -> None:
        self.batches.append(list(writes))
        self._answers.append(asyncio.get_running_loop().create_future())
        await self._answers[-1]

    def answer(self, batch: int, problem: Exception | None = None) -> None:
        if problem:
            self._answers[batch].set_exception(problem)
        else:
            self._answers[batch].set_result(None)


async def test_single_write_is_sent_at_once():
    slow = Slow()
    gathering = WriteBatcher[int](slow.send)
    asked = asyncio.create_task(gathering.put(1, 10))
    await settled()
    assert slow.batches == [[1]]
    assert not asked.done()
    slow.answer(0)
    await asked


async def test_writes_of_one_loop_iteration_are_batched_within_the_limits():
    slow = Slow()
    gathering = WriteBatcher[int](slow.send, max_writes=3, max_bytes=100)
    sizes = [10, 10, 10, 60, 40, 50, 51, 500, 10]
    asked = [asyncio.create_task(gathering.put(i, size)) for i, size in enumerate(sizes)]
    await settled()
    # 60 + 40 are max_bytes, 50 + 51 and 500 exceed them
    assert slow.batches == [[0, 1, 2], [3, 4], [5], [6], [7], [8]]
    for batch in range(len(slow.batches)):
        slow.answer(batch)
    await asyncio.gather(*asked)


async def test_writes_accumulate_while_max_in_flight_is_reached():
    slow = Slow()
    gathering = WriteBatcher[int](slow.send, max_in_flight=1)
    asked = [asyncio.create_task(gathering.put(0, 1))]
    await settled()
    for i in (1, 2, 3):
        asked.append(asyncio.create_task(gathering.put(i, 1)))
        await settled()
    assert slow.batches == [[0]]
    slow.answer(0)
    await settled()
    assert slow.batches == [[0], [1, 2, 3]]
    slow.answer(1)
    await asyncio.gather(*asked)


async def test_batch_error_is_raised_to_all_of_its_writers_and_no_others():
    slow = Slow()
    gathering = WriteBatcher[int](slow.send, max_writes=2)
    asked = [asyncio.create_task(gathering.put(i, 1)) for i in range(3)]
    await settled()
    slow.answer(0, Away())
    slow.answer(1)
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(result) for result in results] == [Away, Away, type(None)]
    after = asyncio.create_task(gathering.put(7, 1))
    await settled()
    assert slow.batches[-1] == [7]
    slow.answer(2)
    await after


async def test_cancelled_writer_does_not_affect_the_others():
    slow = Slow()
    gathering = WriteBatcher[int](slow.send)
    asked = [asyncio.create_task(gathering.put(i, 1)) for i in range(2)]
    await settled()
    asked[0].cancel()
    await settled()
    slow.answer(0)
    await asked[1]
    with pytest.raises(asyncio.CancelledError):
        await asked[0]


@given(
    st.lists(st.integers(1, 60), max_size=40),
    st.integers(1, 5),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_every_write_is_sent_once_and_answered_in_any_completion_order(
    sizes: list[int], max_writes: int, max_in_flight: int, random: Random
):
    async def run() -> None:
        slow = Slow()
        gathering = WriteBatcher[int](
            slow.send, max_writes=max_writes, max_bytes=100, max_in_flight=max_in_flight
        )
        asked = [asyncio.create_task(gathering.put(i, size)) for i, size in enumerate(sizes)]
        answered: set[int] = set()
        while len(answered) < len(slow.batches) or not all(put.done() for put in asked):
            await settled()
            open_ones = [i for i in range(len(slow.batches)) if i not in answered]
            assert len(open_ones) <= max_in_flight
            if open_ones:
                batch = random.choice(open_ones)
                slow.answer(batch)
                answered.add(batch)
        sent = [write for batch in slow.batches for write in batch]
        assert sent == list(range(len(sizes)))
        for batch in slow.batches:
            assert len(batch) <= max_writes
            assert len(batch) == 1 or sum(sizes[i] for i in batch) <= 100

    asyncio.run(run())
