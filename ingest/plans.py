"""Stores and deletes plans: the newest version counts, every version stays in the journal."""

import json
from collections.abc import Mapping
from uuid import UUID

from ingest import slots
from ingest.event_writer import MAX_ATTEMPTS, CostOfBytes, EventWriter
from ingest.projections import project
from schemas.errors import EventConflict, NotFound
from schemas.topics import PLANS
from store.journal import Event
from store.plans import Plan, PlanVersion


async def put_plan(
    writer: EventWriter,
    user_id: UUID,
    plan_id: UUID,
    body: Mapping[str, object],
    cost_of: CostOfBytes,
) -> Plan:
    """Store a plan; a repeat changes nothing.

    Args:
        writer: of the journal.
        user_id: whose plan.
        plan_id: UUIDv7 of the client.
        body: of `schemas.events.PlanBody`: its name, and its sets in order.
        cost_of: the bytes that are stored; a repeat costs nothing.

    Raises:
        LimitExceeded: over the quota.
        BadEvent, ClockSkew: a new plan's id that is no UUIDv7 of about now.
        EventConflict: others kept changing the plan; try again.
    """
    cost = cost_of(len(json.dumps(body)))
    plans = writer.records.plans
    for _ in range(MAX_ATTEMPTS):
        newest = await plans.newest(user_id, plan_id)
        if newest is None:
            writer.check_new_id(plan_id, "plan")
        if plan := _if_equal(newest, body):
            await plans.put(user_id, plan)  # a first attempt may have failed here
            return plan
        event = _event(writer, plan_id, newest, "plan-kept", body)
        stored = await writer.append(user_id, event, PLANS, cost)
        await project(writer.records, user_id, stored, writer.now_us())
        if plan := _if_equal(await plans.newest(user_id, plan_id), body):
            return plan
    raise EventConflict(f"Plan {plan_id} is being changed by others; send it again.")


async def delete_plan(writer: EventWriter, user_id: UUID, plan_id: UUID) -> None:
    """Delete a plan, so that it is not listed any more. Repeatable.

    Raises:
        NotFound: it never existed, or is another user's.
        EventConflict: others kept changing the plan; try again.
    """
    plans = writer.records.plans
    for _ in range(MAX_ATTEMPTS):
        newest = await plans.newest(user_id, plan_id)
        if newest is None:
            raise NotFound(f"There is no plan {plan_id}.")
        if newest.plan is None:
            await plans.delete(user_id, plan_id, newest.revision)  # as in `put_plan`
            return
        event = _event(writer, plan_id, newest, "plan-deleted", {})
        stored = await writer.records.journal.append(user_id, event, PLANS)
        await project(writer.records, user_id, stored, writer.now_us())
    raise EventConflict(f"Plan {plan_id} is being changed by others; delete it again.")


def _if_equal(newest: PlanVersion | None, body: Mapping[str, object]) -> Plan | None:
    """The plan, if it equals the requested one; None also when it was deleted."""
    plan = newest.plan if newest else None
    return plan if plan and {"name": plan.name, "sets": list(plan.sets)} == body else None


def _event(
    writer: EventWriter,
    plan_id: UUID,
    newest: PlanVersion | None,
    kind: str,
    body: Mapping[str, object],
) -> Event:
    """The next version of a plan."""
    revision = newest.revision if newest else 0
    slot_id = slots.plan_version(plan_id, revision)
    return writer.event(plan_id, slot_id, kind, body, after_us=revision)
