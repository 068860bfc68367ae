"""Confirms, corrects and deletes sets; a correction must name the revision that it replaces."""

from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

from ingest import slots
from ingest.deletions import set_deletion
from ingest.event_writer import Cost, EventWriter
from ingest.projections import project
from ingest.sessions import require_session
from ingest.set_times import has_times, refuse_outside
from schemas.errors import (
    BadEvent,
    ClockSkew,
    Deleted,
    EventConflict,
    NotFound,
    StaleRevision,
)
from schemas.events import SetConfirmation
from schemas.ids import is_within_a_day, may_exist
from schemas.topics import SETS
from store.journal import Event
from store.records import Records
from store.sessions import newest_revision
from store.sets import SetRow

MAX_SETS = 1000
"""Sets of one session: one every minute and a half of a whole day."""


class SetKey(NamedTuple):
    """Where a set is: whose it is, in which session, and its id. All its rows are under these."""

    user_id: UUID
    session_id: UUID
    set_id: UUID


async def confirm_set(
    writer: EventWriter,
    key: SetKey,
    confirmation: SetConfirmation,
    if_match: int | None,
    cost: Cost,
) -> SetRow:
    """Confirm a set, or correct a confirmed one; a repeat changes nothing.

    Args:
        writer: of the journal.
        key: of the set; the id of a new one is a UUIDv7 of the client.
        confirmation: what was done.
        if_match: the revision that this corrects, None for a new set; a negative one is stale.
        cost: of storing its samples once more; a repeat costs nothing.

    Raises:
        LimitExceeded: over the quota.
        NotFound, Deleted: no such session; the set was deleted.
        BadEvent, ClockSkew: a set outside its session, too many sets, a new set whose id is no
            UUIDv7 of about now and not that of a recognised one.
        EventConflict: the set is already confirmed differently, or in another session.
        StaleRevision: it was corrected since that revision.
    """
    stored = await writer.records.sets.read(*key)
    if stored is None:  # one that exists may be of any age
        await _check_new_id(writer, key)
    session = await require_session(writer, key.user_id, key.session_id)
    await refuse_outside(writer, session, key.user_id, confirmation, stored)
    event = await _confirmation(writer, key, confirmation, if_match or 0)
    if if_match is not None:
        row = stored or await require_set(writer, key)
        if row.revision == if_match and _says(row, confirmation):
            await _project_again(writer, key.user_id, event, row)
            return row
        await _refuse_stale(writer.records, key.user_id, event, row, if_match)
    elif stored is None:
        await _refuse_many(writer.records, key)
    winner = await writer.append(key.user_id, event, SETS, cost)
    if stored is None and winner != event:
        await _refuse_deleted(writer, key.user_id, winner)
    row = await _project(writer, key, winner)
    if not winner.matches(event):
        raise _conflict(row, if_match)
    return row


async def _check_new_id(writer: EventWriter, key: SetKey) -> None:
    """Refuse the id of a new set, unless this service gave it to a recognised one.

    That is as old as the samples, and a client may confirm it whenever it likes. Only one that lies
    within a day of its session's id is taken: rows of a user are looked for under the months that
    ids of sessions may carry.

    Raises:
        BadEvent, ClockSkew: as `EventWriter.check_new_id`.
    """
    try:
        writer.check_new_id(key.set_id, "set")
    except ClockSkew:
        if not await _is_recognised(writer, key):
            raise


async def _is_recognised(writer: EventWriter, key: SetKey) -> bool:
    """Whether a set was recognised in its session, under an id that may be confirmed."""
    now_us = writer.now_us()
    ids = (key.session_id, key.set_id)
    if not (all(may_exist(id_, now_us) for id_ in ids) and is_within_a_day(*ids)):
        return False
    predictions = await writer.records.predictions.of_session(key.user_id, key.session_id)
    return any(prediction.set_id == key.set_id for prediction in predictions)


async def _confirmation(
    writer: EventWriter, key: SetKey, confirmation: SetConfirmation, after_us: int
) -> Event:
    """The event of a confirmation that follows a revision, 0 for a first one.

    It is dated after the lists of its session, too.
    """
    lists = await writer.records.sessions.lists(key.user_id, key.session_id)
    return writer.event(
        key.set_id,
        slots.set_confirmed(key.set_id, after_us),
        "set-confirmed",
        confirmation_body(key.session_id, confirmation),
        after_us=max(after_us, newest_revision(lists)),
    )


async def _project(writer: EventWriter, key: SetKey, confirmed: Event) -> SetRow:
    """Project the confirmation that is in the slot; the set as it is then."""
    await project(writer.records, key.user_id, confirmed, writer.now_us())
    if confirmed.body["session"] != str(key.session_id):
        raise EventConflict(
            f"Set {key.set_id} is confirmed in another session, {confirmed.body['session']}; "
            "a new set needs a new id."
        )
    return await require_set(writer, key)


async def _refuse_deleted(writer: EventWriter, user_id: UUID, confirmed: Event) -> None:
    """Refuse a set that has a confirmation but no row because it was deleted.

    Cassandra forgets a deletion after `gc_grace_seconds`. To project the confirmation then would
    bring the set back.

    Raises:
        Deleted: it, or the session that it is confirmed in, was deleted.
    """
    set_id, session_id = confirmed.entity_id, UUID(str(confirmed.body["session"]))
    if await set_deletion(writer.records, user_id, session_id, set_id, writer.now_us()):
        raise _deleted(set_id)


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


async def delete_set(writer: EventWriter, key: SetKey, if_match: int | None) -> None:
    """Delete a set and its labelled set, for good. Repeatable.

    Raises:
        NotFound: it never existed, or is another user's.
        StaleRevision: it was corrected since that revision.
    """
    try:
        row = await require_set(writer, key)
    except Deleted:
        row = None  # project again: the first attempt may have failed half way
        if not await _was_confirmed(writer.records, key):
            return  # its session was deleted, and it never was in it
    if row and if_match is not None and row.revision != if_match:
        raise _stale(key.set_id, if_match, row.revision)
    wanted = writer.event(
        key.set_id,
        slots.set_deleted(key.set_id),
        "set-deleted",
        {"session": str(key.session_id)},
        after_us=row.revision if row else 0,
    )
    event = await _append_deletion(writer.records, key.user_id, wanted, if_match if row else None)
    await project(writer.records, key.user_id, event, writer.now_us())


async def _append_deletion(
    records: Records, user_id: UUID, wanted: Event, if_match: int | None
) -> Event:
    """Append a deletion, of a revision only if nothing has corrected that yet.

    A correction of it that arrives later meets a deleted set.

    Raises:
        StaleRevision: it was corrected.
    """
    if if_match is None:
        return await records.journal.append(user_id, wanted, SETS)
    correction = slots.set_confirmed(wanted.entity_id, if_match)
    event = await records.journal.append_unless(user_id, wanted, SETS, correction)
    if event.event_id == correction:
        raise _stale(wanted.entity_id, if_match, event.received_us)
    return event


async def _was_confirmed(records: Records, key: SetKey) -> bool:
    """Whether the journal has a set's first confirmation, in this session: another's set lives."""
    slot_id = slots.set_confirmed(key.set_id, 0)
    first = await records.journal.read(key.user_id, key.set_id, slot_id)
    return first is not None and first.body["session"] == str(key.session_id)


async def require_set(writer: EventWriter, key: SetKey) -> SetRow:
    """A confirmed set.

    Raises:
        Deleted: it, or its session, was deleted.
        NotFound: it never existed, or is another user's.
    """
    row = await writer.records.sets.read(*key)
    if row is not None:
        return row
    now_us = writer.now_us()
    if may_exist(key.set_id, now_us) and await set_deletion(writer.records, *key, now_us):
        raise _deleted(key.set_id)
    raise NotFound(f"There is no set {key.set_id} in session {key.session_id}.")


async def _refuse_many(records: Records, key: SetKey) -> None:
    """Refuse a new set of a session that has too many.

    Each confirmation compares all sets of its session with the plan, so their number is bounded.

    Raises:
        BadEvent: the session has `MAX_SETS` already.
    """
    count = await records.sets.count(key.user_id, key.session_id)
    if count >= MAX_SETS:
        raise BadEvent(
            f"the session has {count} sets; it may have {MAX_SETS}",
            field="set",
            value=str(key.set_id),
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


def _deleted(set_id: UUID) -> Deleted:
    return Deleted(f"Set {set_id} was deleted; a new one needs a new id.")


def _conflict(row: SetRow, if_match: int | None) -> StaleRevision | EventConflict:
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
