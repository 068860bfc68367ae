"""Projects events: writes the rows that follow from them, idempotently.

Every write carries the time of its event. Projecting the same event twice, late, or in another
order therefore leaves the same rows, so a repeat, the sweeper and a replay of the whole journal all
use this code.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from ingest import slots
from ingest.chunk_selection import StreamChunks, counted_chunks
from ingest.deviations import forget_deviations, project_deviations
from ingest.event_writer import deletion_us
from ingest.labelled_sets import project_labelled_sets
from ingest.openings import OFFSET_MS
from ingest.sample_rows import end_ns_of
from ingest.session_changes import SessionChanges, session_changes
from ingest.stored_session import StoredSession, find_session
from ingest.unlisted_chunks import forget_listed, keep_unlisted
from schemas.journal import (
    EventBody,
    PlanDeleted,
    PlanKept,
    SessionDeleted,
    SessionOpened,
    SetConfirmed,
    SetDeleted,
    StreamDeclared,
    StreamListed,
)
from schemas.times import time_at
from schemas.topics import SESSIONS
from store.concurrency import map_concurrently
from store.journal import Event
from store.plans import Plan
from store.records import Records
from store.sessions import NO_HASH
from store.sets import SetRow

BATCH_ROWS = 100  # rows of sets in one batch, events at once
SESSIONS_AT_ONCE = 8  # each reads its samples


async def project(records: Records, user_id: UUID, event: Event, now_us: int) -> None:
    """Project one event. `now_us` is announced in `changes` where sets change.

    Raises:
        BadEvent: a kind or body that is not known here: the journal is newer than this code.
    """
    await project_all(records, user_id, [event], now_us)


async def project_all(
    records: Records,
    user_id: UUID,
    events: Sequence[Event],
    now_us: int,
    stored_chunks: StreamChunks | None = None,
) -> None:
    """Project events of a user, in any order.

    First come the rows that depend on a single event; then, session by session, those that depend
    on several: the session's end, its labelled sets, its deviations. The cost grows with the number
    of sessions, not of events: a replay of years is one pass.

    Args:
        records: the repositories.
        user_id: whose journal.
        events: to be projected.
        now_us: server time: announced in `changes` where sets change, and the age of dead letters
            is counted to it.
        stored_chunks: what the caller has just read, if all events are of one session; the
            chunks of other streams are read here.

    Raises:
        BadEvent: a kind or body that is not known here: the journal is newer than this code.
    """
    await project_sessions(
        records, user_id, await write_rows(records, user_id, events), now_us, stored_chunks
    )


async def write_rows(
    records: Records, user_id: UUID, events: Sequence[Event]
) -> dict[UUID, SessionChanges]:
    """Write the rows that depend on single events; returns the changes per session.

    A caller with more events than fit in memory writes them in portions, and calls
    `project_sessions` once with the merged changes of all (`session_changes.merge_changes`).

    Raises:
        BadEvent: a kind or body that is not known here; nothing was written.
    """
    parsed_events = [(event, event.parsed) for event in events]  # all, before anything is written
    for start in range(0, len(parsed_events), BATCH_ROWS):
        portion = parsed_events[start : start + BATCH_ROWS]
        rows = [set_row(event, body) for event, body in portion if isinstance(body, SetConfirmed)]
        if rows:  # they share a partition: one batch for all of them
            await records.sets.put_all(user_id, rows)
        await asyncio.gather(*(_write_rows(records, user_id, *fact) for fact in portion))
    return await session_changes(records, user_id, parsed_events)


async def project_sessions(
    records: Records,
    user_id: UUID,
    changes: Mapping[UUID, SessionChanges],
    now_us: int,
    stored_chunks: StreamChunks | None = None,
) -> None:
    """Project the changes of sessions, as `project_all` describes."""

    async def project_one(session_id: UUID) -> None:
        """Project the changes of one session."""
        await _project_session(
            records, user_id, session_id, changes[session_id], now_us, stored_chunks or {}
        )

    await map_concurrently(project_one, sorted(changes), SESSIONS_AT_ONCE)


async def _write_rows(records: Records, user_id: UUID, event: Event, body: EventBody) -> None:
    """Write the rows that depend on a single event, at its time."""
    match body:
        case SessionOpened():
            opened = (event.entity_id, body.started_at, body.timezone, body.plan)
            await records.sessions.open(user_id, *opened, event.received_us)
        case StreamDeclared():
            declared = (event.entity_id, body.stream, body.declaration())
            await records.sessions.declare(user_id, *declared, event.received_us)
            await _write_offset(records, user_id, event, body.stream)
        case StreamListed():
            listed = [bytes.fromhex(text) if text else NO_HASH for text in body.hashes]
            place = (event.entity_id, body.stream)
            # The offset first: a label that is cut by this list is taken to be of both.
            await _write_offset(records, user_id, event, body.stream)
            await records.sessions.put_list(user_id, *place, listed, event.received_us)
        case SessionDeleted():
            await _delete_session(records, user_id, event)
        case SetConfirmed():
            await _delete_stale_labels(records, user_id, event)
        case SetDeleted():
            await _delete_set(records, user_id, body.session, event)
        case PlanKept():
            plan = Plan(event.entity_id, body.name, body.sets, event.received_us)
            await records.plans.put(user_id, plan)
        case PlanDeleted():
            await records.plans.delete(user_id, event.entity_id, event.received_us)


async def _project_session(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    changes: SessionChanges,
    now_us: int,
    stored_chunks: StreamChunks,
) -> None:
    """Project the changes of one session."""
    if changes.lists:
        await project_lists(records, user_id, session_id, changes.lists, now_us, stored_chunks)
    elif changes.sets:
        await project_labelled_sets(records, user_id, session_id, now_us, only=changes.sets)
    await project_deviations(records, user_id, session_id, changes.at_us, now_us)


def set_row(event: Event, body: SetConfirmed) -> SetRow:
    """The set of a confirmation."""
    return SetRow(
        session_id=body.session,
        set_id=event.entity_id,
        exercise=body.exercise,
        started_at=body.started_at,
        ended_at=body.ended_at,
        reps=body.reps,
        weight_kg=body.weight_kg,
        intensity=body.intensity,
        label_source=body.label_source,
        revision=event.received_us,
    )


async def _write_offset(records: Records, user_id: UUID, event: Event, stream: str) -> None:
    offset_ms = event.meta.get(OFFSET_MS)
    if isinstance(offset_ms, int):
        await records.sessions.put_offset(
            user_id, event.entity_id, stream, offset_ms, event.received_us
        )


async def project_lists(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    streams: Collection[str],
    now_us: int,
    stored_chunks: StreamChunks,
) -> None:
    """Project the lists of streams; writes nothing where the session was deleted.

    Chunks that they do not name are copied to the dead letters.
    """
    stored = await find_session(records, user_id, session_id)
    if stored is not None and stored.lists:
        parts = await stored.parts()
        chunks = {
            stream: stored_chunks[stream]
            if stream in stored_chunks
            else await stored.metadata(stream, parts.get(stream, []))
            for stream in stored.lists
        }
        counted = {name: counted_chunks(chunks[name], stored.lists[name]) for name in chunks}
        await _project_extent(stored, counted, parts, now_us)
        named = {name: counted[name] for name in counted if name in streams}
        await forget_listed(stored, named, now_us)  # makes room for others
        for name in named:
            await keep_unlisted(stored, name, chunks[name], now_us)
    await project_labelled_sets(records, user_id, session_id, now_us)


async def _project_extent(
    stored: StoredSession, counted: StreamChunks, with_chunks: Collection[str], now_us: int
) -> None:
    """Write a session's end by its lists, and whether each stream with chunks has one."""
    session, records = stored.session, stored.records
    ends_ns = [end_ns_of(chunk) for chunks in counted.values() for chunk in chunks]
    end = time_at(max(ends_ns) // 1000) if ends_ns else None
    complete = not session.unlisted(stored.lists, with_chunks)
    if (end, complete) != (session.ended_at, session.complete):  # a sweep may find it hours later
        await records.changes.announce(stored.user_id, SESSIONS, now_us)
    await records.sessions.close(*stored.key, end, stored.lists_revision, complete=complete)
    if complete:
        await reopen(records, *stored.key, now_us)  # a stream may have begun meanwhile


async def reopen(records: Records, user_id: UUID, session_id: UUID, now_us: int) -> None:
    """Take back that a session is complete, if a stream that has no list has chunks now."""
    stored = await find_session(records, user_id, session_id)
    if stored is None or not stored.session.unlisted(stored.lists, await stored.parts()):
        return
    # After what these lists said, and before what the next one says, whatever the clocks are.
    revision = stored.lists_revision + 1
    await records.sessions.close(user_id, session_id, None, revision, complete=False)
    # nothing is missed yet
    await project_deviations(records, user_id, session_id, revision, now_us)


async def _delete_session(records: Records, user_id: UUID, event: Event) -> None:
    at_us = deletion_us(event)
    await records.sessions.delete(user_id, event.entity_id, at_us)
    await records.dead_letters.delete_session(user_id, event.entity_id, time_at(event.received_us))
    await _delete_sets(records, user_id, event.entity_id, at_us)
    await records.stretches.delete_session(user_id, event.entity_id, at_us)
    await records.samples.delete_session(user_id, event.entity_id, at_us)
    await records.predictions.delete(user_id, event.entity_id, at_us)
    await forget_deviations(records, user_id, event.entity_id, at_us)


async def _delete_sets(records: Records, user_id: UUID, session_id: UUID, at_us: int) -> None:
    """Delete a session's sets and their labelled rows, which a repeat finds without the sets."""
    labelled = await records.labelled.revisions(user_id)
    await asyncio.gather(
        records.sets.delete_session(user_id, session_id, at_us),
        *(
            records.labelled.delete(user_id, row.model_id, row.set_id, at_us)
            for row in labelled
            if row.session_id == session_id
        ),
    )


async def _delete_set(records: Records, user_id: UUID, session_id: UUID, event: Event) -> None:
    at_us = deletion_us(event)
    await asyncio.gather(
        records.sets.delete(user_id, session_id, event.entity_id, at_us),
        records.labelled.delete_set(user_id, event.entity_id, at_us),
    )


async def _delete_stale_labels(records: Records, user_id: UUID, event: Event) -> None:
    """Delete the labelled sets of earlier revisions, even if new samples are not complete yet."""
    if event.event_id == slots.set_confirmed(event.entity_id, 0):
        return  # there is no earlier one
    at_us = event.received_us - 1
    await records.labelled.delete_set(user_id, event.entity_id, at_us)
