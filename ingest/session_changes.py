"""What events of a user changed, session by session, so that each session is projected once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from sys import maxsize
from uuid import UUID

from schemas.journal import (
    EventBody,
    PlanDeleted,
    PlanKept,
    SessionDeleted,
    SessionOpened,
    SetConfirmed,
    SetDeleted,
    StreamDeclared,
    StreamListed,
)
from store.journal import Event
from store.records import Records

ParsedEvent = tuple[Event, EventBody]


@dataclass(slots=True)
class SessionChanges:
    """What events changed in one session.

    Attributes:
        at_us: time of the newest event that its deviations follow from, 0 for none.
        lists: streams that were listed.
        sets: sets that were confirmed.
    """

    at_us: int = 0
    lists: set[str] = field(default_factory=set)
    sets: set[UUID] = field(default_factory=set)


async def session_changes(
    records: Records, user_id: UUID, parsed_events: Sequence[ParsedEvent]
) -> dict[UUID, SessionChanges]:
    """What events changed, per session."""
    changes: dict[UUID, SessionChanges] = defaultdict(SessionChanges)
    oldest_us: dict[UUID, int] = {}  # of each plan's versions among the events
    for event, body in parsed_events:
        match body:
            case PlanKept():
                plan_id = event.entity_id
                oldest_us[plan_id] = min(event.received_us, oldest_us.get(plan_id, maxsize))
                continue
            case SessionOpened():
                session_id = event.entity_id
            case StreamListed():
                session_id = event.entity_id
                changes[session_id].lists.add(body.stream)
            case SetConfirmed():
                session_id = body.session
                changes[session_id].sets.add(event.entity_id)
            case SetDeleted():
                session_id = body.session
            case StreamDeclared() | SessionDeleted() | PlanDeleted():
                continue
        changes[session_id].at_us = max(changes[session_id].at_us, event.received_us)
    for plan_id, revision in oldest_us.items():
        for session_id in await _sessions_following(records, user_id, plan_id, revision):
            changes[session_id].at_us = max(changes[session_id].at_us, 1)
    return changes


async def _sessions_following(
    records: Records, user_id: UUID, plan_id: UUID, revision: int
) -> list[UUID]:
    """The sessions that may follow a version of a plan, or a later one.

    A session follows the plan as it stood at its start, so a later version concerns none that was
    opened before it. Only the first one does: a session may name a plan that arrives later.
    """
    before = await records.plans.followed(user_id, plan_id, revision - 1)
    is_first = before is None or before.revision >= revision
    return await records.sessions.of_plan(user_id, plan_id, 0 if is_first else revision)


def merge_changes(portions: Iterable[Mapping[UUID, SessionChanges]]) -> dict[UUID, SessionChanges]:
    """The changes per session of several portions of a user's events."""
    merged: dict[UUID, SessionChanges] = defaultdict(SessionChanges)
    for portion in portions:
        for session_id, changes in portion.items():
            session = merged[session_id]
            session.at_us = max(session.at_us, changes.at_us)
            session.lists |= changes.lists
            session.sets |= changes.sets
    return merged
