"""Stretches: one suite over Cassandra and the small store in memory."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from schemas.retention import LABELLED_TTL_S
from schemas.times import us_of
from store.stretches import StoredStretch, Stretches, StretchKey, StretchMetadata
from tests.cassandra_node import ON_NODE
from tests.store.memory_sets import MemoryStretches

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
AT = us_of(NOW)
SESSION = UUID("01a1fb67-1800-7000-8000-000000000001")


@pytest.fixture(params=["memory", pytest.param("cassandra", marks=ON_NODE)])
def stretches(request: pytest.FixtureRequest) -> Stretches:
    if request.param == "memory":
        return MemoryStretches()
    return Stretches(request.getfixturevalue("database"))


def stretch(minute: int, revision: int = AT, model_id: str = "wrist-acc6") -> StoredStretch:
    start = NOW + timedelta(minutes=minute)
    spans = ((5, 2**62, "row"), (7, 8, 'a "quoted" name'))
    metadata = StretchMetadata(
        model_id, SESSION, start, start + timedelta(minutes=1), spans, revision
    )
    return StoredStretch(metadata, bytes([minute]) * 9)


async def whole(stretches: Stretches, user: UUID, model_id: str) -> list[StoredStretch]:
    return await stretches.rows(user, model_id, await stretches.row_keys(user, model_id))


async def test_only_the_rows_of_given_keys_are_read_in_their_order(stretches: Stretches) -> None:
    user = uuid4()
    several = [stretch(minute) for minute in range(4)]
    await stretches.replace(user, SESSION, several, AT, LABELLED_TTL_S)
    keys = await stretches.row_keys(user, "wrist-acc6")
    assert keys == [StretchKey(SESSION, one.metadata.started_at) for one in several]
    assert await stretches.row_keys(user, "wrist-acc3") == []
    gone = StretchKey(uuid4(), NOW)  # deleted since its key was read
    asked = [keys[3], gone, keys[1]]
    assert await stretches.rows(user, "wrist-acc6", asked) == [several[3], several[1]]
    assert await stretches.rows(user, "wrist-acc3", asked) == []


async def test_newer_stretches_replace_all_stretches_of_a_session(stretches: Stretches) -> None:
    user = uuid4()
    first = [stretch(0), stretch(1), stretch(2)]
    await stretches.replace(user, SESSION, first, AT, LABELLED_TTL_S)
    assert await whole(stretches, user, "wrist-acc6") == first
    assert await stretches.of_session(user, SESSION) == [one.metadata for one in first]
    assert await stretches.sessions_of(user) == {SESSION}
    assert (user, "wrist-acc6") in await stretches.keys()
    second = [stretch(0, AT + 1, "wrist-acc3"), stretch(4, AT + 1, "wrist-acc3")]
    await stretches.replace(user, SESSION, second, AT + 1, LABELLED_TTL_S)
    assert await whole(stretches, user, "wrist-acc6") == []
    assert await whole(stretches, user, "wrist-acc3") == second
    await stretches.replace(
        user, SESSION, first, AT, LABELLED_TTL_S
    )  # a late write of an older revision
    assert await stretches.of_session(user, SESSION) == [one.metadata for one in second]


async def test_late_writes_do_not_restore_deleted_stretches(stretches: Stretches) -> None:
    user = uuid4()
    await stretches.replace(user, SESSION, [stretch(0)], AT, LABELLED_TTL_S)
    await stretches.delete_session(user, SESSION, AT)
    assert await stretches.of_session(user, SESSION) == []
    await stretches.replace(user, SESSION, [stretch(0)], AT, LABELLED_TTL_S)
    assert await stretches.of_session(user, SESSION) == []
    await stretches.replace(user, SESSION, [stretch(0)], AT + 1, LABELLED_TTL_S)
    assert len(await stretches.of_session(user, SESSION)) == 1
