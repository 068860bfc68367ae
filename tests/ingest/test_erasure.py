"""A user who was erased stays so, and is not erased again for ever."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ingest import erasure, sweeper
from ingest.erasure import ERASED, erase_user
from schemas.errors import DatabaseAway
from schemas.times import us_of
from store.database import Database
from store.journal import Journal
from store.records import records_in
from store.users import Logins
from tests.cassandra_node import ON_NODE
from tests.ingest.histories import LIMITS

pytestmark = ON_NODE
A_MS, AROUND = timedelta(milliseconds=1), timedelta(minutes=5)


def test_a_sweep_erases_again_what_was_under_way_and_then_no_more(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sweeper, "ANNOUNCED_BEFORE", timedelta(0)
    )  # the other tests' people take long
    user, records = uuid4(), records_in(database, LIMITS)
    now = datetime.now(UTC)

    async def story() -> None:
        await erase_user(database, user, now)
        await records.journal.announce(user, "sets", us_of(now))  # a write that was under way
        for again in range(3):
            at = datetime.now(UTC)
            swept = await sweeper.sweep(records, now - A_MS, at, database=database)
            assert swept.failed == ()
            topics = (await records.journal.changed(now - AROUND, at + AROUND))[user]
            assert topics.keys() == {ERASED}, again
            assert abs(topics[ERASED] - now) < A_MS, "not announced anew"
        later = now + A_MS
        assert user not in await records.journal.changed(later, later + AROUND)

    asyncio.run(story())


def test_an_erasure_that_was_cut_short_is_finished_by_the_sweep(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, records = uuid4(), records_in(database, LIMITS)
    now = datetime.now(UTC)

    class Away(Logins):
        async def revoke_all(self, user_id: object) -> None:
            raise DatabaseAway(f"away before {user_id}'s logins end")

    async def story() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(erasure, "Logins", Away)
            with pytest.raises(DatabaseAway):
                await erase_user(database, user, now)
        assert ERASED in (await Journal(database).changed(now - AROUND, now + AROUND))[user]

    asyncio.run(story())
    monkeypatch.setattr(sweeper, "ANNOUNCED_BEFORE", timedelta(0))
    done: list[object] = []

    async def erased(_: object, user_id: object, __: object, *, announced_at: object) -> None:
        done.append((user_id, announced_at))

    monkeypatch.setattr(sweeper, "erase_user", erased)
    asyncio.run(sweeper.sweep(records, now - A_MS, now + timedelta(minutes=1), database=database))
    assert user in [one for one, _ in done]
