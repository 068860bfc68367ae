"""Confirms, corrects and deletes sets; a correction must name the revision that it replaces."""

from dataclasses import replace
from uuid import UUID

from ingest import slots
from ingest.client_ids import check_client_id
from ingest.deletions import set_deletion
from ingest.event_writer import Cost, EventWriter
from ingest.projections import project
from ingest.sessions import require_session
from ingest.set_times import has_times, refuse_outside
from schemas.config import Limits
from schemas.errors import BadEvent, Deleted, EventConflict, NotFound, StaleRevision
from schemas.events import SetConfirmation
from schemas.ids import may_exist
from schemas.topics import Topic
from store.journal import Event
from store.records import Records
from store.sets import SetRow

TOPIC: Topic = "sets"
MAX_SETS = 1000
"""Sets of one session: one every minute and a half of a whole day."""


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
        if_match: the revision that this corrects, None for a new set; a negative one is stale.
        cost: of storing its samples once more; a repeat costs nothing.

    Raises:
        LimitExceeded: over the quota.
        NotFound, Deleted: no such session; the set was deleted.
        BadEvent, ClockSkew: a set outside its session, too many sets, a new set whose id is no
            UUIDv7 of about now.
        EventConflict: the set is already confirmed differently, or in another session.
        StaleRevision: it was corrected since that revision.
    """
    stored = await writer.records.sets.read(user_id, session_id, set_id)
    if stored is None:  # one that exists may be of any age
        check_client_id(set_id, "set", writer.now_us() // 1000, limits)
    session = await require_session(writer, user_id, session_id)
    await refuse_outside(writer, session, user_id, confirmation, stored)
    lists = await writer.records.sessions.lists(user_id, session_id)
    event = writer.event(
        set_id,
        slots.set_confirmed(set_id, if_match or 0),
        "set-confirmed",
        confirmation_body(session_id, confirmation),
        after_us=max([if_match or 0, *(listed.revision for listed in lists.values())]),
    )
    if if_match is not None:
        row = stored or await require_set(writer, user_id, session_id, set_id)
        if row.revision == if_match and _says(row, confirmation):
            await _project_again(writer, user_id, event, row)
            return row
        await _refuse_stale(writer.records, user_id, event, row, if_match)
    elif stored is None:
        await _refuse_many(writer.records, user_id, session_id, set_id)
    return await _write(writer, user_id, session_id, event, if_match, cost)


async def _write(
    writer: EventWriter,
    user_id: UUID,
    session_id: UUID,
    event: Event,
    if_match: int | None,
    cost: Cost,
) -> SetRow:
    """Write a confirmation, charge it if it is stored, and project what is in its slot."""
    winner = await writer.append(user_id, event, TOPIC, cost)
    await project(writer.records, user_id, winner, writer.now_us())
    if winner.body["session"] != str(session_id):
        raise EventConflict(
            f"set {event.entity_id} is confirmed in another session, {winner.body['session']}; "
            "a new set needs a new id."
        )
    row = await require_set(writer, user_id, session_id, event.entity_id)
    if not winner.matches(event):
        raise _conflict(row, if_match)
    return row


def _says(row: SetRow, confirmation: SetConfirmation) -> bool:
    """Whether a set is as a confirmation says, its times to the millisecond."""
    said = confirmation.model_dump(exclude={"started_at", "ended_at"})
    return has_times(row, confirmation) and all(
        getattr(row, name) == value for name, value in said.items()
    )


async def _project_again(writer: EventWriter, user_id: UUID, event: Event, row: SetRow) -> None:
    """Project what a set says already: the attempt that wrote it may have failed half way.

    A correction of what is so already would give the set a new revision, at which the next
    correction by another device fails, and store its samples once more.
    """
    same = replace(event, received_us=row.revision)
    await project(writer.records, user_id, same, writer.now_us())


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


async def _refuse_many(records: Records, user_id: UUID, session_id: UUID, set_id: UUID) -> None:
    """Refuse a new set of a session that has too many.

    Each confirmation compares all sets of its session with the plan, so their number is bounded.

    Raises:
        BadEvent: the session has `MAX_SETS` already.
    """
    count = await records.sets.count(user_id, session_id)
    if count >= MAX_SETS:
        raise BadEvent(
            f"the session has {count} sets; it may have {MAX_SETS}", field="set", value=str(set_id)
        )


async def _refuse_stale(
    records: Records, user_id: UUID, event: Event, row: SetRow, if_match: int
) -> None:
    """Refuse a correction that neither follows the newest revision nor repeats one that did."""
    if row.revision == if_match:
        return
    done = await records.journal.read(user_id, event.entity_id, event.event_id)
    if done is None or not done.matches(event):
        raise _stale(row.set_id, if_match, row.revision)


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
    named = f'"{if_match}"' if if_match >= 0 else "any that If-Match names"
    return StaleRevision(
        f'set {set_id} is at revision "{revision}", not {named}; read it, then decide.'
    )
