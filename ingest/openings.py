"""What the openings of a session say together, whichever of its devices is heard first.

The order of arrival does not matter where devices do not contradict one another and start within a
day. The first opening is one event. What a later one adds is another, in a slot named after the
event that it follows: each has one successor, so all workers and every replay see the same order,
and the newest event has the whole of it.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from ingest import slots
from ingest.event_writer import EventWriter
from schemas.errors import BadEvent
from schemas.events import UNSAID_TIMEZONE, SessionOpening
from schemas.journal import SessionOpened
from schemas.topics import SESSIONS
from store.journal import Event
from store.records import Records

OFFSET_MS = "offset_ms"
"""In the meta of openings, declarations and lists: how far the server's clock is ahead of the
device's, null where that is not known."""
MAX_TRAVEL_MS = 60_000
"""No request takes longer: a larger difference of clocks is not travel time."""
EARLIER_AT_MOST = timedelta(days=1)
"""How far a later opening moves the start back: a clock that is off by a time zone stays below it,
and one that counts from 1970 moves nothing."""
MAX_AMENDMENTS = 32
"""Of one session: twice as many as it may have streams. Each further one reads all of them."""


async def openings_of(records: Records, user_id: UUID, session_id: UUID) -> list[Event]:
    """A session's first opening and its amendments, in order; empty where none is stored."""
    slot_id, events = slots.session_opened(session_id), list[Event]()
    while event := await records.journal.read(user_id, session_id, slot_id):
        events.append(event)
        slot_id = slots.session_amended(session_id, event.received_us)
    return events


async def amend(
    writer: EventWriter,
    user_id: UUID,
    opened: Event,
    opening: SessionOpening,
    meta: Mapping[str, object],
) -> list[Event]:
    """Append what an opening adds to those before it, up to `MAX_AMENDMENTS`.

    Args:
        writer: of the journal.
        user_id: whose session.
        opened: the first opening.
        opening: another device's, or a repeat.
        meta: how far the server's clock is ahead of that device's.

    Returns:
        all amendments of the session, in order.
    """
    events = await openings_of(writer.records, user_id, opened.entity_id)
    while len(events) <= MAX_AMENDMENTS and (wanted := _amendment(writer, events, opening, meta)):
        events.append(await writer.records.journal.append(user_id, wanted, SESSIONS))
    return events[1:]


def refuse_unsaid(openings: Sequence[Event], opening: SessionOpening) -> None:
    """Refuse an opening that adds to what is stored, after `amend`.

    Args:
        openings: the first one and all amendments.
        opening: what was asked for.

    Raises:
        BadEvent: the session was amended `MAX_AMENDMENTS` times already.
    """
    said = opening_of(openings[-1])
    if together(said, opening, opening_of(openings[0]).started_at) != said:
        raise BadEvent(
            f"the session was opened differently {MAX_AMENDMENTS} times; open a new one",
            field="started_at",
            value=opening.started_at.isoformat(),
        )


def opening_of(event: Event) -> SessionOpened:
    """What an opening or amendment says.

    Raises:
        BadEvent: it is of a later release.
    """
    body = event.parsed
    if not isinstance(body, SessionOpened):
        raise BadEvent("no opening of a session", field="kind", value=event.kind)
    return body


def together(said: SessionOpened, opening: SessionOpening, first_start: datetime) -> SessionOpened:
    """What is known of a session once another opening is heard: each word stands once it is said.

    Args:
        said: by the openings before it.
        opening: the other one.
        first_start: start of the first opening; it moves back by `EARLIER_AT_MOST`.

    >>> watch = SessionOpened(datetime.fromisoformat("2026-11-21T10:00:00Z"), "UTC", None)
    >>> fields = {"started_at": "2026-11-21T09:55:00Z", "timezone": "Europe/London", "streams": {}}
    >>> phone = SessionOpening.model_validate(fields)
    >>> both = together(watch, phone, watch.started_at)
    >>> both.started_at.minute, both.timezone
    (55, 'Europe/London')
    """
    is_earlier = first_start - EARLIER_AT_MOST <= opening.started_at < said.started_at
    return SessionOpened(
        started_at=opening.started_at if is_earlier else said.started_at,
        timezone=opening.timezone if said.timezone == UNSAID_TIMEZONE else said.timezone,
        plan=said.plan or opening.plan,
    )


def _amendment(
    writer: EventWriter,
    events: Sequence[Event],
    opening: SessionOpening,
    meta: Mapping[str, object],
) -> Event | None:
    """The event of what an opening adds; None where it adds nothing.

    Its clock offset is that of the device whose start counts.
    """
    session_id, newest, said = events[0].entity_id, events[-1], opening_of(events[-1])
    now_said = together(said, opening, opening_of(events[0]).started_at)
    if now_said == said:
        return None
    is_moved = now_said.started_at != said.started_at
    return writer.event(
        session_id,
        slots.session_amended(session_id, newest.received_us),
        "session-amended",
        msgspec.to_builtins(now_said),
        after_us=newest.received_us,
        meta=meta if is_moved else newest.meta,
    )
