"""Imports months of a user's history in batches: sessions without streams, their plans and sets.

A history from another app, or from the simulator, has thousands of sets. Written one by one, each
would need a conditional write of its own; here those of a month are batched. Events, checks and
projections are the same as for single sets.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from ingest import sessions, sets, slots
from ingest.event_writer import EventWriter
from ingest.openings import OFFSET_MS
from ingest.projections import project_all
from ingest.set_times import check_inside
from schemas.errors import BadEvent, Deleted, EventConflict
from schemas.events import SessionOpening, SetConfirmation
from schemas.ids import day_of
from schemas.layout import month_of
from schemas.topics import PLANS, SESSIONS, SETS, Topic
from store.journal import Event
from store.sessions import SessionRow

MAX_BATCH_EVENTS = 64  # of some 600 bytes each: a batch stays below 40 KB
_DELETED = {"session": slots.session_deleted, "set": slots.set_deleted}
"""The slots of deletions that are final; a plan may be stored again, so its own is not."""


@dataclass(frozen=True, slots=True)
class HistorySession:
    """A session without streams, its plan, and the sets that were done in it.

    Attributes:
        session_id: UUIDv7 of the client.
        opening: what opens it; names the plan.
        sets: UUIDv7 and confirmation of each set.
        plan: body of the session's plan (`name`, `sets`); None where it has none or where it was
            stored before.
    """

    session_id: UUID
    opening: SessionOpening
    sets: Sequence[tuple[UUID, SetConfirmation]]
    plan: Mapping[str, object] | None = None


async def record_history(
    writer: EventWriter, user_id: UUID, history: Sequence[HistorySession]
) -> None:
    """Store a user's history; a repeat changes nothing.

    Raises:
        BadEvent, ClockSkew: a session with streams, sent now or before, a set outside its session,
            an id that is no UUIDv7 of about now. Nothing was stored then.
        Deleted: a session or set was deleted; its id is not used again. Nothing was stored then.
        EventConflict: an id was used before, for something else; the rest was stored.
    """
    for session in history:
        _validate(writer, session)
    plan_events = [event for session in history for event in _plan_events(writer, session)]
    opening_events = [_opening_event(writer, session) for session in history]
    confirmation_events = [
        event for session in history for event in _confirmation_events(writer, session)
    ]
    wanted = [*plan_events, *opening_events, *confirmation_events]
    stored = await _stored_events(writer, user_id, wanted)
    _refuse_deleted_or_streamed(stored, wanted)
    kept = [
        *await _write_all(writer, user_id, plan_events, stored, PLANS),
        *await _write_all(writer, user_id, opening_events, stored, SESSIONS),
        *await _write_all(writer, user_id, confirmation_events, stored, SETS),
    ]
    await project_all(writer.records, user_id, kept, writer.now_us())
    _refuse_conflicts(wanted, kept)


def _validate(writer: EventWriter, session: HistorySession) -> None:
    if session.opening.streams:
        raise BadEvent(
            f"session {session.session_id} of a history has streams; open it by itself",
            field="streams",
            value=sorted(session.opening.streams),
        )
    writer.check_new_id(session.session_id, "session")
    if session.plan is not None and session.opening.plan is not None:
        writer.check_new_id(session.opening.plan, "plan")
    row = _row(session)
    for set_id, confirmation in session.sets:
        writer.check_new_id(set_id, "set")
        check_inside(confirmation, row, writer.clock())


def _plan_events(writer: EventWriter, session: HistorySession) -> list[Event]:
    plan_id = session.opening.plan
    if plan_id is None or session.plan is None:
        return []
    return [writer.event(plan_id, slots.plan_version(plan_id, 0), "plan-kept", session.plan)]


def _row(session: HistorySession) -> SessionRow:
    opening = session.opening
    return SessionRow(
        session.session_id, opening.started_at, None, opening.timezone, opening.plan, {}, {}, False
    )


def _opening_event(writer: EventWriter, session: HistorySession) -> Event:
    body = sessions.opening_body(session.opening)
    slot_id = slots.session_opened(session.session_id)
    meta = {OFFSET_MS: None}  # sent at no time
    return writer.event(session.session_id, slot_id, "session-opened", body, meta=meta)


def _confirmation_events(writer: EventWriter, session: HistorySession) -> list[Event]:
    return [
        writer.event(
            set_id,
            slots.set_confirmed(set_id, 0),
            "set-confirmed",
            sets.confirmation_body(session.session_id, confirmation),
        )
        for set_id, confirmation in session.sets
    ]


async def _stored_events(
    writer: EventWriter, user_id: UUID, events: Iterable[Event]
) -> Mapping[UUID, Event]:
    """The journal's events of the same months: a repeat writes none of them again."""
    months = {_month(event) for event in events}
    stored = await writer.records.journal.events(user_id, months)
    return {event.event_id: event for event in stored}


def _refuse_deleted_or_streamed(stored: Mapping[UUID, Event], events: Iterable[Event]) -> None:
    with_streams = {event.entity_id for event in stored.values() if event.kind == "stream-declared"}
    for event in events:
        if event.entity_id in with_streams:
            raise BadEvent(
                f"session {event.entity_id} has streams; confirm its sets one by one",
                field="session",
                value=str(event.entity_id),
            )
        what = event.kind.partition("-")[0]
        if what in _DELETED and _DELETED[what](event.entity_id) in stored:
            raise Deleted(f"{what} {event.entity_id} was deleted; a new one needs a new id.")


async def _write_all(
    writer: EventWriter,
    user_id: UUID,
    events: Sequence[Event],
    stored: Mapping[UUID, Event],
    topic: Topic,
) -> list[Event]:
    """Append the events that are not stored yet; what is in the slots of all, in their order."""
    months: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.event_id not in stored:
            months[_month(event)].append(event)

    async def write(month: Sequence[Event]) -> list[Event]:
        """Append one month's events; what is in their slots, in order."""
        # One batch after another: concurrent conditional writes to a partition restart each other.
        rest, appended = iter(month), list[Event]()
        while batch := list(islice(rest, MAX_BATCH_EVENTS)):
            appended += await writer.records.journal.append_all(user_id, batch, topic)
        return appended

    pages = await asyncio.gather(*(write(month) for month in months.values()))
    new = {event.event_id: event for page in pages for event in page}
    return [stored.get(event.event_id) or new[event.event_id] for event in events]


def _refuse_conflicts(wanted: Sequence[Event], stored: Sequence[Event]) -> None:
    for event, winner in zip(wanted, stored, strict=True):
        if not winner.matches(event):
            raise EventConflict(
                f"{event.kind} {event.entity_id} is stored already, as {dict(winner.body)}; "
                "something else needs a new id"
            )


def _month(event: Event) -> str:
    return month_of(day_of(event.entity_id))
