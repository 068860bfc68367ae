"""Plans and deviations: one suite over Cassandra and the store in memory."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from store.deviations import DeviationRow
from store.plans import Plan, PlanVersion
from store.records import Records

NOW = datetime(2026, 11, 21, 10, 0, 0, 123_000, tzinfo=UTC)
MONTH = "2026-11"


def row(session: UUID, position: int, revision: int, **changes: Any) -> DeviationRow:
    planned = ("row", 10, 62.5, None)
    made = DeviationRow(
        *(session, position, uuid4(), frozenset({"reps", "order"}), *planned, *planned),
        *(NOW, "Asia/Tokyo", 19, date(2026, 11, 21), "sensor", 0.75, revision),
    )
    return made._replace(**changes)


def test_newest_plan_version_is_current_and_all_versions_are_kept(
    records: Records, run: Any
) -> None:
    user, plan_id = uuid4(), uuid4()
    first = Plan(plan_id, "Monday", [{"exercise": "row", "reps": None}], 10)
    second = first._replace(name="Tuesday", revision=20)

    async def story() -> None:
        plans = records.plans
        for plan in (second, first, second):  # in any order, with repeats
            await plans.put(user, plan)
        assert await plans.of_user(user) == [second]
        assert await plans.page(user, None, 1) == [second]
        assert await plans.page(user, plan_id, 1) == []
        assert await plans.followed(user, plan_id, 19) == PlanVersion(10, first)
        assert (await plans.newest(user, plan_id)) == PlanVersion(20, second)
        await plans.delete(user, plan_id, 30)
        await plans.put(user, second)
        assert (await plans.read(user, plan_id), await plans.of_user(user)) == (None, [])
        assert await plans.newest(user, plan_id) == PlanVersion(30, None)
        assert await plans.followed(user, plan_id, 40) == PlanVersion(20, second)
        assert await plans.followed(uuid4(), plan_id, 40) is None
        assert await plans.newest(uuid4(), plan_id) is None

    run(story())


def test_a_session_follows_the_newest_version_that_is_not_younger(
    records: Records, run: Any
) -> None:
    user, plan_id = uuid4(), uuid4()
    plan = Plan(plan_id, "Monday", [], 5)

    async def story() -> None:
        plans = records.plans
        for at_us in (2, 11, 12):
            await plans.delete(user, plan_id, at_us)
        assert await plans.followed(user, plan_id, 9) is None
        for revision in (5, 9, 15):
            await plans.put(user, plan._replace(revision=revision))
        for at_us, revision in (
            (1, 5),
            (4, 5),
            (5, 5),
            (8, 5),
            (9, 9),
            (13, 9),
            (15, 15),
            (99, 15),
        ):
            version = await plans.followed(user, plan_id, at_us)
            assert version == PlanVersion(revision, plan._replace(revision=revision))

    run(story())


def test_deviations_of_a_session_are_replaced_together(records: Records, run: Any) -> None:
    user, session, other = uuid4(), UUID(int=2), UUID(int=1)

    async def story() -> None:
        kept = records.deviations
        old = [row(session, n, 10) for n in range(3)]
        assert await kept.written_us(user, MONTH, session) == 0
        await kept.replace(user, MONTH, session, old, 10)
        assert await kept.of_session(user, MONTH, session) == old
        new = [row(session, 0, 20, set_id=None, source=None, confidence=None, actual_reps=None)]
        await kept.replace(user, MONTH, session, new, 20)
        await kept.replace(user, MONTH, session, old, 10)  # late: it loses
        assert await kept.of_session(user, MONTH, session) == new
        assert await kept.written_us(user, MONTH, session) == 20
        await kept.replace(user, MONTH, other, [row(other, 0, 5)], 5)
        assert [one.session_id for one in await kept.of_month(user, MONTH)] == [other, session]
        await kept.delete_session(user, MONTH, session, 30)
        await kept.replace(user, MONTH, session, new, 20)
        assert [one.session_id for one in await kept.of_month(user, MONTH)] == [other]
        assert await kept.of_month(user, "2026-12") == []

    run(story())


def test_a_session_is_found_by_its_plan_and_when_it_was_opened(records: Records, run: Any) -> None:
    user, session, plan = uuid4(), uuid4(), uuid4()

    async def story() -> None:
        of_plan = records.sessions.of_plan
        await records.sessions.open(user, session, NOW, "UTC", plan, 10)
        await records.sessions.open(user, uuid4(), NOW, "UTC", None, 10)
        await records.sessions.close(user, session, NOW, 30, complete=True)
        assert await of_plan(user, plan, 0) == await of_plan(user, plan, 10) == [session]
        assert await of_plan(user, plan, 11) == []
        assert await of_plan(uuid4(), plan, 0) == []
        amended = (user, session, NOW, "Europe/London", plan)
        for revision in (20, 10):  # in any order
            await records.sessions.open(*amended, revision)
        assert await of_plan(user, plan, 20) == [session]

    run(story())
