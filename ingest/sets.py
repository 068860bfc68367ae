"""Confirmed sets: said once, corrected by whoever read the newest revision, deleted for good."""

from datetime import timedelta
from uuid import UUID

from ingest.decisions import Decisions
from ingest.openings import existing
from ingest.projections import project
from schemas.config import Limits
from schemas.errors import BadEvent, ClockSkew, Deleted, EventConflict, NotFound, StaleRevision
from schemas.events import SetConfirmation
from schemas.ids import check_client_id, slot
from schemas.topics import Topic
from store.records import Records
from store.sessions import SessionRow
from store.sets import SetRow

TOPIC: Topic = "sets"
MAX_SETS = 1000
"""Sets of one session: one every minute and a half of a whole day."""
TOLERANCE = timedelta(seconds=5)
"""How far a set may reach beyond its session: thumbs and watches agree no better."""


async def confirm_set(
    decisions: Decisions,
    limits: Limits,
    user_id: UUID,
    session_id: UUID,
    set_id: UUID,
    confirmation: SetConfirmation,
    if_match: int | None,
) -> SetRow:
    """Keep what a person says about a set; a repeat changes nothing.

    Args:
        decisions: the door to the journal.
        limits: how far the set's id may lie from now.
        user_id: whose set.
        session_id: in which session.
        set_id: UUIDv7 of the client.
        confirmation: what it says.
        if_match: the revision that this corrects, None for a new set.

    Raises:
        NotFound, Deleted: no such session; the set was deleted.
        BadEvent, ClockSkew: a set outside its session, one more than it may have, an id that is no
            UUIDv7 of about now.
        EventConflict: the set is confirmed already, as something else.
        StaleRevision: somebody corrected it since that revision.
    """
    now_ms = decisions.now_us() // 1000
    check_client_id(set_id, "set", now_ms, limits.clock_past_days, limits.clock_future_days)
    session = await existing(decisions, user_id, session_id)
    check_inside(confirmation, session, decisions)
    if if_match is not None:
        await _refuse_stale(decisions, user_id, session_id, set_id, confirmation, if_match)
    else:
        await _refuse_many(decisions.records, user_id, session_id, set_id)
    lists = await decisions.records.sessions.lists(user_id, session_id)
    event, same = await decisions.decide(
        user_id,
        set_id,
        question(if_match),
        "set-confirmed",
        confirmation_body(session_id, confirmation),
        topic=TOPIC,
        after_us=max([if_match or 0, *(one.revision for one in lists.values())]),
    )
    await project(decisions.records, user_id, event, decisions.now_us())
    row = await existing_set(decisions, user_id, session_id, set_id)
    if not same:
        raise _taken(row, if_match)
    return row


async def delete_set(
    decisions: Decisions, user_id: UUID, session_id: UUID, set_id: UUID, if_match: int | None
) -> None:
    """Delete a set and its labelled set, for good. Repeatable.

    Raises:
        NotFound: it never was, or it is somebody else's.
        StaleRevision: somebody corrected it since that revision.
    """
    try:
        row = await existing_set(decisions, user_id, session_id, set_id)
    except Deleted:
        row = None  # the projection is done again: the first try may have died half way
    if row and if_match is not None and row.revision != if_match:
        raise _stale(set_id, if_match, row.revision)
    event, _ = await decisions.decide(
        user_id,
        set_id,
        ("set", "delete"),
        "set-deleted",
        {"session": str(session_id)},
        topic=TOPIC,
        after_us=row.revision if row else 0,
    )
    await project(decisions.records, user_id, event, decisions.now_us())


async def existing_set(
    decisions: Decisions, user_id: UUID, session_id: UUID, set_id: UUID
) -> SetRow:
    """A set that must be there.

    Raises:
        Deleted: it was.
        NotFound: it never was, or it is somebody else's.
    """
    row = await decisions.records.sets.read(user_id, session_id, set_id)
    if row is not None:
        return row
    for what, id_ in (("set", set_id), ("session", session_id)):
        if id_.version == 7 and await decisions.records.journal.read(
            user_id, id_, slot(id_, what, "delete")
        ):
            raise Deleted(f"Set {set_id} was deleted; a new one needs a new id.")
    raise NotFound(f"There is no set {set_id} in session {session_id}.")


def check_inside(confirmation: SetConfirmation, session: SessionRow, decisions: Decisions) -> None:
    """Refuse a set outside of its session.

    Raises:
        BadEvent: before its start, or after its end where that is known.
        ClockSkew: it ends after tomorrow.
    """
    if confirmation.started_at < session.started_at - TOLERANCE:
        raise BadEvent(
            f"the set starts at {confirmation.started_at}, before its session: "
            f"{session.started_at}",
            field="started_at",
            value=confirmation.started_at.isoformat(),
        )
    end = session.ended_at if session.complete else None
    if end and confirmation.ended_at > end + TOLERANCE:
        raise BadEvent(
            f"the set ends at {confirmation.ended_at}, after its session: {end}",
            field="ended_at",
            value=confirmation.ended_at.isoformat(),
        )
    if confirmation.ended_at > decisions.clock() + timedelta(days=1):
        raise ClockSkew(
            f"the set ends at {confirmation.ended_at}, more than a day from now",
            field="ended_at",
            value=confirmation.ended_at.isoformat(),
        )


async def _refuse_many(records: Records, user_id: UUID, session_id: UUID, set_id: UUID) -> None:
    """Refuse a new set where its session is full; a set that is there already may be said again.

    Each confirmation compares all sets of its session with the plan, so their number is bounded.

    Raises:
        BadEvent: the session has as many as it may have.
    """
    count = await records.sets.count(user_id, session_id)
    if count < MAX_SETS or await records.sets.read(user_id, session_id, set_id) is not None:
        return
    raise BadEvent(
        f"the session has {count} sets; it may have {MAX_SETS}", field="set", value=str(set_id)
    )


async def _refuse_stale(
    decisions: Decisions,
    user_id: UUID,
    session_id: UUID,
    set_id: UUID,
    confirmation: SetConfirmation,
    if_match: int,
) -> None:
    """Refuse a correction that neither follows the newest revision nor repeats one that did."""
    row = await existing_set(decisions, user_id, session_id, set_id)
    if row.revision == if_match:
        return
    done = await decisions.records.journal.read(user_id, set_id, slot(set_id, *question(if_match)))
    if done is None or done.body != confirmation_body(session_id, confirmation):
        raise _stale(set_id, if_match, row.revision)


def question(if_match: int | None) -> tuple[object, ...]:
    """The words that name the slot of a confirmation: each revision has one successor."""
    return ("set", if_match or 0)


def confirmation_body(session_id: UUID, confirmation: SetConfirmation) -> dict[str, object]:
    """What the journal keeps of a confirmation."""
    return {"session": str(session_id), **confirmation.model_dump(mode="json")}


def _taken(row: SetRow, if_match: int | None) -> Exception:
    """The error for a confirmation that came too late: it says what the set is now."""
    if if_match is not None:
        return _stale(row.set_id, if_match, row.revision)
    return EventConflict(
        f"set {row.set_id} is confirmed already, as {row.exercise!r} from {row.started_at} in "
        f'session {row.session_id}; to correct it send If-Match: "{row.revision}".'
    )


def _stale(set_id: UUID, if_match: int, revision: int) -> StaleRevision:
    return StaleRevision(
        f'set {set_id} is at revision "{revision}", not "{if_match}"; read it, then decide.'
    )
