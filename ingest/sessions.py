"""Opens and deletes sessions; several devices may open one, each with its own streams."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from ingest import slots
from ingest.deletions import session_deletion
from ingest.event_writer import EventWriter
from ingest.openings import OFFSET_MS, amend, refuse_unsaid
from ingest.projections import project, project_all
from schemas.errors import BadEvent, ClockSkew, Deleted, EventConflict, NotFound
from schemas.events import MAX_STREAMS, SessionOpening
from schemas.times import us_of
from schemas.topics import SESSIONS, SETS
from store.journal import Event
from store.sessions import SessionRow


async def open_session(
    writer: EventWriter, user_id: UUID, session_id: UUID, opening: SessionOpening
) -> SessionRow:
    """Open a session, or add to it what earlier openings did not say; a repeat changes nothing.

    The earliest start counts, and the first time zone and plan that are named. A stream is declared
    once. What does not conflict is stored also where something else does.

    Raises:
        ClockSkew, BadEvent: the id is no UUIDv7 of about now, there are too many streams, or it was
            opened differently too often.
        Deleted: the session was deleted; its id is not used again.
        EventConflict: a stream is already declared differently, or another plan was named.
    """
    try:
        writer.check_new_id(session_id, "session")
    except ClockSkew:  # one that exists may be of any age
        if await writer.records.sessions.read(user_id, session_id) is None:
            raise
    is_new = await _check_opening(writer, user_id, session_id, opening)
    wanted = _events(writer, session_id, opening)
    stored = await _append(writer, user_id, wanted, batched=is_new)
    amendments = list[Event]()
    if not stored[0].matches(wanted[0]):  # another device's opening was the first one
        amendments = await amend(writer, user_id, stored[0], opening, wanted[0].meta)
    await project_all(writer.records, user_id, [*stored, *amendments], writer.now_us())
    if not stored[0].matches(wanted[0]):
        refuse_unsaid([stored[0], *amendments], opening)
    session = await require_session(writer, user_id, session_id)
    _refuse_conflicts(session, opening, wanted[1:], stored[1:])
    return session


async def require_session(writer: EventWriter, user_id: UUID, session_id: UUID) -> SessionRow:
    """A session.

    Raises:
        Deleted: it was deleted.
        NotFound: it never existed, or is another user's.
    """
    session = await writer.records.sessions.read(user_id, session_id)
    if session is not None:
        return session
    if await session_deletion(writer.records, user_id, session_id, writer.now_us()):
        raise Deleted(f"Session {session_id} was deleted; a new one needs a new id.")
    raise NotFound(f"There is no session {session_id}.")


async def delete_session(writer: EventWriter, user_id: UUID, session_id: UUID) -> None:
    """Delete a session with its chunks, sets and labelled sets, for good. Repeatable.

    Raises:
        NotFound: it never existed, or is another user's.
    """
    with suppress(Deleted):  # project again: the first attempt may have failed half way
        await require_session(writer, user_id, session_id)
    slot_id = slots.session_deleted(session_id)
    wanted = writer.event(session_id, slot_id, "session-deleted", {})
    event = await writer.records.journal.append(user_id, wanted, SETS)
    await project(writer.records, user_id, event, writer.now_us())


def opening_body(opening: SessionOpening) -> dict[str, object]:
    """The journal's body of an opening; its streams are events of their own."""
    return opening.model_dump(mode="json", include={"started_at", "timezone", "plan"})


def sender_offset_ms(writer: EventWriter, sent_at: datetime | None) -> int | None:
    """How many ms the server's clock is ahead of the sender's, travel time included."""
    return None if sent_at is None else (writer.now_us() - us_of(sent_at)) // 1000


async def _check_opening(
    writer: EventWriter, user_id: UUID, session_id: UUID, opening: SessionOpening
) -> bool:
    """Refuse an opening that contradicts the existing session; True when there is none."""
    try:
        session = await require_session(writer, user_id, session_id)
    except Deleted:
        raise
    except NotFound:
        return True
    if len(session.streams.keys() | opening.streams.keys()) > MAX_STREAMS:
        raise BadEvent(
            f"a session has at most {MAX_STREAMS} streams",
            field="streams",
            value=len(opening.streams),
        )
    return False


def _refuse_conflicts(
    session: SessionRow, opening: SessionOpening, wanted: Sequence[Event], stored: Sequence[Event]
) -> None:
    """Refuse an opening that contradicts those before it, after what it adds was stored.

    Args:
        session: as it is now.
        opening: what was asked for.
        wanted: its declarations of streams.
        stored: the declarations in their slots.

    Raises:
        EventConflict: another plan is followed, or a stream is declared differently.
    """
    for event, winner in zip(wanted, stored, strict=True):
        if not winner.matches(event):
            raise EventConflict(
                f"Stream {event.body['stream']!r} is declared already, as {dict(winner.body)}; a "
                "stream that is something else needs another name."
            )
    if opening.plan is not None and opening.plan != session.plan_id:
        raise EventConflict(
            f"The session follows plan {session.plan_id} already, not {opening.plan}; for another "
            "plan open another session."
        )


def _events(writer: EventWriter, session_id: UUID, opening: SessionOpening) -> list[Event]:
    """The events of an opening: the session itself, then its streams by name."""
    meta = {OFFSET_MS: sender_offset_ms(writer, opening.sent_at)}
    slot_id = slots.session_opened(session_id)
    opened = writer.event(
        session_id,
        slot_id,
        "session-opened",
        opening_body(opening),
        meta=meta,
    )
    return [
        opened,
        *(
            writer.event(
                session_id,
                slots.stream_declared(session_id, name),
                "stream-declared",
                {"stream": name, **stream.model_dump(mode="json")},
                meta=meta,
            )
            for name, stream in sorted(opening.streams.items())
        ),
    ]


async def _append(
    writer: EventWriter, user_id: UUID, events: Sequence[Event], *, batched: bool
) -> list[Event]:
    """Append events; the events that are in their slots afterwards.

    As a batch they take one round trip if all slots are free. Otherwise they are appended one after
    another: a user's events share a partition of the journal, and concurrent conditional writes to
    one partition make each other start again, which takes a second or more instead of 20 ms each.
    """
    journal = writer.records.journal
    if batched:
        return await journal.append_all(user_id, events, SESSIONS)
    return [await journal.append(user_id, event, SESSIONS) for event in events]
