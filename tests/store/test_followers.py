"""Whoever followed an erased user follows him no more, and the search takes many short requests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest

from store import followers, token_ranges
from store.database import Database
from store.followers import end_follows
from store.follows import Follows
from store.token_ranges import RANGES, RANGES_AT_ONCE
from tests.cassandra_node import ON_NODE

NOW = datetime.now(UTC)


@pytest.mark.parametrize("count", [1, 3, RANGES])
def test_ranges_of_tokens_leave_no_gap(count: int) -> None:
    ranges = token_ranges.token_ranges(count)
    assert len(ranges) == count
    assert [after for after, _ in ranges[1:]] == [until for _, until in ranges[:-1]]
    assert (ranges[0][0], ranges[-1][1]) == (-(2**63), 2**63 - 1)


@ON_NODE
@pytest.mark.parametrize("by_node", [0, 64])
async def test_all_follows_of_the_erased_end_for_good(
    database: Database, monkeypatch: pytest.MonkeyPatch, by_node: int
) -> None:
    """Filtered by the node or here; a follow in flight, written later, does not count."""
    monkeypatch.setattr(followers, "FILTERED_BY_NODE", by_node)
    monkeypatch.setattr(followers, "PAGE_ROWS", 2)
    monkeypatch.setattr(token_ranges, "RANGES", 7)
    followed, quiet, kept = (uuid4() for _ in range(3))
    people, follows = [uuid4() for _ in range(40)], Follows(database)
    for person in people:
        await follows.put(person, followed, NOW)
        await follows.put(person, kept, NOW)
    ended = await end_follows(database, [followed, quiet], NOW)
    assert ended == {followed: len(people)}
    await follows.put(people[0], followed, NOW)  # in flight
    left = [follow.followee for one in people for follow in await follows.of_user(one)]
    assert left == [kept] * len(people)
    assert await end_follows(database, [followed, quiet], NOW) == {}
    await end_follows(database, [kept], NOW)  # no other test shall meet these rows


class _Follow(NamedTuple):
    """A row of `follows`."""

    user_id: UUID
    followee: UUID


class _Slow:
    """A database in which every request takes a while; counts those under way."""

    def __init__(self, page: Sequence[Any]) -> None:
        self.requests, self.writes = list[tuple[str, Sequence[object]]](), 0
        self.under_way, self.at_most, self._page = 0, 0, page

    async def pages(self, cql: str, values: Sequence[object], **_: object) -> AsyncIterator[Any]:
        self.requests.append((cql, values))
        self.under_way += 1
        self.at_most = max(self.at_most, self.under_way)
        await asyncio.sleep(0.0001)
        self.under_way -= 1
        yield self._page

    async def run_all(self, statements: Sequence[object]) -> None:
        self.writes += len(statements)


def test_no_request_reads_all_follows() -> None:
    """Somebody with few followers never fills a page: such a request would read to the end."""
    erased = uuid4()
    slow = _Slow([_Follow(uuid4(), erased), _Follow(uuid4(), uuid4())])
    ended = asyncio.run(end_follows(slow, [erased], NOW))  # pyrefly: ignore[bad-argument-type]
    assert ended[erased] == slow.writes == len(slow.requests) == RANGES
    assert all("token(user_id) > ? AND token(user_id) <= ?" in cql for cql, _ in slow.requests)
    assert slow.at_most == RANGES_AT_ONCE
