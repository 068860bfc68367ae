"""The TTL cache: lifetime, concurrent loads, and results that arrive late."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ingest.ttl_cache import TtlCache
from tests.waiting import settled

TTL_S = 2.0


class Oracle:
    """A slow source: each load finishes when the test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.asked: list[asyncio.Future[str]] = []
        self.remembered: TtlCache[str, str] = TtlCache(TTL_S, 2, lambda: self.now_s)

    async def find(self) -> str:
        self.asked.append(asyncio.get_running_loop().create_future())
        return await self.asked[-1]

    def wants(self, key: str = "key") -> "asyncio.Task[str]":
        return asyncio.create_task(self.remembered.fresh(key, self.find))

    async def learns(self, value: str, key: str = "key") -> None:
        task = self.wants(key)
        await settled()
        self.asked[-1].set_result(value)
        assert await task == value


def told(story: Callable[[Oracle], Awaitable[None]]) -> None:
    async def run() -> None:
        await story(Oracle())

    asyncio.run(run())


def test_concurrent_loads_of_a_key_are_coalesced():
    async def story(oracle: Oracle) -> None:
        tasks = [oracle.wants() for _ in range(5)]
        await settled()
        assert len(oracle.asked) == 1
        tasks[0].cancel()  # a cancelled caller does not stop the load
        oracle.asked[0].set_result("a")
        assert await asyncio.gather(*tasks[1:]) == ["a"] * 4
        assert oracle.remembered.get("key") == "a"

    told(story)


def test_value_past_half_its_ttl_is_refreshed_in_the_background():
    async def story(oracle: Oracle) -> None:
        await oracle.learns("old")
        oracle.now_s += TTL_S / 2
        assert await oracle.wants() == "old"
        await settled()
        assert len(oracle.asked) == 1  # at exactly half it is fresh enough
        oracle.now_s += 0.1
        assert [await oracle.wants(), await oracle.wants()] == ["old", "old"]
        assert len(oracle.asked) == 2
        oracle.asked[1].set_result("new")
        await settled()
        assert await oracle.wants() == "new"

    told(story)


def test_ttl_starts_when_the_load_starts():
    async def story(oracle: Oracle) -> None:
        task = oracle.wants()
        await settled()
        oracle.now_s += TTL_S - 0.1  # the duration of the load
        oracle.asked[0].set_result("a")
        assert await task == "a"
        assert oracle.remembered.get("key") == "a"
        oracle.now_s = 100.0 + TTL_S
        assert oracle.remembered.get("key") is None, "at exactly its TTL it has expired"
        assert oracle.remembered.last("key") == "a"
        await oracle.learns("b")

    told(story)


def test_load_error_is_raised_to_the_caller_and_not_cached():
    async def story(oracle: Oracle) -> None:
        task = oracle.wants()
        await settled()
        oracle.asked[0].set_exception(LookupError())
        with pytest.raises(LookupError):
            await task
        await oracle.learns("a")

    told(story)


def test_background_refresh_error_keeps_the_value_until_its_ttl():
    async def story(oracle: Oracle) -> None:
        await oracle.learns("a")
        oracle.now_s += TTL_S * 0.75
        assert await oracle.wants() == "a"
        await settled()
        oracle.asked[1].set_exception(LookupError())
        await settled()
        assert oracle.remembered.get("key") == "a"
        oracle.now_s += TTL_S
        await oracle.learns("b")

    told(story)


@pytest.mark.parametrize("kind", ["forget", "forget_where"])
def test_load_started_before_forgetting_is_discarded(kind: str):
    async def story(oracle: Oracle) -> None:
        await oracle.learns("before")
        oracle.now_s += TTL_S * 0.75
        assert await oracle.wants() == "before"
        await settled()  # a refresh is in flight
        if kind == "forget":
            oracle.remembered.forget("key")
        else:
            oracle.remembered.forget_where(lambda _, value: value == "before")
        oracle.asked[1].set_result("before")
        await settled()
        assert oracle.remembered.get("key") is None
        await oracle.learns("after")

    told(story)


def test_oldest_entry_is_evicted_beyond_the_capacity():
    async def story(oracle: Oracle) -> None:
        for key in "abc":
            await oracle.learns(key, key)
        assert [oracle.remembered.last(key) for key in "abc"] == [None, "b", "c"]

    told(story)


def test_a_refreshed_entry_is_the_newest_one():
    async def story(oracle: Oracle) -> None:
        await oracle.learns("a", "a")
        await oracle.learns("b", "b")
        oracle.now_s += TTL_S
        await oracle.learns("a again", "a")
        await oracle.learns("c", "c")
        assert [oracle.remembered.last(key) for key in "abc"] == ["a again", None, "c"]

    told(story)


def test_forgetting_by_value_keeps_all_others():
    async def story(oracle: Oracle) -> None:
        await oracle.learns("1", "a")
        await oracle.learns("2", "b")
        oracle.remembered.forget_where(lambda key, value: (key, value) == ("a", "1"))
        assert [oracle.remembered.get(key) for key in "ab"] == [None, "2"]

    told(story)
