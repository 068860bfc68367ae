"""Stretches: one suite over Cassandra and the small store in memory."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from schemas.retention import LABELLED_TTL_S
from schemas.times import us_of
from store.stretches import StoredStretch, Stretches, StretchMetadata
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


async def test_newer_stretches_replace_all_stretches_of_a_session(stretches: Stretches) -> None:
    user = uuid4()
    first = [stretch(0), stretch(1), stretch(2)]
    await stretches.replace(user, SESSION, first, AT, LABELLED_TTL_S)
    assert await stretches.of_user(user, "wrist-acc6") == first
    assert await stretches.of_session(user, SESSION) == [one.metadata for one in first]
    assert await stretches.sessions_of(user) == {SESSION}
    assert (user, "wrist-acc6") in await stretches.keys()
    second = [stretch(0, AT + 1, "wrist-acc3"), stretch(4, AT + 1, "wrist-acc3")]
    await stretches.replace(user, SESSION, second, AT + 1, LABELLED_TTL_S)
    assert await stretches.of_user(user, "wrist-acc6") == []
    assert await stretches.of_user(user, "wrist-acc3") == second
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
