"""One suite over every store of recording: Cassandra, and the small one in memory."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from ingest.decisions import FINAL_US
from schemas.config import Limits
from schemas.ids import slot, time_us_of, uuid7
from schemas.layout import CHUNKS_PER_PART, LABELLED_S
from schemas.times import at_us, us_of
from store.dead_letters import DeadLetter
from store.journal import Event, EventHead
from store.memory import memory_records
from store.predictions import Prediction
from store.records import Records, records_in
from store.samples import PARTS_AT_ONCE, SampleRow, Samples
from store.sets import LabelledSet, SetRow
from tests.cassandra_node import ON_NODE

NOW = datetime(2026, 11, 21, 10, 0, 0, 123_000, tzinfo=UTC)
NOW_US = us_of(NOW)
STREAM = {"kind": "acc", "unit": "g", "device": "d", "placement": "wrist", "side": None}


@pytest.fixture(params=["memory", pytest.param("cassandra", marks=ON_NODE)])
def records(request: pytest.FixtureRequest) -> Records:
    if request.param == "memory":
        return memory_records()
    return records_in(request.getfixturevalue("database"), Limits())


@pytest.fixture
def run() -> Iterator[Callable[[Any], Any]]:
    with asyncio.Runner() as runner:
        yield runner.run


def new_id() -> UUID:
    return uuid7(int(NOW.timestamp() * 1000), uuid4().bytes[6:])


def sample(seq: int, content: int = 0) -> SampleRow:
    sha256 = bytes([content]) * 32
    return SampleRow(seq, sha256, 5, 50.0, 7, "g", 0.5, 1, b"xyz", b"", bytes([content]), NOW_US)


def event(about: UUID, content: int = 0, **changes: Any) -> Event:
    made = Event(slot(about, "q"), about, "k", {"n": content, "t": None}, NOW_US, {"m": 1})
    return replace(made, **changes)


def set_row(**changes: Any) -> SetRow:
    end = NOW + timedelta(seconds=30)
    row = SetRow(new_id(), new_id(), "curl", NOW, end, 10, None, 0.5, "typed", NOW_US)
    return row._replace(**changes)


def labelled(row: SetRow, model_id: str = "wrist-acc6", samples: bytes = b"s") -> LabelledSet:
    times = row.exercise, row.started_at, row.ended_at, row.reps, row.weight_kg, row.intensity
    return LabelledSet(
        model_id, row.set_id, row.session_id, *times, row.label_source, row.revision, samples
    )


def test_chunks_are_kept_beside_each_other_and_come_back(records: Records, run: Any) -> None:
    user, session = uuid4(), new_id()
    last = CHUNKS_PER_PART
    wanted = [sample(0, 1), sample(0, 2), sample(last), sample(3)]

    async def story() -> None:
        for part in (0, 1):
            await records.samples.register_part(user, session, "acc", part)
        for row in [*wanted, wanted[0]]:
            await records.samples.put(user, session, "acc", row)
        assert await records.samples.parts(user, session) == {"acc": [0, 1]}
        heads = await records.samples.heads(user, session, "acc", [0, 1])
        assert [(h.seq, h.sha256[0]) for h in heads] == [(0, 1), (0, 2), (3, 0), (last, 0)]
        keys = [(row.seq, row.sha256) for row in wanted]
        assert await records.samples.rows(user, session, "acc", keys) == wanted
        assert await records.samples.rows(user, session, "acc", [(9, b"9" * 32)]) == []
        assert await records.samples.heads(uuid4(), session, "acc", [0]) == []

    run(story())


def test_of_a_long_stream_only_so_many_parts_are_asked_for_at_once() -> None:
    """Their answers would stop the loop of a service for a second."""
    waiting: list[asyncio.Future[list[object]]] = []

    class Slow:
        """A database that answers when it is told to."""

        async def run(self, *_: object) -> list[object]:
            waiting.append(asyncio.get_running_loop().create_future())
            return await waiting[-1]

    async def story() -> None:
        samples = Samples(Slow())  # pyright: ignore[reportArgumentType]
        asked = asyncio.create_task(samples.heads(uuid4(), new_id(), "acc", range(100)))
        answered = 0
        while not asked.done():
            for _ in range(5):
                await asyncio.sleep(0)
            assert len(waiting) <= answered + PARTS_AT_ONCE
            for one in waiting[answered:]:
                one.set_result([])
            answered = len(waiting)
        assert answered == 100

    asyncio.run(story())


def test_a_deleted_session_takes_no_late_chunk(records: Records, run: Any) -> None:
    user, session = uuid4(), new_id()

    async def story() -> None:
        await records.samples.register_part(user, session, "acc", 0)
        await records.samples.put(user, session, "acc", sample(0))
        await records.samples.delete_session(user, session, time_us_of(session) + 1)
        await records.samples.put(user, session, "acc", sample(1))  # was under way
        assert await records.samples.heads(user, session, "acc", [0]) == []

    run(story())


def test_the_first_event_in_a_slot_stays(records: Records, run: Any) -> None:
    user, about = uuid4(), new_id()

    async def story() -> None:
        first = event(about, 1)
        assert await records.journal.read(user, about, first.event_id) is None
        assert await records.journal.append(user, first, "sets") == first
        late = event(about, 2, received_us=NOW_US + 5000)
        assert await records.journal.append(user, late, "sets") == first
        assert await records.journal.read(user, about, first.event_id) == first
        other = event(about, 3, event_id=slot(about, "other"), received_us=NOW_US - 1000)
        await records.journal.append(user, other, "sets")
        assert await records.journal.events(user, ["2026-11", "2026-10"]) == [other, first]
        heads = await records.journal.heads(user, ["2026-11", "2026-10"])
        assert heads == [EventHead(e.event_id, "2026-11", e.received_us) for e in (other, first)]
        gone = EventHead(about, "2026-11", NOW_US)
        assert await records.journal.of_heads(user, [heads[1], gone]) == [first]
        changed = await records.journal.changed(NOW - timedelta(1), NOW + timedelta(seconds=1))
        assert changed[user].keys() == {"sets"}
        assert changed[user]["sets"] == at_us((NOW_US - 1000) // 1000 * 1000)
        assert user not in await records.journal.changed(NOW + timedelta(1), NOW + timedelta(2))
        await records.journal.delete_months(user, ["2026-11"])
        assert await records.journal.events(user, ["2026-11"]) == []

    run(story())


def test_of_many_who_race_for_a_slot_one_wins(records: Records, run: Any) -> None:
    user, about = uuid4(), new_id()

    async def story() -> None:
        kept = await asyncio.gather(
            *(records.journal.append(user, event(about, n), "sets") for n in range(8))
        )
        assert len({one.body["n"] for one in kept}) == 1

    run(story())


def test_projections_of_a_session_converge_in_any_order(records: Records, run: Any) -> None:
    user, session = uuid4(), new_id()
    put = records.sessions

    async def story() -> None:
        await put.declare(user, session, "acc", STREAM, NOW_US)
        assert await put.read(user, session) is None  # not opened yet
        await put.open(user, session, NOW, "UTC", None, NOW_US)
        await put.open(user, session, NOW - timedelta(1), "Asia/Tokyo", None, NOW_US - 1)
        await put.offset(user, session, "acc", -7, NOW_US)
        await put.close(user, session, NOW, NOW_US + 1, complete=True)
        await put.close(user, session, None, NOW_US + 1, complete=False)  # saw less: loses
        row = await put.read(user, session)
        assert row is not None
        assert (row.started_at, row.timezone, row.ended_at) == (NOW, "UTC", NOW)
        assert (row.streams, row.clock_offset_ms, row.complete) == (
            {"acc": STREAM},
            {"acc": -7},
            True,
        )
        await put.put_list(user, session, "acc", [b"b" * 32, b""], NOW_US + 1)
        await put.put_list(user, session, "acc", [b"b" * 32], NOW_US)
        lists = await put.lists(user, session)
        assert lists == {"acc": ((b"b" * 32, b""), NOW_US + 1)}
        await put.delete(user, session, NOW_US + 10)
        await put.open(user, session, NOW, "UTC", None, NOW_US + 5)
        assert await put.read(user, session) is None
        assert await put.lists(user, session) == {}

    run(story())


def test_sessions_come_newest_first_page_by_page(records: Records, run: Any) -> None:
    user = uuid4()
    ids = [uuid7(1_700_000_000_000 + n * 1000, bytes(10)) for n in range(5)]

    async def story() -> None:
        for one in ids:
            await records.sessions.open(user, one, NOW, "UTC", None, NOW_US)
        first = await records.sessions.page(user, None, 2)
        rest = await records.sessions.page(user, first[-1].session_id, 9)
        assert [row.session_id for row in [*first, *rest]] == ids[::-1]

    run(story())


def test_a_row_that_is_no_session_yet_does_not_end_a_page_early(records: Records, run: Any) -> None:
    user = uuid4()
    ids = [uuid7(1_700_000_000_000 + n * 1000, bytes(10)) for n in range(6)]

    async def story() -> None:
        for n, one in enumerate(ids):
            if n % 3:  # of a third only a later step is written so far
                await records.sessions.open(user, one, NOW, "UTC", None, NOW_US)
            else:
                await records.sessions.close(user, one, NOW, NOW_US, complete=True)
        opened = [one for n, one in enumerate(ids) if n % 3][::-1]
        for limit in (1, 2, 3, 9):
            page = await records.sessions.page(user, None, limit)
            assert [row.session_id for row in page] == opened[:limit]

    run(story())


def test_sets_follow_their_newest_event(records: Records, run: Any) -> None:
    user, row = uuid4(), set_row()
    newer = row._replace(exercise="press", reps=None, weight_kg=60.0, revision=NOW_US + 1000)

    async def story() -> None:
        for one in (newer, row):
            await records.sets.put(user, one)
        assert await records.sets.read(user, row.session_id, row.set_id) == newer
        other = set_row(session_id=row.session_id, started_at=NOW - timedelta(seconds=60))
        await records.sets.put(user, other)
        assert await records.sets.of_session(user, row.session_id) == [other, newer]
        wanted = [row.set_id, uuid4()]
        assert await records.sets.some(user, row.session_id, wanted) == [newer]
        assert await records.sets.some(user, row.session_id, []) == []
        assert await records.sets.count(user, row.session_id) == 2
        elsewhere = set_row()
        await records.sets.put(user, elsewhere)
        assert {s.set_id for s in await records.sets.of_user(user)} == {
            row.set_id,
            other.set_id,
            elsewhere.set_id,
        }
        await records.sets.delete(user, row.session_id, row.set_id, NOW_US + 9000)
        await records.sets.put(user, newer)
        assert await records.sets.read(user, row.session_id, row.set_id) is None
        await records.sets.delete_session(user, row.session_id, NOW_US + 9000)
        assert await records.sets.of_user(user) == [elsewhere]

    run(story())


def test_labelled_sets_are_read_by_layout(records: Records, run: Any) -> None:
    user, row = uuid4(), set_row()

    async def story() -> None:
        await records.sets.put_labelled(user, labelled(row, samples=b"first"), LABELLED_S)
        newer = labelled(row._replace(revision=NOW_US + 1000), samples=b"a second, longer one")
        for one in (newer, labelled(row, samples=b"first")):
            await records.sets.put_labelled(user, one, LABELLED_S)
        assert await records.sets.labelled(user, "wrist-acc6") == [newer]
        assert await records.sets.labelled(user, "wrist-acc3") == []
        heads = await records.sets.labelled_heads(user)
        assert heads == [("wrist-acc6", row.set_id, row.session_id, NOW_US + 1000)]
        await records.sets.delete_labelled(user, "wrist-acc6", row.set_id, NOW_US)
        assert len(await records.sets.labelled_heads(user)) == 1  # an older deletion
        await records.sets.delete_session(user, row.session_id, NOW_US + 5000)
        assert await records.sets.labelled_heads(user) == []

    run(story())


def test_what_was_answered_for_a_deleted_session_does_not_come_back(
    records: Records, run: Any
) -> None:
    user, session = uuid4(), new_id()
    at = datetime.now(UTC).replace(microsecond=0)
    found = Prediction(
        *(user, session, uuid4(), NOW, NOW + timedelta(seconds=30), "row", 0.9),
        abstained=False,
        reason=None,
        reps=8,
        family="exercise",
        level="user",
        version="v",
        predicted_at=at,
    )

    async def story() -> None:
        for _ in range(2):
            await records.predictions.replace(user, session, [found])
            assert await records.predictions.of_session(user, session) == [found]
            await records.predictions.delete(user, session)
            assert await records.predictions.of_session(user, session) == []
        await records.predictions.delete(user, session, us_of(at) + FINAL_US)
        await records.predictions.replace(user, session, [found])
        assert await records.predictions.of_session(user, session) == []

    run(story())


def test_dead_letters_are_counted_by_user_and_day(records: Records, run: Any) -> None:
    user, stranger = uuid4(), uuid4()
    letter = DeadLetter(new_id(), user, "chunk", "why", b"payload", NOW)

    async def story() -> None:
        for one in (letter, letter, letter._replace(id=new_id(), user_id=stranger)):
            await records.dead_letters.put(one)
        assert await records.dead_letters.count(user, NOW.date()) == 1
        assert await records.dead_letters.of_user(user, NOW) == [letter]
        assert await records.dead_letters.delete_user(user, NOW) == 1
        assert await records.dead_letters.of_user(user, NOW) == []
        assert len(await records.dead_letters.of_user(stranger, NOW)) == 1

    run(story())


def test_the_store_in_memory_replaces_every_method() -> None:
    for repository in (getattr(memory_records(), name) for name in Records.__slots__):
        real = type(repository).__mro__[1]
        public = {name for name, value in vars(real).items() if callable(value)} - {"__init__"}
        own = {name for name in public if not name.startswith("_")}
        assert own <= vars(type(repository)).keys()
