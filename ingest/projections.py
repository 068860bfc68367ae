"""What follows from an event. Every write carries the event's time, so it may be done again.

Projecting the same event twice, late, or in another order leaves the same rows: that is how a
repeat, the sweeper and a replay of the whole journal can share this one way.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ingest.decisions import final_us
from ingest.deviations import forget_deviations, project_deviations
from ingest.leftovers import keep_leftovers
from ingest.pending import project_labelled
from ingest.recordings import decided, is_listed
from ingest.rows import end_ns_of
from schemas.errors import BadEvent
from schemas.ids import slot
from schemas.inputs import LAYOUTS
from schemas.times import at_us
from store.journal import Event
from store.plans import Plan, PlannedSets
from store.records import Records
from store.samples import ChunkHead
from store.sessions import NO_HASH, newest_revision
from store.sets import SetRow

_FIELDS: Mapping[str, set[str]] = {
    "session-opened": {"started_at", "timezone", "plan"},
    "stream-declared": {"stream", "kind", "unit"},
    "stream-listed": {"stream", "hashes"},
    "session-deleted": set(),
    "set-confirmed": {"session", "exercise", "started_at", "ended_at", "reps", "weight_kg"}
    | {"intensity", "label_source"},
    "set-deleted": {"session"},
    "plan-kept": {"name", "sets"},
    "plan-deleted": set(),
}
"""What a projection reads of the body of each kind of event."""
_OF_DEVIATIONS = {"session-opened", "stream-listed", "set-confirmed", "set-deleted"}
TOGETHER = 100  # rows of sets in one batch, events at once
SESSIONS_AT_ONCE = 8  # each reads its samples
Held = Mapping[str, Sequence[ChunkHead]]
"""What is held of the streams of a session."""


@dataclass(slots=True)
class Touched:
    """What events say of one session.

    Attributes:
        at_us: time of the newest event that its deviations follow from, 0 for none.
        lists: streams that were listed.
        sets: sets that were confirmed.
    """

    at_us: int = 0
    lists: set[str] = field(default_factory=set)
    sets: set[UUID] = field(default_factory=set)


async def project(records: Records, user_id: UUID, event: Event, now_us: int) -> None:
    """Write what follows from one event. `now_us` is announced in `changes` where sets change.

    Raises:
        BadEvent: a kind or body that is not known here: the journal is newer than this code.
    """
    await project_all(records, user_id, [event], now_us)


async def project_all(
    records: Records,
    user_id: UUID,
    events: Sequence[Event],
    now_us: int,
    held: Held | None = None,
) -> None:
    """Write what follows from events of a user, in whatever order they are.

    First the rows that an event says by itself, then, session by session, what follows from
    several of them: how far it reaches, labelled sets, deviations. That costs what the sessions
    cost, not what the events do: a replay of years is one pass.

    Args:
        records: where all of it is kept.
        user_id: whose journal.
        events: what was decided.
        now_us: announced in `changes` where sets change.
        held: chunks that whoever decided has just read, where the events are of one session; those
            of other streams are read.

    Raises:
        BadEvent: a kind or body that is not known here: the journal is newer than this code.
    """
    for event in events:
        _require_known(event)
    for start in range(0, len(events), TOGETHER):
        portion = events[start : start + TOGETHER]
        rows = [set_row(event) for event in portion if event.kind == "set-confirmed"]
        if rows:  # they share a partition: one batch for all of them
            await records.sets.put_all(user_id, rows)
        await asyncio.gather(*(_write_rows(records, user_id, event) for event in portion))
    touched = await _touched(records, user_id, events)
    gate = asyncio.Semaphore(SESSIONS_AT_ONCE)

    async def one(session_id: UUID) -> None:
        async with gate:
            await _follow(records, user_id, session_id, touched[session_id], now_us, held or {})

    await asyncio.gather(*(one(session_id) for session_id in sorted(touched)))


def _require_known(event: Event) -> None:
    needed = _FIELDS.get(event.kind)
    if needed is None or not needed <= event.body.keys():
        raise BadEvent(
            f"event {event.event_id} of kind {event.kind!r} with {sorted(event.body)} is not "
            "understood by this release",
            field="kind",
            value=event.kind,
        )


async def _write_rows(records: Records, user_id: UUID, event: Event) -> None:
    """The rows that an event says by itself, at its time."""
    match event.kind:
        case "session-opened":
            await _opened(records, user_id, event)
        case "stream-declared":
            await _declared(records, user_id, event)
        case "stream-listed":
            await _listed(records, user_id, event)
        case "session-deleted":
            await _session_deleted(records, user_id, event)
        case "set-confirmed":
            await _unlearn(records, user_id, event)
        case "set-deleted":
            session_id = UUID(str(event.body["session"]))
            await records.sets.delete(user_id, session_id, event.about, final_us(event))
        case "plan-kept":
            await records.plans.put(user_id, plan_of(event))
        case "plan-deleted":
            await records.plans.delete(user_id, event.about, event.received_us)
        case _:
            raise AssertionError(f"{event.kind} has fields but no projection")


async def _touched(records: Records, user_id: UUID, events: Sequence[Event]) -> dict[UUID, Touched]:
    """The sessions that events are about, and what each of them says."""
    found: dict[UUID, Touched] = defaultdict(Touched)
    for event in events:
        if event.kind == "plan-kept":  # a session may have followed it before it came
            for session_id in await records.sessions.of_plan(user_id, event.about):
                found[session_id].at_us = max(found[session_id].at_us, 1)
        if event.kind in _OF_DEVIATIONS:
            session_id = UUID(str(event.body.get("session", event.about)))
            found[session_id].at_us = max(found[session_id].at_us, event.received_us)
            if event.kind == "stream-listed":
                found[session_id].lists.add(str(event.body["stream"]))
            if event.kind == "set-confirmed":
                found[session_id].sets.add(event.about)
    return found


async def _follow(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    touched: Touched,
    now_us: int,
    held: Held,
) -> None:
    """What follows from several events of a session."""
    if touched.lists:
        await settle(records, user_id, session_id, touched.lists, now_us, held)
    elif touched.sets:
        await project_labelled(records, user_id, session_id, now_us, only=touched.sets)
    await project_deviations(records, user_id, session_id, touched.at_us)


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


def plan_of(event: Event) -> Plan:
    """The plan that a word about it says."""
    sets: PlannedSets = event.body["sets"]  # pyright: ignore[reportAssignmentType] checked at the door
    return Plan(event.about, str(event.body["name"]), sets, event.received_us)


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


async def _listed(records: Records, user_id: UUID, event: Event) -> None:
    stream, hashes = str(event.body["stream"]), event.body["hashes"]
    listed = [bytes.fromhex(h) if h else NO_HASH for h in hashes]  # pyright: ignore
    await records.sessions.put_list(user_id, event.about, stream, listed, event.received_us)
    await _offset(records, user_id, event, stream)


async def settle(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    streams: Collection[str],
    now_us: int,
    held: Held,
) -> None:
    """Draw the consequences of lists of streams; nothing happens where the session is gone."""
    await _reach(records, user_id, session_id, streams, held)
    await project_labelled(records, user_id, session_id, now_us)


async def _reach(
    records: Records, user_id: UUID, session_id: UUID, streams: Collection[str], held: Held
) -> None:
    """How far a session reaches by its lists, and what the lists of these streams leave over."""
    session = await records.sessions.read(user_id, session_id)
    lists = await records.sessions.lists(user_id, session_id)
    if session is None or not lists:
        return
    parts = await records.samples.parts(user_id, session_id)
    ends_ns: list[int] = []
    left: dict[str, list[ChunkHead]] = {}
    for stream, listed in lists.items():
        heads = held.get(stream)
        if heads is None:
            heads = await records.samples.heads(user_id, session_id, stream, parts.get(stream, []))
        ends_ns += [end_ns_of(head) for head in decided(heads, listed)]
        if stream in streams:
            left[stream] = [head for head in heads if not is_listed(head, listed)]
    await records.sessions.close(
        user_id,
        session_id,
        at_us(max(ends_ns) // 1000) if ends_ns else None,
        newest_revision(lists),
        complete=all(name in lists or name not in parts for name in session.streams),
    )
    for stream, heads in left.items():
        await keep_leftovers(records, user_id, session_id, stream, heads, lists[stream])


async def _session_deleted(records: Records, user_id: UUID, event: Event) -> None:
    at = final_us(event)
    await records.sessions.delete(user_id, event.about, at)
    await records.sets.delete_session(user_id, event.about, at)
    await records.stretches.delete_session(user_id, event.about, at)
    await records.samples.delete_session(user_id, event.about, at)
    await records.predictions.delete(user_id, event.about, at)
    await forget_deviations(records, user_id, event.about, at)


async def _unlearn(records: Records, user_id: UUID, event: Event) -> None:
    """What an earlier revision taught goes in any case: the new samples may not be in yet."""
    if event.event_id == slot(event.about, "set", 0):
        return  # there is no earlier one
    at = event.received_us - 1
    await asyncio.gather(
        *(records.sets.delete_labelled(user_id, model_id, event.about, at) for model_id in LAYOUTS)
    )
