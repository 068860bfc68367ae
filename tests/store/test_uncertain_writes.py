"""A conditional write that won, and whose answer was lost with its node, counts as won."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.errors import LostChampionRace, UncertainWrite
from schemas.ids import uuid7
from schemas.times import us_of
from store.champions import Champions
from store.database import Database
from store.job_leases import JobLeases
from store.journal import Event, Journal
from store.live_runs import LiveRuns
from store.pointers import Challenger
from store.users import User, Users
from tests.cassandra_node import ON_NODE
from tests.store.stored_models import a_model, an_owner

pytestmark = ON_NODE
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(params=["no answer", "answer of a repeat"])
def losing(
    request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """A database whose conditional writes win, but whose first answers are lost."""
    run, lost = database.run, set[object]()

    async def answer_lost(cql: str, values: Sequence[object] = ()) -> Any:
        answer = await run(cql, values)
        key = (cql, *map(str, values))
        if " IF " not in cql or not answer[0][0] or key in lost:
            return answer
        lost.add(key)
        if request.param == "no answer":
            raise UncertainWrite("the node died")
        return await run(cql, values)

    monkeypatch.setattr(database, "run", answer_lost)
    return database


def new_run() -> uuid.UUID:
    return uuid7(us_of(NOW) // 1000, uuid.uuid4().bytes[:10])


async def test_registration_whose_answer_was_lost_keeps_its_name(losing: Database) -> None:
    name = f"user-{uuid.uuid4().hex}"
    user = User(uuid.uuid4(), name, "hash", frozenset(), NOW)
    await Users(losing).register(user)
    assert await Users(losing).by_name(name) == user


async def test_events_whose_answer_was_lost_are_in_the_journal(losing: Database) -> None:
    journal, user, entity = Journal(losing), uuid.uuid4(), new_run()
    first = Event(uuid.uuid4(), entity, "set-confirmed", {"reps": 8}, us_of(NOW))
    second = replace(first, event_id=uuid.uuid4())
    assert await journal.append(user, first, "sets") == first
    rival = replace(first, body={"reps": 9})
    assert await journal.append_all(user, [rival, second], "sets") == [first, second]


async def test_lease_whose_answer_was_lost_is_held(losing: Database) -> None:
    leases, family, run = JobLeases(losing), f"family-{uuid.uuid4().hex}", new_run()
    await leases.acquire(family, run, "somebody", NOW, 60)
    await leases.renew(family, run, NOW, 60)
    await leases.release(family, run)


async def test_run_whose_answers_were_lost_goes_live_and_is_cleared(losing: Database) -> None:
    live, family = LiveRuns(losing), f"family-{uuid.uuid4().hex}"
    first, second = new_run(), new_run()
    assert await live.go_live(family, first, NOW, {}, None)
    assert await live.go_live(family, second, NOW + timedelta(days=1), {}, first)
    assert not await live.go_live(family, new_run(), NOW, {}, first), "the second is live"
    assert await live.clear(family, second)
    assert await live.read(family) is None


async def test_promotions_whose_answers_were_lost_serve(losing: Database) -> None:
    champions, owner = Champions(losing), an_owner()
    first, second = a_model(owner, b"first"), a_model(owner, b"second")
    one = await champions.promote(Challenger.of(first), None, NOW)
    two = await champions.promote(Challenger.of(second), one, NOW)
    assert await champions.read(first.key) == two
    with pytest.raises(LostChampionRace):
        await champions.promote(Challenger.of(a_model(owner, b"late")), one, NOW)
