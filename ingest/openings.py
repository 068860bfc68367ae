"""Opens sessions: each once, stream by stream, by as many devices as take part."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from ingest.decisions import Decisions
from ingest.projections import project, project_all
from schemas.config import Limits
from schemas.errors import BadEvent, Deleted, EventConflict, NotFound
from schemas.events import MAX_STREAMS, SessionOpening
from schemas.ids import check_client_id, slot
from schemas.times import us_of
from schemas.topics import Topic
from store.journal import Event
from store.sessions import SessionRow

TOPIC: Topic = "sessions"
QUESTION = ("session", "open")


async def open_session(
    decisions: Decisions, limits: Limits, user_id: UUID, session_id: UUID, opening: SessionOpening
) -> SessionRow:
    """Open a session or add streams to it; a repeat changes nothing.

    What the first opening said about start, zone and plan stands. A stream is declared once.

    Raises:
        ClockSkew, BadEvent: the id is no UUIDv7 of about now, or there are too many streams.
        Deleted: the session was deleted; its id is not used again.
        EventConflict: a stream is declared already, as something else.
    """
    now_ms = decisions.now_us() // 1000
    check_client_id(session_id, "session", now_ms, limits.clock_past_days, limits.clock_future_days)
    is_new = await _refuse_what_cannot_be(decisions, user_id, session_id, opening)
    asked = _events(decisions, session_id, opening)
    kept = await _decide(decisions, user_id, asked, together=is_new)
    await project_all(decisions.records, user_id, kept, decisions.now_us())
    for ours, theirs in zip(asked[1:], kept[1:], strict=True):
        if not theirs.says_the_same(ours):
            raise EventConflict(
                f"Stream {ours.body['stream']!r} is declared already, as {dict(theirs.body)}; a "
                "stream that is something else needs another name."
            )
    return await existing(decisions, user_id, session_id)


async def existing(decisions: Decisions, user_id: UUID, session_id: UUID) -> SessionRow:
    """A session that must be there.

    Raises:
        Deleted: it was.
        NotFound: it never was, or it is somebody else's.
    """
    session = await decisions.records.sessions.read(user_id, session_id)
    if session is not None:
        return session
    if session_id.version == 7 and await decisions.records.journal.read(
        user_id, session_id, slot(session_id, "session", "delete")
    ):
        raise Deleted(f"Session {session_id} was deleted; a new one needs a new id.")
    raise NotFound(f"There is no session {session_id}.")


async def delete_session(decisions: Decisions, user_id: UUID, session_id: UUID) -> None:
    """Delete a session with its chunks, sets and labelled sets, for good. Repeatable.

    Raises:
        NotFound: it never was, or it is somebody else's.
    """
    with suppress(Deleted):  # the projection is done again: the first try may have died half way
        await existing(decisions, user_id, session_id)
    event, _ = await decisions.decide(
        user_id, session_id, ("session", "delete"), "session-deleted", {}, topic="sets"
    )
    await project(decisions.records, user_id, event, decisions.now_us())


def opening_body(opening: SessionOpening) -> dict[str, object]:
    """What the journal keeps of an opening beside its streams."""
    return opening.model_dump(mode="json", include={"started_at", "timezone", "plan"})


def offset_of(decisions: Decisions, sent_at: datetime | None) -> int | None:
    """How many ms the server's clock is ahead of the sender's, travel time included."""
    return None if sent_at is None else (decisions.now_us() - us_of(sent_at)) // 1000


async def _refuse_what_cannot_be(
    decisions: Decisions, user_id: UUID, session_id: UUID, opening: SessionOpening
) -> bool:
    """Refuse what contradicts the session that is there; True when there is none."""
    try:
        session = await existing(decisions, user_id, session_id)
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


def _events(decisions: Decisions, session_id: UUID, opening: SessionOpening) -> list[Event]:
    """What an opening says: the session itself, then its streams by name."""
    meta = {"offset_ms": offset_of(decisions, opening.sent_at)}
    opened = decisions.event(session_id, QUESTION, "session-opened", opening_body(opening))
    return [
        opened,
        *(
            decisions.event(
                session_id,
                ("stream", name),
                "stream-declared",
                {"stream": name, **stream.model_dump(mode="json")},
                meta=meta,
            )
            for name, stream in sorted(opening.streams.items())
        ),
    ]


async def _decide(
    decisions: Decisions, user_id: UUID, events: Sequence[Event], *, together: bool
) -> list[Event]:
    """Decide events; what stands in their slots. Together they take one round, if all are free.

    Otherwise they are decided one after another. The decisions of a user share a partition of the
    journal, and conditional writes to one partition at the same time make each other start again:
    that takes a second or more instead of 20 ms each.
    """
    journal = decisions.records.journal
    if together:
        return await journal.append_all(user_id, events, TOPIC)
    return [await journal.append(user_id, event, TOPIC) for event in events]
