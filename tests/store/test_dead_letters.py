"""Reading one user's dead letters does not load those of others."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from schemas.layout import shard_of
from store.database import Database
from store.dead_letters import CHUNK, DeadLetter, DeadLetters
from tests.cassandra_node import ON_NODE, payloads_read, rows_read

pytestmark = ON_NODE
NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


def letter(user: UUID, days_ago: int = 0) -> DeadLetter:
    at = NOW - timedelta(days=days_ago)
    return DeadLetter(uuid4(), user, "chunk", "why", b"x" * 1000, at)


async def test_letters_of_a_session_are_deleted_and_those_of_others_stay(
    database: Database,
) -> None:
    user, letters = uuid4(), DeadLetters(database)
    gone, kept = uuid4(), uuid4()
    about = {
        session: letter(user)._replace(
            reason=CHUNK.format(seq=0, stream="acc", session_id=session) + "why"
        )
        for session in (gone, kept)
    }
    for one in about.values():
        await letters.put(one, NOW)
    for days, count in ((-1, 0), (0, 1), (1, 0)):
        day = NOW.date() + timedelta(days=days)
        assert len(await letters.about(user, gone, NOW, since=day, until=day)) == count
    await letters.delete_session(user, gone, NOW)
    assert [letter async for letter in letters.of_user(user, NOW)] == [about[kept]]


async def test_only_the_users_own_dead_letters_are_loaded_from_a_shard(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, letters = uuid4(), DeadLetters(database)
    stranger = next(one for one in iter(uuid4, None) if shard_of(one) == shard_of(user))
    mine = [letter(user, days_ago) for days_ago in (20, 1, 0)]
    for one in [*mine, *(letter(stranger, n % 2) for n in range(6))]:
        await letters.put(one, NOW)
    loaded = payloads_read(monkeypatch, database)
    assert [letter async for letter in letters.of_user(user, NOW)] == mine
    assert len(loaded) == len(mine)
    loaded.clear()
    assert await letters.delete_user(user, NOW) == len(mine)
    assert loaded == []
    assert len([letter async for letter in letters.of_user(stranger, NOW)]) == 6


async def test_letters_of_others_are_not_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One bad client release leaves hundreds of thousands of letters among those of everybody."""
    user, letters = uuid4(), DeadLetters(database)
    stranger = next(one for one in iter(uuid4, None) if shard_of(one) == shard_of(user))
    session = uuid4()
    mine = letter(user)._replace(
        reason=CHUNK.format(seq=0, stream="acc", session_id=session) + "why"
    )
    for one in [mine, *(letter(stranger) for _ in range(20))]:
        await letters.put(one, NOW)
    rows = rows_read(monkeypatch, database)
    assert await letters.count(user, NOW.date()) == 1
    assert [key.id for key in await letters.about(user, session, NOW)] == [mine.id]
    await letters.delete_session(user, session, NOW)
    assert await letters.count(user, NOW.date()) == 0
    assert len(rows) == 4  # two counts, and the letter's key twice
    assert await letters.count(stranger, NOW.date()) == 20


async def test_letters_are_read_one_by_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An export of thousands of letters, each up to 2 MB, holds one of them."""
    user, letters = uuid4(), DeadLetters(database)
    mine = [letter(user, days_ago) for days_ago in (3, 2, 1)]
    for one in mine:
        await letters.put(one, NOW)
    loaded = payloads_read(monkeypatch, database)
    async for n, one in _numbered(letters.of_user(user, NOW)):
        assert (one, len(loaded)) == (mine[n - 1], n)
    assert len(loaded) == len(mine)


async def _numbered(letters: AsyncIterator[DeadLetter]) -> AsyncIterator[tuple[int, DeadLetter]]:
    number = 0
    async for one in letters:
        number += 1
        yield number, one


async def test_dead_letter_written_late_expires_with_its_content(database: Database) -> None:
    """Erasure looks under the days of reception: a letter may not outlive them."""
    user, letters, now = uuid4(), DeadLetters(database), datetime.now(UTC)
    late = letter(user)._replace(received_at=now - timedelta(days=29))
    await letters.put(late, now)
    [row] = await database.run(
        "SELECT TTL(reason) AS left_s FROM dead_letters WHERE day = ? AND shard = ? AND id = ?",
        (late.received_at.date(), shard_of(user), late.id),
    )
    assert 86_400 - 60 < row.left_s <= 86_400
