"""Reads of `complete`: a day has 675 parts of each stream, and each costs a read."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from schemas.events import Completion
from store.dead_letters import DeadLetter, LetterKey
from tests.ingest.histories import SHA, START
from tests.ingest.recorded_session import NOW, RecordedSession, both_sensors, replay
from tests.store.memory import MemoryDeadLetters


class Counting:
    """Chunks of a session that count the metadata reads of each stream."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.asked = inner, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def metadata(self, user: Any, session: Any, stream: str, parts: Any) -> Any:
        self.asked[stream] += 1
        return await self._inner.metadata(user, session, stream, parts)


async def complete(one: RecordedSession, *numbers: int) -> Any:
    """Complete both streams with these numbers; returns the reads and the session."""
    counting = Counting(one.records.samples)
    recorder = one.on(replace(one.records, samples=counting))
    listed: list[str | None] = [SHA[seq, 0] for seq in numbers]
    row = await recorder.complete(
        one.user, one.session, Completion(streams={"acc": listed, "gyro": listed})
    )
    return counting.asked, row


async def test_complete_reads_the_metadata_of_each_stream_once() -> None:
    one = await both_sensors()
    for numbers in ((0,), (0,), (0, 1)):  # a list, the same again, a longer one
        asked, row = await complete(one, *numbers)
        assert asked == {"acc": 1, "gyro": 1}
        seconds = row.ended_at - row.started_at
        assert seconds == timedelta(seconds=len(numbers))


async def test_unlisted_chunks_of_every_stream_become_dead_letters() -> None:
    one = await both_sensors()
    await complete(one, 0)
    letters = [letter async for letter in one.records.dead_letters.of_user(one.user, NOW)]
    streams = {letter.reason.split("'")[1] for letter in letters}
    assert (len(letters), streams) == (2, {"acc", "gyro"})
    reasons = {letter.reason.rpartition(": ")[2] for letter in letters}
    assert reasons == {"the list names no such number"}  # the number after its last


def test_longer_list_takes_the_letters_of_the_chunks_that_it_names_back() -> None:
    async def story() -> None:
        one = await both_sensors()
        await one.put(1, variant=1)

        async def left() -> list[tuple[str, str]]:
            letters = [letter async for letter in one.records.dead_letters.of_user(one.user, NOW)]
            return sorted((letter.reason.split("'")[1], letter.kind) for letter in letters)

        await complete(one, 0)
        assert await left() == [("acc", "chunk"), ("acc", "chunk"), ("gyro", "chunk")]
        one.now += timedelta(days=2)
        longer = Completion(streams={"acc": [SHA[0, 0], SHA[1, 0]]})
        await one.recorder.complete(one.user, one.session, longer)
        assert await left() == [("acc", "chunk"), ("gyro", "chunk")], "another body; not listed"

    asyncio.run(story())


async def letters_of(one: RecordedSession) -> list[DeadLetter]:
    return [letter async for letter in one.records.dead_letters.of_user(one.user, NOW)]


async def test_longer_list_makes_room_for_the_letters_of_what_it_does_not_name() -> None:
    one = await both_sensors()
    one.records.dead_letters.per_day = 1
    await one.complete(0)
    await one.put(2)
    assert len(await letters_of(one)) == 1, "number 1"
    await one.complete(0, 1)
    (left,) = await letters_of(one)
    assert "chunk 2 of" in left.reason


@pytest.mark.parametrize(
    ("listed_days", "asked_days", "days"),
    [
        (0, 0, 3),  # from a day before the session's id, whose clock may be ahead, to the day after
        (0, 20, 3),  # a replay: no chunk that the list names came after the list
        (3, 20, 6),
        (0, 31, 0),  # all letters have expired
    ],
)
async def test_letters_are_looked_for_on_the_days_on_which_listed_chunks_came(
    listed_days: int, asked_days: int, days: int
) -> None:
    one = await both_sensors()
    await complete(one, 0)
    one.now += timedelta(days=listed_days)
    await complete(one, 0, 1)
    scanned: list[tuple[date, date]] = []

    class Watched(MemoryDeadLetters):
        async def about(self, *args: Any, **days: date) -> list[LetterKey]:
            scanned.append((days["since"], days["until"]))
            return await super().about(*args, **days)

    records = replace(one.records, dead_letters=Watched(1000))
    await replay(records, one.user, START, one.now + timedelta(days=asked_days))
    assert len(scanned) == min(days, 1), "once for both streams"
    assert [(until - since).days + 1 for since, until in scanned] == [days] * len(scanned)
