"""Work on many items at once: how many tasks there are, and what an error ends."""

import asyncio
from collections.abc import Iterator

import pytest

from store.concurrency import map_concurrently

LIMIT = 3


def test_as_many_tasks_exist_as_calls_are_in_flight() -> None:
    """A job over everybody has 200,000 items."""
    read: list[int] = []
    tasks: list[int] = []
    others = 1  # the test's own

    def items() -> Iterator[int]:
        for number in range(20):
            read.append(number)
            yield number

    async def work(number: int) -> int:
        tasks.append(len(asyncio.all_tasks()) - others)
        assert len(read) <= number + LIMIT
        await asyncio.sleep(0.001 * (20 - number))
        return -number

    found = asyncio.run(map_concurrently(work, items(), LIMIT))
    assert found == [-number for number in range(20)], "in the order of the items"
    assert max(tasks) == LIMIT


def test_fewer_items_than_the_limit_and_none() -> None:
    async def work(number: int) -> int:
        return number

    assert asyncio.run(map_concurrently(work, [1], LIMIT)) == [1]
    assert asyncio.run(map_concurrently(work, [], LIMIT)) == []


async def test_first_error_ends_the_calls_in_flight_and_no_others_begin() -> None:
    others = asyncio.all_tasks()
    begun: list[int] = []
    ended: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        await asyncio.sleep(0)
        if number == 1:
            raise ValueError(f"number {number}")
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    with pytest.raises(ValueError, match="number 1"):
        await map_concurrently(work, range(20), LIMIT)
    assert (begun, sorted(ended)) == ([0, 1, 2], [0, 2])
    assert asyncio.all_tasks() == others


async def test_cancelled_caller_ends_the_calls_in_flight() -> None:
    ended: list[int] = []

    async def work(number: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(number)

    caller = asyncio.create_task(map_concurrently(work, range(20), LIMIT))
    await asyncio.sleep(0.01)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert sorted(ended) == [0, 1, 2]
