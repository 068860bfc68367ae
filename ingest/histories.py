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

from ingest import openings, plans, sets
from ingest.decisions import Decisions
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
    decisions: Decisions, limits: Limits, user_id: UUID, visits: Sequence[Visit]
) -> None:
    """Keep a person's visits; a repeat changes nothing.

    Raises:
        BadEvent, ClockSkew: a visit with streams, sent now or before, a set outside its session,
            an id that is no UUIDv7 of about now. Nothing was kept then.
        Deleted: a session or set was deleted; its id is not used again. Nothing was kept then.
        EventConflict: an id was used before, for something else; the rest was kept.
    """
    for visit in visits:
        _check(decisions, limits, visit)
    planned = [event for visit in visits for event in _planned(decisions, visit)]
    opened = [_opened(decisions, visit) for visit in visits]
    confirmed = [event for visit in visits for event in _confirmed(decisions, visit)]
    asked = [*planned, *opened, *confirmed]
    known = await _known(decisions, user_id, asked)
    _refuse_known(known, asked)
    kept = [
        *await _decided(decisions, user_id, planned, known, plans.TOPIC),
        *await _decided(decisions, user_id, opened, known, openings.TOPIC),
        *await _decided(decisions, user_id, confirmed, known, sets.TOPIC),
    ]
    await project_all(decisions.records, user_id, kept, decisions.now_us())
    _refuse_conflicts(asked, kept)


def _check(decisions: Decisions, limits: Limits, visit: Visit) -> None:
    if visit.opening.streams:
        raise BadEvent(
            f"session {visit.session_id} of a history has streams; open it by itself",
            field="streams",
            value=sorted(visit.opening.streams),
        )
    now_ms = decisions.now_us() // 1000
    days = (limits.clock_past_days, limits.clock_future_days)
    check_client_id(visit.session_id, "session", now_ms, *days)
    if visit.plan is not None and visit.opening.plan is not None:
        check_client_id(visit.opening.plan, "plan", now_ms, *days)
    row = _row(visit)
    for set_id, confirmation in visit.sets:
        check_client_id(set_id, "set", now_ms, *days)
        sets.check_inside(confirmation, row, decisions)


def _planned(decisions: Decisions, visit: Visit) -> list[Event]:
    plan_id = visit.opening.plan
    if plan_id is None or visit.plan is None:
        return []
    return [decisions.event(plan_id, plans.question(0), "plan-kept", visit.plan)]


def _row(visit: Visit) -> SessionRow:
    opening = visit.opening
    return SessionRow(
        visit.session_id, opening.started_at, None, opening.timezone, opening.plan, {}, {}, False
    )


def _opened(decisions: Decisions, visit: Visit) -> Event:
    body = openings.opening_body(visit.opening)
    return decisions.event(visit.session_id, openings.QUESTION, "session-opened", body)


def _confirmed(decisions: Decisions, visit: Visit) -> list[Event]:
    return [
        decisions.event(
            set_id,
            sets.question(None),
            "set-confirmed",
            sets.confirmation_body(visit.session_id, confirmation),
        )
        for set_id, confirmation in visit.sets
    ]


async def _known(
    decisions: Decisions, user_id: UUID, events: Iterable[Event]
) -> Mapping[UUID, Event]:
    """The events that the journal holds of these months; a repeat decides nothing anew."""
    months = {_month(event) for event in events}
    held = await decisions.records.journal.events(user_id, months)
    return {event.event_id: event for event in held}


def _refuse_known(known: Mapping[UUID, Event], events: Iterable[Event]) -> None:
    with_streams = {event.about for event in known.values() if event.kind == "stream-declared"}
    for event in events:
        if event.about in with_streams:
            raise BadEvent(
                f"session {event.about} has streams; confirm its sets one by one",
                field="session",
                value=str(event.about),
            )
        what = event.kind.partition("-")[0]
        if slot(event.about, what, "delete") in known:
            raise Deleted(f"{what} {event.about} was deleted; a new one needs a new id.")


async def _decided(
    decisions: Decisions,
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

    async def decide(month: Sequence[Event]) -> list[Event]:
        # One portion after another: decisions about one partition make each other start again.
        rest, kept = iter(month), list[Event]()
        while portion := list(islice(rest, TOGETHER)):
            kept += await decisions.records.journal.append_all(user_id, portion, topic)
        return kept

    pages = await asyncio.gather(*(decide(month) for month in months.values()))
    new = {event.event_id: event for page in pages for event in page}
    return [known.get(event.event_id) or new[event.event_id] for event in events]


def _refuse_conflicts(asked: Sequence[Event], kept: Sequence[Event]) -> None:
    for ours, theirs in zip(asked, kept, strict=True):
        if not theirs.says_the_same(ours):
            raise EventConflict(
                f"{ours.kind} {ours.about} is kept already, as {dict(theirs.body)}; something "
                "else needs a new id"
            )


def _month(event: Event) -> str:
    return month_of(day_of(event.about))
