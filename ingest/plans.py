"""Plans: the newest word counts, and every word stays in the journal."""

import json
from collections.abc import Mapping
from uuid import UUID

from ingest.decisions import Decisions, Take, take_nothing
from ingest.projections import project
from schemas.config import Limits
from schemas.errors import EventConflict
from schemas.ids import check_client_id
from schemas.topics import Topic
from store.plans import Plan, PlannedSets, PlanVersion

TOPIC: Topic = "plans"
_TRIES = 8


async def keep_plan(
    decisions: Decisions,
    limits: Limits,
    user_id: UUID,
    plan_id: UUID,
    name: str,
    sets: PlannedSets,
    take: Take = take_nothing,
) -> Plan:
    """Keep a plan; saying what it says already changes nothing.

    Args:
        decisions: the door to the journal.
        limits: how far a new plan's id may lie from now.
        user_id: whose plan.
        plan_id: UUIDv7 of the client.
        name: what people call it.
        sets: `exercise`, `reps`, `weight_kg`, `intensity` each, in order.
        take: told the bytes that are about to be kept; saying the same again keeps none.

    Raises:
        LimitExceeded: what `take` raises.
        BadEvent, ClockSkew: a new plan's id that is no UUIDv7 of about now.
        EventConflict: others changed the plan all the time; say it again.
    """
    body = {"name": name, "sets": list(sets)}

    def says_it(newest: PlanVersion | None) -> Plan | None:
        """The plan, when it says what is asked for; None also when it was deleted."""
        plan = newest.plan if newest else None
        return plan if plan and {"name": plan.name, "sets": list(plan.sets)} == body else None

    for _ in range(_TRIES):
        newest = await _newest(decisions, user_id, plan_id)
        if newest is None:
            now_ms = decisions.now_us() // 1000
            days = (limits.clock_past_days, limits.clock_future_days)
            check_client_id(plan_id, "plan", now_ms, *days)
        if plan := says_it(newest):
            return plan
        take(len(json.dumps(body)))
        await _decide(decisions, user_id, plan_id, newest, "plan-kept", body)
        if plan := says_it(await _newest(decisions, user_id, plan_id)):
            return plan
    raise EventConflict(f"plan {plan_id} is being changed by others; send it again.")


async def drop_plan(decisions: Decisions, user_id: UUID, plan_id: UUID) -> None:
    """Delete a plan, so that it is not listed any more. Repeatable.

    Raises:
        EventConflict: others changed the plan all the time; say it again.
    """
    for _ in range(_TRIES):
        newest = await _newest(decisions, user_id, plan_id)
        if newest is None or newest.plan is None:
            return
        await _decide(decisions, user_id, plan_id, newest, "plan-deleted", {})
    raise EventConflict(f"plan {plan_id} is being changed by others; delete it again.")


def question(revision: int) -> tuple[object, ...]:
    """What the slot of a plan's next state is called: each revision has one successor."""
    return ("plan", revision)


async def _newest(decisions: Decisions, user_id: UUID, plan_id: UUID) -> PlanVersion | None:
    return await decisions.records.plans.newest(user_id, plan_id)


async def _decide(
    decisions: Decisions,
    user_id: UUID,
    plan_id: UUID,
    newest: PlanVersion | None,
    kind: str,
    body: Mapping[str, object],
) -> None:
    """Decide the next state of a plan and project what stands in its slot, whoever filled it."""
    revision = newest.revision if newest else 0
    event, _ = await decisions.decide(
        user_id, plan_id, question(revision), kind, body, topic=TOPIC, after_us=revision
    )
    await project(decisions.records, user_id, event, decisions.now_us())
