"""Announces what a sweep or a replay is about to change in the rows of single events.

The events were announced when they were written. A job or a mart that ran before their projection
has read past that announcement, and would not look at the user again.
"""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from schemas.events import UNSAID_TIMEZONE
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
from schemas.topics import PLANS, SESSIONS, SETS, Topic
from store.concurrency import map_concurrently
from store.journal import Event
from store.records import Records
from store.sessions import SessionRow, StreamList
from store.sets import IDS_PER_QUERY

READS_AT_ONCE = 8
T = TypeVar("T")


async def announce_late_changes(
    records: Records, user_id: UUID, events: Sequence[Event], now_us: int
) -> None:
    """Announce the topics of a user's events that are not projected yet.

    A deletion is always announced: a crash may have left rows in any of many tables. Readers
    compare the data, so that an announcement without a change costs little.

    Args:
        records: the repositories.
        user_id: whose journal.
        events: that are to be projected.
        now_us: the time of the announcements.

    Raises:
        BadEvent: a kind or body that is not known here; nothing was announced.
    """
    facts = [(event, event.parsed) for event in events]
    stored = await _stored(records, user_id, facts)
    topics = {topic for fact in facts for topic in _late_topics(*fact, stored)}
    for topic in sorted(topics):
        await records.changes.announce(user_id, topic, now_us)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is stored of the entities of some events.

    Attributes:
        sessions, lists, plans: by id, only those that the events are about; the newest revision of
            a plan, 0 where there is none.
        sets: revision of each set; not read where no set was confirmed.
    """

    sessions: dict[UUID, SessionRow | None]
    lists: dict[UUID, dict[str, StreamList]]
    plans: dict[UUID, int]
    sets: dict[UUID, int]


async def _stored(
    records: Records, user_id: UUID, facts: Sequence[tuple[Event, EventBody]]
) -> _Stored:
    """Read what is stored; each entity once, and no table that no event is about."""

    async def plan_revision(plan_id: UUID) -> int:
        """The newest revision of a plan, 0 where there is none."""
        newest = await records.plans.newest(user_id, plan_id)
        return 0 if newest is None else newest.revision

    def about(*kinds: type) -> set[UUID]:
        """The entities of the events of some kinds."""
        return {event.entity_id for event, body in facts if isinstance(body, kinds)}

    opened = about(SessionOpened, StreamDeclared)
    return _Stored(
        sessions=await _each(opened, lambda one: records.sessions.read(user_id, one)),
        lists=await _each(about(StreamListed), lambda one: records.sessions.lists(user_id, one)),
        plans=await _each(about(PlanKept, PlanDeleted), plan_revision),
        sets=await _set_revisions(records, user_id, facts),
    )


async def _set_revisions(
    records: Records, user_id: UUID, facts: Sequence[tuple[Event, EventBody]]
) -> dict[UUID, int]:
    """The revisions of the sets that were confirmed; of many, those of all sets in one read."""
    keys = {(b.session, event.entity_id) for event, b in facts if isinstance(b, SetConfirmed)}
    if not keys:
        return {}
    only = keys if len(keys) <= IDS_PER_QUERY else None
    return dict(await records.sets.revisions(user_id, only))


async def _each(
    ids: Iterable[UUID], read: Callable[[UUID], Coroutine[Any, Any, T]]
) -> dict[UUID, T]:
    in_order = sorted(ids)
    return dict(zip(in_order, await map_concurrently(read, in_order, READS_AT_ONCE), strict=True))


def _late_topics(event: Event, body: EventBody, stored: _Stored) -> tuple[Topic, ...]:
    """The topics of an event whose rows are not as it says; none where they are."""
    entity = event.entity_id
    match body:
        case SessionOpened():
            session = stored.sessions[entity]
            return () if session and _says(session, body) else (SESSIONS,)
        case StreamDeclared():
            session = stored.sessions[entity]
            return () if session and body.stream in session.streams else (SESSIONS,)
        case StreamListed():
            listed = stored.lists[entity].get(body.stream)
            return () if listed and listed.revision >= event.received_us else (SESSIONS,)
        case SessionDeleted():
            return SESSIONS, SETS
        case SetConfirmed():
            return () if stored.sets.get(entity, 0) >= event.received_us else (SETS,)
        case SetDeleted():
            return (SETS,)
        case PlanKept() | PlanDeleted():
            return () if stored.plans[entity] >= event.received_us else (PLANS,)


def _says(session: SessionRow, body: SessionOpened) -> bool:
    """Whether a row is of an opening or of a later one: each adds to those before it."""
    return (
        session.started_at <= body.started_at
        and body.timezone in (session.timezone, UNSAID_TIMEZONE)
        and body.plan in (session.plan_id, None)
    )
