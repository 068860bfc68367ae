"""Confirms, corrects and deletes sets; a correction must name the revision that it replaces."""

from datetime import timedelta
from uuid import UUID

from ingest import slots
from ingest.client_ids import check_client_id
from ingest.deletions import set_deletion
from ingest.event_writer import Cost, EventWriter
from ingest.projections import project
from ingest.sample_times import ADVICE, end_outside
from ingest.sessions import require_session
from schemas.config import Limits
from schemas.errors import BadEvent, ClockSkew, Deleted, EventConflict, NotFound, StaleRevision
from schemas.events import SetConfirmation
from schemas.ids import may_exist
from schemas.times import us_of
from schemas.topics import Topic
from store.journal import Event
from store.records import Records
from store.sessions import SessionRow
from store.sets import SetRow

TOPIC: Topic = "sets"
MAX_SETS = 1000
"""Sets of one session: one every minute and a half of a whole day."""
TOLERANCE = timedelta(seconds=5)
"""How far a set may reach beyond its session: people and watches are not more exact."""


async def confirm_set(
    writer: EventWriter,
    limits: Limits,
    user_id: UUID,
    session_id: UUID,
    set_id: UUID,
    confirmation: SetConfirmation,
    if_match: int | None,
    cost: Cost,
) -> SetRow:
    """Confirm a set, or correct a confirmed one; a repeat changes nothing.

    Args:
        writer: of the journal.
        limits: how far a new set's id may lie from now.
        user_id: whose set.
        session_id: in which session.
        set_id: UUIDv7 of the client.
        confirmation: what was done.
        if_match: the revision that this corrects, None for a new set.
        cost: of storing its samples once more; a repeat costs nothing.

    Raises:
        LimitExceeded: over the quota.
        NotFound, Deleted: no such session; the set was deleted.
        BadEvent, ClockSkew: a set outside its session, too many sets, a new set whose id is no
            UUIDv7 of about now.
        EventConflict: the set is already confirmed differently.
        StaleRevision: it was corrected since that revision.
    """
    await _refuse_old(writer, limits, user_id, session_id, set_id)
    session = await require_session(writer, user_id, session_id)
    await _refuse_outside(writer, session, user_id, set_id, confirmation)
    if if_match is not None:
        await _refuse_stale(writer, user_id, session_id, set_id, confirmation, if_match)
    else:
        await _refuse_many(writer.records, user_id, session_id, set_id)
    event, matches = await _write(writer, user_id, session_id, set_id, confirmation, if_match, cost)
    await project(writer.records, user_id, event, writer.now_us())
    row = await require_set(writer, user_id, session_id, set_id)
    if not matches:
        raise _conflict(row, if_match)
    return row


async def _write(
    writer: EventWriter,
    user_id: UUID,
    session_id: UUID,
    set_id: UUID,
    confirmation: SetConfirmation,
    if_match: int | None,
    cost: Cost,
) -> tuple[Event, bool]:
    """Write a confirmation as `EventWriter.write`, and charge it if it is stored."""
    lists = await writer.records.sessions.lists(user_id, session_id)
    event = writer.event(
        set_id,
        slots.set_confirmed(set_id, if_match or 0),
        "set-confirmed",
        confirmation_body(session_id, confirmation),
        after_us=max([if_match or 0, *(listed.revision for listed in lists.values())]),
    )
    stored = await writer.append(user_id, event, TOPIC, cost)
    return stored, stored.matches(event)


async def delete_set(
    writer: EventWriter, user_id: UUID, session_id: UUID, set_id: UUID, if_match: int | None
) -> None:
    """Delete a set and its labelled set, for good. Repeatable.

    Raises:
        NotFound: it never existed, or is another user's.
        StaleRevision: it was corrected since that revision.
    """
    try:
        row = await require_set(writer, user_id, session_id, set_id)
    except Deleted:
        row = None  # project again: the first attempt may have failed half way
        if not await _was_confirmed_in(writer.records, user_id, session_id, set_id):
            return  # its session was deleted, and it never was in it
    if row and if_match is not None and row.revision != if_match:
        raise _stale(set_id, if_match, row.revision)
    event, _ = await writer.write(
        user_id,
        set_id,
        slots.set_deleted(set_id),
        "set-deleted",
        {"session": str(session_id)},
        topic=TOPIC,
        after_us=row.revision if row else 0,
    )
    await project(writer.records, user_id, event, writer.now_us())


async def _was_confirmed_in(
    records: Records, user_id: UUID, session_id: UUID, set_id: UUID
) -> bool:
    """Whether the journal has a set's first confirmation, in this session: another's set lives."""
    first = await records.journal.read(user_id, set_id, slots.set_confirmed(set_id, 0))
    return first is not None and first.body["session"] == str(session_id)


async def require_set(writer: EventWriter, user_id: UUID, session_id: UUID, set_id: UUID) -> SetRow:
    """A confirmed set.

    Raises:
        Deleted: it, or its session, was deleted.
        NotFound: it never existed, or is another user's.
    """
    row = await writer.records.sets.read(user_id, session_id, set_id)
    if row is not None:
        return row
    now_us = writer.now_us()
    if may_exist(set_id, now_us) and await set_deletion(
        writer.records, user_id, session_id, set_id, now_us
    ):
        raise Deleted(f"Set {set_id} was deleted; a new one needs a new id.")
    raise NotFound(f"There is no set {set_id} in session {session_id}.")


def check_inside(
    confirmation: SetConfirmation,
    session: SessionRow,
    writer: EventWriter,
    stored: SetRow | None = None,
) -> None:
    """Refuse a set outside its session.

    Args:
        confirmation: what was done.
        session: of the set.
        writer: for its clock.
        stored: the set as it is. It may have been confirmed before the session's end was known: a
            repeat, or a correction that keeps its times, is not refused for its end.

    Raises:
        BadEvent: before its start, or after its end where that is known.
        ClockSkew: it ends after tomorrow.
    """
    now = writer.clock()
    advice = f"; {ADVICE}" if end_outside(session, now) else ""
    if confirmation.started_at < session.started_at - TOLERANCE:
        raise BadEvent(
            f"the set starts at {confirmation.started_at}, before its session: "
            f"{session.started_at}{advice}",
            field="started_at",
            value=confirmation.started_at.isoformat(),
        )
    end = session.ended_at if session.complete else None
    if end and confirmation.ended_at > end + TOLERANCE and not _has_times(stored, confirmation):
        raise BadEvent(
            f"the set ends at {confirmation.ended_at}, after its session: {end}{advice}",
            field="ended_at",
            value=confirmation.ended_at.isoformat(),
        )
    if confirmation.ended_at > now + timedelta(days=1):
        raise ClockSkew(
            f"the set ends at {confirmation.ended_at}, more than a day from now{advice}",
            field="ended_at",
            value=confirmation.ended_at.isoformat(),
        )


def _has_times(row: SetRow | None, confirmation: SetConfirmation) -> bool:
    """Whether a set has these times, to the millisecond: Cassandra's timestamps have no more."""
    return row is not None and all(
        us_of(stored) // 1000 == us_of(said) // 1000
        for stored, said in (
            (row.started_at, confirmation.started_at),
            (row.ended_at, confirmation.ended_at),
        )
    )


async def _refuse_outside(
    writer: EventWriter,
    session: SessionRow,
    user_id: UUID,
    set_id: UUID,
    confirmation: SetConfirmation,
) -> None:
    """Refuse as `check_inside`; of a complete session the set itself is read for that."""
    stored = None
    if session.complete:
        stored = await writer.records.sets.read(user_id, session.session_id, set_id)
    check_inside(confirmation, session, writer, stored)


async def _refuse_old(
    writer: EventWriter, limits: Limits, user_id: UUID, session_id: UUID, set_id: UUID
) -> None:
    """Refuse the id of a new set as `check_client_id`; an existing set may be of any age."""
    try:
        check_client_id(set_id, "set", writer.now_us() // 1000, limits)
    except ClockSkew:
        if await writer.records.sets.read(user_id, session_id, set_id) is None:
            raise


async def _refuse_many(records: Records, user_id: UUID, session_id: UUID, set_id: UUID) -> None:
    """Refuse a new set of a session that has too many; an existing one may be confirmed again.

    Each confirmation compares all sets of its session with the plan, so their number is bounded.

    Raises:
        BadEvent: the session has `MAX_SETS` already.
    """
    count = await records.sets.count(user_id, session_id)
    if count < MAX_SETS or await records.sets.read(user_id, session_id, set_id) is not None:
        return
    raise BadEvent(
        f"the session has {count} sets; it may have {MAX_SETS}", field="set", value=str(set_id)
    )


async def _refuse_stale(
    writer: EventWriter,
    user_id: UUID,
    session_id: UUID,
    set_id: UUID,
    confirmation: SetConfirmation,
    if_match: int,
) -> None:
    """Refuse a correction that neither follows the newest revision nor repeats one that did."""
    row = await require_set(writer, user_id, session_id, set_id)
    if row.revision == if_match:
        return
    slot_id = slots.set_confirmed(set_id, if_match)
    done = await writer.records.journal.read(user_id, set_id, slot_id)
    if done is None or done.body != confirmation_body(session_id, confirmation):
        raise _stale(set_id, if_match, row.revision)


def confirmation_body(session_id: UUID, confirmation: SetConfirmation) -> dict[str, object]:
    """The journal's body of a confirmation."""
    return {"session": str(session_id), **confirmation.model_dump(mode="json")}


def _conflict(row: SetRow, if_match: int | None) -> Exception:
    """The error for a confirmation that came too late, with what is confirmed now."""
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
