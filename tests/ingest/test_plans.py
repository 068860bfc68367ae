"""A repeated plan is no event, and finishes what was kept or deleted half way."""

from uuid import uuid4

import pytest

from ingest.recorder import Recorder
from schemas.config import Limits
from schemas.errors import BadEvent, DatabaseUnavailable
from schemas.times import server_time
from store.database import Database
from store.plans import Plans
from store.records import records_in
from tests.api.phone import fresh_id
from tests.cassandra_node import ON_NODE
from tests.ingest.costs import FreeRecorder
from tests.ingest.gym import BENCH, MONTH, ROW, Gym

pytestmark = ON_NODE
SETS = [{"exercise": "row", "reps": 10}]


@pytest.fixture
def recorder(database: Database) -> Recorder:
    return FreeRecorder(records_in(database, Limits()), Limits(), server_time)


def fail_once(patch: pytest.MonkeyPatch, database: Database, statement: str) -> None:
    """Let the next statement that begins so fail, as when the node goes away before it."""
    run, failures = database.run, [DatabaseUnavailable("away")]

    async def once(cql: str, values: object = ()) -> object:
        if failures and cql.startswith(statement):
            raise failures.pop()
        return await run(cql, values)

    patch.setattr(database, "run", once)


async def test_repeated_plan_is_listed_after_its_first_attempt_failed_half_way(
    recorder: Recorder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, plan = uuid4(), fresh_id()
    fail_once(monkeypatch, database, "INSERT INTO plans ")
    with pytest.raises(DatabaseUnavailable):
        await recorder.put_plan(user, plan, "Monday", SETS)
    assert await Plans(database).read(user, plan) is None
    kept = await recorder.put_plan(user, plan, "Monday", SETS)
    assert await Plans(database).read(user, plan) == kept


async def test_repeated_deletion_removes_a_plan_after_its_first_attempt_failed_half_way(
    recorder: Recorder, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, plan = uuid4(), fresh_id()
    await recorder.put_plan(user, plan, "Monday", SETS)
    fail_once(monkeypatch, database, "DELETE FROM plans ")
    with pytest.raises(DatabaseUnavailable):
        await recorder.delete_plan(user, plan)
    assert await Plans(database).read(user, plan)
    await recorder.delete_plan(user, plan)
    assert await Plans(database).read(user, plan) is None


async def test_repeated_plan_adds_no_event_and_plan_ids_must_be_uuid7() -> None:
    gym = Gym()
    for planned in ([BENCH], [BENCH], [ROW], [BENCH]):
        await gym.keep(*planned)
    await gym.recorder.delete_plan(gym.user, gym.plan)
    await gym.recorder.delete_plan(gym.user, gym.plan)
    await gym.keep(ROW)
    kinds = [event.kind for event in await gym.records.journal.events(gym.user, [MONTH])]
    assert kinds == ["plan-kept"] * 3 + ["plan-deleted", "plan-kept"]
    [plan] = await gym.records.plans.of_user(gym.user)
    assert plan.sets == [ROW]
    gym.plan = uuid4()
    with pytest.raises(BadEvent):
        await gym.keep(ROW)
