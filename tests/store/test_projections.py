"""Sessions, sets and predictions: the same in memory and in Cassandra, in any order."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from ingest.event_writer import TOMBSTONE_AHEAD_US
from schemas.config import Limits
from schemas.errors import BadSets
from schemas.ids import uuid7
from schemas.retention import LABELLED_TTL_S
from schemas.times import us_of
from store.database import Database
from store.labelled_sets import StoredWindows
from store.records import Records, records_in
from store.sets import IDS_PER_QUERY
from tests.cassandra_node import ON_NODE
from tests.store.made_records import NOW, NOW_US, STREAM, labelled, new_id, prediction, set_row


def test_projections_of_a_session_converge_in_any_order(records: Records, run: Any) -> None:
    user, session = uuid4(), new_id()
    put = records.sessions

    async def story() -> None:
        await put.declare(user, session, "acc", STREAM, NOW_US)
        assert await put.read(user, session) is None  # not opened yet
        await put.open(user, session, NOW, "UTC", None, NOW_US)
        await put.open(user, session, NOW - timedelta(1), "Asia/Tokyo", None, NOW_US - 1)
        await put.put_offset(user, session, "acc", -7, NOW_US)
        await put.close(user, session, NOW, NOW_US + 1, complete=True)
        await put.close(user, session, None, NOW_US + 1, complete=False)  # an incomplete one loses
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


def test_sessions_are_paged_newest_first(records: Records, run: Any) -> None:
    user = uuid4()
    ids = [uuid7(1_700_000_000_000 + n * 1000, bytes(10)) for n in range(5)]

    async def story() -> None:
        for id_ in ids:
            await records.sessions.open(user, id_, NOW, "UTC", None, NOW_US)
        first = await records.sessions.page(user, None, 2)
        rest = await records.sessions.page(user, first[-1].session_id, 9)
        assert [row.session_id for row in [*first, *rest]] == ids[::-1]

    run(story())


def test_time_zones_of_some_sessions_are_read_together(records: Records, run: Any) -> None:
    user, zones = uuid4(), ("UTC", "Europe/Berlin", "Asia/Tokyo", "Europe/London")
    ids = [uuid7(1_700_000_000_000 + n * 1000, bytes(10)) for n in range(6)]

    async def story() -> None:
        for id_, zone in zip(ids, zones, strict=False):
            await records.sessions.open(user, id_, NOW, zone, None, NOW_US)
        await records.sessions.close(user, ids[4], NOW, NOW_US, complete=False)  # never opened
        found = await records.sessions.timezones(user, {ids[1], *ids[3:]})
        assert found == {ids[1]: "Europe/Berlin", ids[3]: "Europe/London"}
        assert await records.sessions.timezones(user, ()) == {}

    run(story())


def test_unopened_sessions_do_not_shorten_a_page(records: Records, run: Any) -> None:
    user = uuid4()
    ids = [uuid7(1_700_000_000_000 + n * 1000, bytes(10)) for n in range(6)]

    async def story() -> None:
        for n, one in enumerate(ids):
            if n % 3:  # a third has only a later step so far
                await records.sessions.open(user, one, NOW, "UTC", None, NOW_US)
            else:
                await records.sessions.close(user, one, NOW, NOW_US, complete=True)
        opened = [one for n, one in enumerate(ids) if n % 3][::-1]
        for limit in (1, 2, 3, 9):
            page = await records.sessions.page(user, None, limit)
            assert [row.session_id for row in page] == opened[:limit]

    run(story())


def test_sessions_that_may_get_more_samples_have_streams_and_are_not_complete(
    records: Records, run: Any
) -> None:
    user, put = uuid4(), records.sessions
    unopened, typed, recording, ended, reopened = (new_id() for _ in range(5))

    async def story() -> None:
        for session in (typed, recording, ended, reopened):
            await put.open(user, session, NOW, "UTC", None, NOW_US)
        for session in (unopened, recording, ended, reopened):
            await put.declare(user, session, "acc", STREAM, NOW_US)
        for session in (ended, reopened):
            await put.close(user, session, NOW, NOW_US + 1, complete=True)
        await put.close(user, reopened, None, NOW_US + 2, complete=False)
        assert set(await put.recording(user)) == {recording, reopened}
        assert await put.recording(uuid4()) == []

    run(story())


@pytest.mark.parametrize("count", [IDS_PER_QUERY, 2 * IDS_PER_QUERY + 1])
def test_sets_of_many_sessions_are_read_newest_session_first(
    records: Records, run: Any, count: int
) -> None:
    user = uuid4()
    ids = [uuid7(1_700_000_000_000 + n, bytes(10)) for n in range(count)]

    async def story() -> None:
        rows = [set_row(session_id=session) for session in ids]
        await records.sets.put_all(user, rows)
        assert await records.sets.of_sessions(user, ids) == rows[::-1]
        some = rows[:IDS_PER_QUERY]
        found = await records.sets.revisions(user, [(s.session_id, s.set_id) for s in some])
        assert sorted(found) == sorted((row.set_id, row.revision) for row in some)

    run(story())


def test_newest_revision_of_a_set_wins(records: Records, run: Any) -> None:
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
        some = [row.session_id, new_id()]
        assert {s.set_id for s in await records.sets.of_sessions(user, some)} == {
            row.set_id,
            other.set_id,
        }
        assert await records.sets.of_sessions(user, []) == []
        keys = [(row.session_id, row.set_id), (row.session_id, elsewhere.set_id)]
        assert await records.sets.revisions(user, keys) == [(row.set_id, newer.revision)]
        assert len(await records.sets.revisions(user)) == 3
        await records.sets.delete(user, row.session_id, row.set_id, NOW_US + 9000)
        await records.sets.put(user, newer)
        assert await records.sets.read(user, row.session_id, row.set_id) is None
        await records.sets.delete_session(user, row.session_id, NOW_US + 9000)
        assert await records.sets.of_user(user) == [elsewhere]
        await records.sets.delete_session(user, elsewhere.session_id, NOW_US + 9000)
        assert await records.sets.of_user(user) == []

    run(story())


@ON_NODE
def test_some_sets_are_read_without_the_others(records: Records, run: Any) -> None:
    """By exercise, by begin, and which sessions began before a time; ids tell nothing of it."""
    user, first, second = uuid4(), *sorted((new_id(), new_id()))
    starts = {first: (2, 0), second: (1, 4)}  # hours
    rows = [
        set_row(session_id=session, exercise=name, started_at=NOW + timedelta(hours=hours))
        for session, both in starts.items()
        for hours, name in zip(both, ("curl", "row"), strict=True)
    ]

    async def story() -> None:
        sets = records.sets
        await sets.put_all(user, rows)
        after = [await sets.between(user, NOW + timedelta(hours=n)) for n in (0, 1, 3, 5)]
        assert [len(some) for some in after] == [4, 3, 1, 0]
        assert all(row in rows for row in after[0])
        until = NOW + timedelta(hours=2)
        assert await sets.between(user, NOW + timedelta(hours=1), until) == [rows[2]]
        assert await sets.of_exercise(user, "curl") == [rows[2], rows[0]]
        assert await sets.of_exercise(user, "squat") == []
        assert await sets.begun_before(user, {first, second}, until) == {first, second}
        assert await sets.begun_before(user, {first, second}, NOW + timedelta(hours=1)) == {first}
        assert await sets.begun_before(user, {second, new_id()}, NOW) == set()
        assert await sets.begun_before(user, set(), NOW) == set()
        assert await sets.between(uuid4(), NOW) == []

    run(story())


def test_incomplete_set_row_is_named_in_the_error(database: Database, run: Any) -> None:
    user, session, half = uuid4(), new_id(), new_id()
    sets = records_in(database, Limits()).sets

    async def story() -> None:
        cql = "INSERT INTO sets (user_id, session_id, set_id, reps) VALUES (?, ?, ?, ?)"
        await database.run(cql, (user, session, half, 10))
        with pytest.raises(BadSets, match=f"half a set in session {session}: {half} has no time"):
            await sets.of_user(user)

    run(story())


def test_labelled_sets_are_read_by_layout(records: Records, run: Any) -> None:
    user, row = uuid4(), set_row()

    async def story() -> None:
        await records.labelled.put(user, labelled(row, samples=b"first"), LABELLED_TTL_S)
        newer = labelled(row._replace(revision=NOW_US + 1000), samples=b"a second, longer one")
        for one in (newer, labelled(row, samples=b"first")):
            await records.labelled.put(user, one, LABELLED_TTL_S)
        assert await records.labelled.of_user(user, "wrist-acc6") == [newer]
        assert await records.labelled.of_user(user, "wrist-acc3") == []
        has = [await records.labelled.has_any(user, m) for m in ("wrist-acc6", "wrist-acc3")]
        assert has == [True, False]
        heads = await records.labelled.revisions(user)
        assert heads == [("wrist-acc6", row.set_id, row.session_id, NOW_US + 1000)]
        await records.labelled.delete(user, "wrist-acc6", row.set_id, NOW_US)
        assert len(await records.labelled.revisions(user)) == 1  # an older deletion
        await records.labelled.delete_set(user, row.set_id, NOW_US + 5000)
        assert await records.labelled.revisions(user) == []

    run(story())


def test_training_reads_labelled_sets_with_the_windows_stored_beside_them(
    records: Records, run: Any
) -> None:
    user, row = uuid4(), set_row()
    key = (user, "wrist-acc6")
    one = labelled(row)
    windows = StoredWindows(one.set_id, one.revision, b"windows", 60)

    async def story() -> None:
        await records.labelled.put(user, one, LABELLED_TTL_S)
        await records.labelled.keep_windows(*key, [windows._replace(features=b"late", ttl_s=0)])
        (read,) = await records.labelled.training_sets(*key)
        assert read.features is None
        await records.labelled.keep_windows(*key, [windows])
        (read,) = await records.labelled.training_sets(*key)
        assert (read.set_id, read.samples, read.features) == (one.set_id, b"s", b"windows")
        assert (read.revision, read.exercise) == (one.revision, one.exercise)
        assert (read.started_at, read.label_source) == (one.started_at, one.label_source)
        revision = (one.set_id, one.revision, one.exercise, one.started_at)
        assert await records.labelled.training_revisions(*key) == [revision]
        assert key in await records.labelled.keys()
        await records.labelled.delete_set(user, one.set_id, NOW_US + 5000)
        assert await records.labelled.training_sets(*key) == []
        assert key not in await records.labelled.keys()

    run(story())


def test_late_predictions_do_not_restore_a_deleted_session(records: Records, run: Any) -> None:
    user, session = uuid4(), new_id()
    at = datetime.now(UTC).replace(microsecond=0)
    found = prediction(user, session, NOW, predicted_at=at)

    async def story() -> None:
        for _ in range(2):
            await records.predictions.replace(user, session, [found])
            assert await records.predictions.of_session(user, session) == [found]
            await records.predictions.delete(user, session)
            assert await records.predictions.of_session(user, session) == []
        await records.predictions.delete(user, session, us_of(at) + TOMBSTONE_AHEAD_US)
        await records.predictions.replace(user, session, [found])
        assert await records.predictions.of_session(user, session) == []

    run(story())
