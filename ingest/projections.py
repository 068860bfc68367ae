"""What follows from an event. Every write carries the event's time, so it may be done again.

Projecting the same event twice, late, or in another order leaves the same rows: that is how a
repeat, the sweeper and a replay of the whole journal can share this one way.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from ingest.decisions import final_us
from ingest.leftovers import keep_leftovers
from ingest.pending import project_labelled
from ingest.recordings import NS, decided
from schemas.errors import BadEvent
from schemas.times import at_us
from store.journal import Event
from store.records import Records
from store.sessions import NO_HASH, StreamList
from store.sets import MODEL_IDS, SetRow

_FIELDS: Mapping[str, set[str]] = {
    "session-opened": {"started_at", "timezone", "plan"},
    "stream-declared": {"stream", "kind", "unit"},
    "stream-listed": {"stream", "hashes"},
    "session-deleted": set(),
    "set-confirmed": {"session", "exercise", "started_at", "ended_at", "reps", "weight_kg"}
    | {"intensity", "label_source"},
    "set-deleted": {"session"},
}
"""What a projection reads of the body of each kind of event."""


async def project(records: Records, user_id: UUID, event: Event, now_us: int) -> None:
    """Write what follows from one event. `now_us` is announced in `changes` where sets change.

    Raises:
        BadEvent: a kind or body that is not known here: the journal is newer than this code.
    """
    needed = _FIELDS.get(event.kind)
    if needed is None or not needed <= event.body.keys():
        raise BadEvent(
            f"event {event.event_id} of kind {event.kind!r} with {sorted(event.body)} is not "
            "understood by this release",
            field="kind",
            value=event.kind,
        )
    match event.kind:
        case "session-opened":
            await _opened(records, user_id, event)
        case "stream-declared":
            await _declared(records, user_id, event)
        case "stream-listed":
            await _listed(records, user_id, event, now_us)
        case "session-deleted":
            await _session_deleted(records, user_id, event)
        case "set-confirmed":
            await _set_confirmed(records, user_id, event, now_us)
        case "set-deleted":
            session_id = UUID(str(event.body["session"]))
            await records.sets.delete(user_id, session_id, event.about, final_us(event))
        case _:
            raise AssertionError(f"{event.kind} has fields but no projection")


def set_row(event: Event) -> SetRow:
    """The set that a confirmation says."""
    body = event.body
    return SetRow(
        session_id=UUID(str(body["session"])),
        set_id=event.about,
        exercise=str(body["exercise"]),
        started_at=datetime.fromisoformat(str(body["started_at"])),
        ended_at=datetime.fromisoformat(str(body["ended_at"])),
        reps=body["reps"],  # pyright: ignore[reportArgumentType] checked by schemas.events
        weight_kg=body["weight_kg"],  # pyright: ignore[reportArgumentType]
        intensity=body["intensity"],  # pyright: ignore[reportArgumentType]
        label_source=str(body["label_source"]),
        revision=event.received_us,
    )


async def _opened(records: Records, user_id: UUID, event: Event) -> None:
    plan = event.body["plan"]
    await records.sessions.open(
        user_id,
        event.about,
        datetime.fromisoformat(str(event.body["started_at"])),
        str(event.body["timezone"]),
        UUID(str(plan)) if plan else None,
        event.received_us,
    )


async def _declared(records: Records, user_id: UUID, event: Event) -> None:
    stream = str(event.body["stream"])
    declaration = {key: value for key, value in event.body.items() if key != "stream"}
    await records.sessions.declare(user_id, event.about, stream, declaration, event.received_us)
    await _offset(records, user_id, event, stream)


async def _offset(records: Records, user_id: UUID, event: Event, stream: str) -> None:
    offset_ms = event.meta.get("offset_ms")
    if isinstance(offset_ms, int):
        await records.sessions.offset(user_id, event.about, stream, offset_ms, event.received_us)


async def _listed(records: Records, user_id: UUID, event: Event, now_us: int) -> None:
    """A list decides: how far the session reaches, what is left over, which samples count."""
    stream, hashes = str(event.body["stream"]), event.body["hashes"]
    listed = [bytes.fromhex(h) if h else NO_HASH for h in hashes]  # pyright: ignore
    await records.sessions.put_list(user_id, event.about, stream, listed, event.received_us)
    await _offset(records, user_id, event, stream)
    await settle(records, user_id, event.about, stream, now_us)


async def settle(
    records: Records, user_id: UUID, session_id: UUID, stream: str, now_us: int
) -> None:
    """Draw the consequences of a stream's list; nothing happens where the session is gone."""
    session = await records.sessions.read(user_id, session_id)
    lists = await records.sessions.lists(user_id, session_id)
    if session is None or not lists:
        return
    parts = await records.samples.parts(user_id, session_id)
    await records.sessions.close(
        user_id,
        session_id,
        await _end(records, user_id, session_id, lists, parts),
        max(one.revision for one in lists.values()),
        complete=all(name in lists or name not in parts for name in session.streams),
    )
    await keep_leftovers(records, user_id, session_id, stream)
    await project_labelled(records, user_id, session_id, now_us)


async def _end(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    lists: Mapping[str, StreamList],
    parts: Mapping[str, list[int]],
) -> datetime | None:
    """When the last listed chunk ends, None where nothing is listed."""
    pages = await asyncio.gather(
        *(records.samples.heads(user_id, session_id, s, parts.get(s, [])) for s in lists)
    )
    ends = [
        head.t0_ns + int(head.n / head.rate_hz * NS)
        for stream, heads in zip(lists, pages, strict=True)
        for head in decided(heads, lists[stream])
    ]
    return at_us(max(ends) // 1000) if ends else None


async def _session_deleted(records: Records, user_id: UUID, event: Event) -> None:
    at = final_us(event)
    await records.sessions.delete(user_id, event.about, at)
    await records.sets.delete_session(user_id, event.about, at)
    await records.stretches.delete_session(user_id, event.about, at)
    await records.samples.delete_session(user_id, event.about, at)


async def _set_confirmed(records: Records, user_id: UUID, event: Event, now_us: int) -> None:
    row = set_row(event)
    await records.sets.put(user_id, row)
    # What an earlier revision taught goes in any case: the new samples may not be in yet.
    await asyncio.gather(
        *(
            records.sets.delete_labelled(user_id, model_id, row.set_id, row.revision - 1)
            for model_id in MODEL_IDS
        )
    )
    await project_labelled(records, user_id, row.session_id, now_us, only={row.set_id})
