"""Samples, journal and dead letters: one suite over Cassandra and the store in memory."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from schemas.ids import slot, time_us_of
from schemas.layout import CHUNKS_PER_PART
from schemas.times import time_at, us_of
from store.changes import Changes
from store.database import Database
from store.dead_letters import DeadLetter
from store.journal import EventKey
from store.records import Records
from store.samples import PARTS_AT_ONCE, Samples
from tests.cassandra_node import ON_NODE
from tests.store.made_records import NOW, NOW_US, event, new_id, sample
from tests.store.memory import memory_records


def test_chunks_of_the_same_number_are_kept_side_by_side(records: Records, run: Any) -> None:
    user, session = uuid4(), new_id()
    last = CHUNKS_PER_PART
    wanted = [sample(0, 1), sample(0, 2), sample(last), sample(3)]

    async def story() -> None:
        for part in (0, 1):
            await records.samples.register_part(user, session, "acc", part)
        for row in [*wanted, wanted[0]]:
            await records.samples.put(user, session, "acc", row)
        assert await records.samples.parts(user, session) == {"acc": [0, 1]}
        heads = await records.samples.metadata(user, session, "acc", [0, 1])
        assert [(h.seq, h.sha256[0]) for h in heads] == [(0, 1), (0, 2), (3, 0), (last, 0)]
        keys = [(row.seq, row.sha256) for row in wanted]
        assert await records.samples.rows(user, session, "acc", keys) == wanted
        assert await records.samples.rows(user, session, "acc", [(9, b"9" * 32)]) == []
        assert await records.samples.metadata(uuid4(), session, "acc", [0]) == []

    run(story())


async def test_concurrent_part_reads_of_a_long_stream_are_limited() -> None:
    """All responses at once would block the event loop for a second."""
    waiting: list[asyncio.Future[list[object]]] = []

    class Slow:
        """A database that answers when it is told to."""

        async def run(self, *_: object) -> list[object]:
            waiting.append(asyncio.get_running_loop().create_future())
            return await waiting[-1]

    samples = Samples(Slow())
    asked = asyncio.create_task(samples.metadata(uuid4(), new_id(), "acc", range(100)))
    answered = 0
    while not asked.done():
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(waiting) <= answered + PARTS_AT_ONCE
        for one in waiting[answered:]:
            one.set_result([])
        answered = len(waiting)
    assert answered == 100


def test_deleted_session_accepts_no_late_chunk(records: Records, run: Any) -> None:
    user, session = uuid4(), new_id()

    async def story() -> None:
        await records.samples.register_part(user, session, "acc", 0)
        await records.samples.put(user, session, "acc", sample(0))
        await records.samples.delete_session(user, session, time_us_of(session) + 1)
        await records.samples.put(user, session, "acc", sample(1))  # was in flight
        assert await records.samples.metadata(user, session, "acc", [0]) == []

    run(story())


def test_first_event_of_a_slot_wins(records: Records, run: Any) -> None:
    user, entity_id = uuid4(), new_id()

    async def story() -> None:
        first = event(entity_id, 1)
        assert await records.journal.read(user, entity_id, first.event_id) is None
        assert await records.journal.append(user, first, "sets") == first
        late = event(entity_id, 2, received_us=NOW_US + 5000)
        assert await records.journal.append(user, late, "sets") == first
        assert await records.journal.read(user, entity_id, first.event_id) == first
        other = event(entity_id, 3, event_id=slot(entity_id, "other"), received_us=NOW_US - 1000)
        await records.journal.append(user, other, "sets")
        assert await records.journal.events(user, ["2026-11", "2026-10"]) == [other, first]
        heads = await records.journal.keys(user, ["2026-11", "2026-10"], NOW - timedelta(1))
        assert heads == [EventKey(e.event_id, "2026-11", e.received_us) for e in (other, first)]
        for later_us, found in ((1000, heads), (999, heads[1:]), (0, heads[1:]), (-1, [])):
            since = time_at(NOW_US - later_us)
            assert await records.journal.keys(user, ["2026-11"], since) == found
        gone = EventKey(entity_id, "2026-11", NOW_US)
        assert await records.journal.read_many(user, [heads[1], gone]) == [first]
        changed = await records.changes.since(NOW - timedelta(1), NOW + timedelta(seconds=1))
        assert changed[user].keys() == {"sets"}
        assert changed[user]["sets"] == time_at((NOW_US - 1000) // 1000 * 1000)
        assert user not in await records.changes.since(NOW + timedelta(1), NOW + timedelta(2))

    run(story())


def test_changes_since_a_time_are_found_to_the_millisecond_and_the_newest_counts(
    records: Records, run: Any
) -> None:
    user, changes = uuid4(), records.changes
    a_ms, a_us = timedelta(milliseconds=1), timedelta(microseconds=1)

    async def story() -> None:
        for days in (0, 1):  # a row in each day
            await changes.announce(user, "sets", us_of(NOW + timedelta(days)))
            await changes.announce(user, "plans", us_of(NOW))
        until = NOW + timedelta(1)
        found = (await changes.since(NOW, until))[user]
        assert found == {"sets": until, "plans": NOW}
        for since in (NOW + a_us, NOW + a_ms, until):
            assert (await changes.since(since, until))[user] == {"sets": until}
        assert user not in await changes.since(until + a_us, until + timedelta(1))

    run(story())


@ON_NODE
def test_changes_earlier_on_the_day_are_not_read(
    database: Database, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep reads the changes of some minutes, each minute: of a day there are 100,000."""
    user, changes, read = uuid4(), Changes(database), list[Any]()
    inner, since = database.run, NOW + timedelta(hours=1)

    async def noted(cql: str, values: Sequence[object] = ()) -> Any:
        rows = await inner(cql, values)
        read.extend(rows)
        return rows

    async def story() -> None:
        for at in (NOW, since):
            await changes.announce(uuid4() if at == NOW else user, "sets", us_of(at))
        monkeypatch.setattr(database, "run", noted)
        assert user in await changes.since(since, since + timedelta(hours=1))
        assert min(row.changed_at for row in read) == since.replace(tzinfo=None)

    run(story())


def test_one_of_several_concurrent_events_wins_a_slot(records: Records, run: Any) -> None:
    user, entity_id = uuid4(), new_id()

    async def story() -> None:
        kept = await asyncio.gather(
            *(records.journal.append(user, event(entity_id, n), "sets") for n in range(8))
        )
        assert len({one.body["n"] for one in kept}) == 1

    run(story())


def test_an_event_is_not_written_where_another_slot_is_taken(records: Records, run: Any) -> None:
    user, entity_id = uuid4(), new_id()
    other = event(entity_id)
    wanted, late = (replace(event(entity_id, n), event_id=slot(entity_id, "end")) for n in (1, 2))

    async def story() -> None:
        unless = (user, wanted, "sets", other.event_id)
        await records.journal.append(user, other, "sets")
        assert await records.journal.append_unless(*unless) == other
        assert await records.journal.read(user, entity_id, wanted.event_id) is None
        free = slot(entity_id, "free")
        for one in (wanted, late):  # a repeat gets the first one
            assert await records.journal.append_unless(user, one, "sets", free) == wanted
        assert await records.journal.append_unless(*unless) == wanted
        filled = replace(other, event_id=free)
        assert await records.journal.append(user, filled, "sets") == filled
        assert await records.journal.events(user, ["2026-11"]) == sorted(
            [other, wanted, filled], key=lambda one: one.event_id
        )
        changed = await records.changes.since(NOW - timedelta(1), NOW + timedelta(seconds=1))
        assert changed[user].keys() == {"sets"}

    run(story())


def test_settled_months_have_the_events_that_they_had(records: Records, run: Any) -> None:
    user, entity_id = uuid4(), new_id()

    async def story() -> None:
        kept = await records.journal.append(user, event(entity_id), "sets")
        await records.journal.settle(user, ["2026-11", "2026-10"])
        assert await records.journal.events(user, ["2026-11", "2026-10"]) == [kept]

    run(story())


def test_dead_letters_are_counted_by_user_and_day(records: Records, run: Any) -> None:
    user, stranger = uuid4(), uuid4()
    letter = DeadLetter(new_id(), user, "chunk", "why", b"payload", NOW)

    async def story() -> None:
        for one in (letter, letter, letter._replace(id=new_id(), user_id=stranger)):
            await records.dead_letters.put(one, NOW)
        assert await records.dead_letters.count(user, NOW.date()) == 1
        assert [letter async for letter in records.dead_letters.of_user(user, NOW)] == [letter]
        assert await records.dead_letters.delete_user(user, NOW) == 1
        assert [letter async for letter in records.dead_letters.of_user(user, NOW)] == []
        assert len([letter async for letter in records.dead_letters.of_user(stranger, NOW)]) == 1

    run(story())


def test_dead_letter_is_kept_for_thirty_days_from_reception_whenever_written(
    records: Records, run: Any
) -> None:
    user = uuid4()
    kept, expired = (
        DeadLetter(new_id(), user, "chunk", "why", b"payload", NOW - timedelta(days))
        for days in (29, 30)
    )

    async def story() -> None:
        for letter in (kept, expired, kept):
            await records.dead_letters.put(letter, NOW)
        assert [letter async for letter in records.dead_letters.of_user(user, NOW)] == [kept]

    run(story())


def test_memory_store_overrides_every_public_method() -> None:
    for repository in (getattr(memory_records(), name) for name in Records.__slots__):
        real = type(repository).__mro__[1]
        public = {name for name, value in vars(real).items() if callable(value)} - {"__init__"}
        own = {name for name in public if not name.startswith("_")}
        assert own <= vars(type(repository)).keys()
