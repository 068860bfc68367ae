"""Months of one person at once: sessions without streams, their plans and sets, in few rounds.

A person who comes with a history (from another app, or from the simulator) brings thousands of
sets. Sent one by one, each of them waits for a decision of its own; here those of a month are
decided together. Events, checks and projections are the same as for single sets.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from uuid import UUID

from ingest import plans, sessions, sets
from ingest.event_writer import EventWriter
from ingest.projections import project_all
from schemas.config import Limits
from schemas.errors import BadEvent, Deleted, EventConflict
from schemas.events import SessionOpening, SetConfirmation
from schemas.ids import check_client_id, day_of, slot
from schemas.layout import month_of
from schemas.topics import Topic
from store.journal import Event
from store.sessions import SessionRow

TOGETHER = 64  # events of some 600 bytes: one decision stays below 40 KB


@dataclass(frozen=True, slots=True)
class Visit:
    """A session without streams, its plan, and the sets that were done in it.

    Attributes:
        session_id: UUIDv7 of the client.
        opening: what opens it; names the plan.
        sets: UUIDv7 and confirmation of each set.
        plan: what the session's plan says (`name`, `sets`), None where it has none or where it
            was kept before.
    """

    session_id: UUID
    opening: SessionOpening
    sets: Sequence[tuple[UUID, SetConfirmation]]
    plan: Mapping[str, object] | None = None


async def record_history(
    writer: EventWriter, limits: Limits, user_id: UUID, visits: Sequence[Visit]
) -> None:
    """Keep a person's visits; a repeat changes nothing.

    Raises:
        BadEvent, ClockSkew: a visit with streams, sent now or before, a set outside its session,
            an id that is no UUIDv7 of about now. Nothing was kept then.
        Deleted: a session or set was deleted; its id is not used again. Nothing was kept then.
        EventConflict: an id was used before, for something else; the rest was kept.
    """
    for visit in visits:
        _check(writer, limits, visit)
    planned = [event for visit in visits for event in _planned(writer, visit)]
    opened = [_opened(writer, visit) for visit in visits]
    confirmed = [event for visit in visits for event in _confirmed(writer, visit)]
    asked = [*planned, *opened, *confirmed]
    known = await _known(writer, user_id, asked)
    _refuse_known(known, asked)
    kept = [
        *await _write_all(writer, user_id, planned, known, plans.TOPIC),
        *await _write_all(writer, user_id, opened, known, sessions.TOPIC),
        *await _write_all(writer, user_id, confirmed, known, sets.TOPIC),
    ]
    await project_all(writer.records, user_id, kept, writer.now_us())
    _refuse_conflicts(asked, kept)


def _check(writer: EventWriter, limits: Limits, visit: Visit) -> None:
    if visit.opening.streams:
        raise BadEvent(
            f"session {visit.session_id} of a history has streams; open it by itself",
            field="streams",
            value=sorted(visit.opening.streams),
        )
    now_ms = writer.now_us() // 1000
    days = (limits.clock_past_days, limits.clock_future_days)
    check_client_id(visit.session_id, "session", now_ms, *days)
    if visit.plan is not None and visit.opening.plan is not None:
        check_client_id(visit.opening.plan, "plan", now_ms, *days)
    row = _row(visit)
    for set_id, confirmation in visit.sets:
        check_client_id(set_id, "set", now_ms, *days)
        sets.check_inside(confirmation, row, writer)


def _planned(writer: EventWriter, visit: Visit) -> list[Event]:
    plan_id = visit.opening.plan
    if plan_id is None or visit.plan is None:
        return []
    return [writer.event(plan_id, plans.slot_key(0), "plan-kept", visit.plan)]


def _row(visit: Visit) -> SessionRow:
    opening = visit.opening
    return SessionRow(
        visit.session_id, opening.started_at, None, opening.timezone, opening.plan, {}, {}, False
    )


def _opened(writer: EventWriter, visit: Visit) -> Event:
    body = sessions.opening_body(visit.opening)
    return writer.event(visit.session_id, sessions.OPENING_SLOT, "session-opened", body)


def _confirmed(writer: EventWriter, visit: Visit) -> list[Event]:
    return [
        writer.event(
            set_id,
            sets.slot_key(None),
            "set-confirmed",
            sets.confirmation_body(visit.session_id, confirmation),
        )
        for set_id, confirmation in visit.sets
    ]


async def _known(
    writer: EventWriter, user_id: UUID, events: Iterable[Event]
) -> Mapping[UUID, Event]:
    """The events that the journal holds of these months; a repeat decides nothing anew."""
    months = {_month(event) for event in events}
    held = await writer.records.journal.events(user_id, months)
    return {event.event_id: event for event in held}


def _refuse_known(known: Mapping[UUID, Event], events: Iterable[Event]) -> None:
    with_streams = {event.entity_id for event in known.values() if event.kind == "stream-declared"}
    for event in events:
        if event.entity_id in with_streams:
            raise BadEvent(
                f"session {event.entity_id} has streams; confirm its sets one by one",
                field="session",
                value=str(event.entity_id),
            )
        what = event.kind.partition("-")[0]
        if slot(event.entity_id, what, "delete") in known:
            raise Deleted(f"{what} {event.entity_id} was deleted; a new one needs a new id.")


async def _write_all(
    writer: EventWriter,
    user_id: UUID,
    events: Sequence[Event],
    known: Mapping[UUID, Event],
    topic: Topic,
) -> list[Event]:
    """What stands in the slots of `events`, in their order."""
    months: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        if event.event_id not in known:
            months[_month(event)].append(event)

    async def write(month: Sequence[Event]) -> list[Event]:
        # One portion after another: decisions about one partition make each other start again.
        rest, kept = iter(month), list[Event]()
        while portion := list(islice(rest, TOGETHER)):
            kept += await writer.records.journal.append_all(user_id, portion, topic)
        return kept

    pages = await asyncio.gather(*(write(month) for month in months.values()))
    new = {event.event_id: event for page in pages for event in page}
    return [known.get(event.event_id) or new[event.event_id] for event in events]


def _refuse_conflicts(asked: Sequence[Event], kept: Sequence[Event]) -> None:
    for ours, theirs in zip(asked, kept, strict=True):
        if not theirs.matches(ours):
            raise EventConflict(
                f"{ours.kind} {ours.entity_id} is kept already, as {dict(theirs.body)}; something "
                "else needs a new id"
            )


def _month(event: Event) -> str:
    return month_of(day_of(event.entity_id))
