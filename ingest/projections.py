"""Writes the rows that follow from events, at the time of the event: safe to repeat.

Every write carries the time of its event. Projecting the same event twice, late, or in another
order therefore leaves the same rows, which is how a repeat, the sweeper and a replay of the whole
journal can share this one way.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ingest.decisions import final_us
from ingest.deviations import forget_deviations, project_deviations
from ingest.pending import project_labelled
from ingest.recordings import decided, is_listed
from ingest.rows import end_ns_of
from ingest.unlisted_chunks import keep_unlisted
from schemas.ids import slot
from schemas.inputs import LAYOUTS
from schemas.journal import (
    PlanDeleted,
    PlanKept,
    Said,
    SessionDeleted,
    SessionOpened,
    SetConfirmed,
    SetDeleted,
    StreamDeclared,
    StreamListed,
)
from schemas.times import at_us
from store.concurrency import map_concurrently
from store.journal import Event
from store.plans import Plan
from store.records import Records
from store.samples import ChunkHead
from store.sessions import NO_HASH, newest_revision
from store.sets import SetRow

TOGETHER = 100  # rows of sets in one batch, events at once
SESSIONS_AT_ONCE = 8  # each reads its samples
Fact = tuple[Event, Said]
Held = Mapping[str, Sequence[ChunkHead]]
"""The chunks that are held of each stream of a session."""


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

    First come the rows that a single event gives; then, session by session, what follows from
    several events: how far the session reaches, its labelled sets, its deviations. The cost grows
    with the sessions, not with the events: a replay of years is one pass.

    Args:
        records: where all of it is kept.
        user_id: whose journal.
        events: what was decided.
        now_us: announced in `changes` where sets change.
        held: chunks that the caller has just read, where all events are of one session; chunks of
            other streams are read.

    Raises:
        BadEvent: a kind or body that is not known here: the journal is newer than this code.
    """
    await follow(records, user_id, await write_rows(records, user_id, events), now_us, held)


async def write_rows(
    records: Records, user_id: UUID, events: Sequence[Event]
) -> dict[UUID, Touched]:
    """Write the rows that events say by themselves; tells which sessions are to be followed up.

    Who has more events than fit in memory at once writes them in portions, and calls `follow` once
    for all that those tell (`merged`).

    Raises:
        BadEvent: a kind or body that is not known here; nothing was written.
    """
    facts = [(event, event.said) for event in events]  # all of them, before anything is written
    for start in range(0, len(facts), TOGETHER):
        portion = facts[start : start + TOGETHER]
        rows = [set_row(event, said) for event, said in portion if isinstance(said, SetConfirmed)]
        if rows:  # they share a partition: one batch for all of them
            await records.sets.put_all(user_id, rows)
        await asyncio.gather(*(_write_rows(records, user_id, *fact) for fact in portion))
    return await _touched(records, user_id, facts)


def merged(portions: Iterable[Mapping[UUID, Touched]]) -> dict[UUID, Touched]:
    """What portions of a user's events say of sessions, together."""
    found: dict[UUID, Touched] = defaultdict(Touched)
    for portion in portions:
        for session_id, said in portion.items():
            one = found[session_id]
            one.at_us = max(one.at_us, said.at_us)
            one.lists |= said.lists
            one.sets |= said.sets
    return found


async def follow(
    records: Records,
    user_id: UUID,
    touched: Mapping[UUID, Touched],
    now_us: int,
    held: Held | None = None,
) -> None:
    """Write what follows, session by session, from all events about it; `project_all` says how."""

    async def one(session_id: UUID) -> None:
        """Write what follows from all that the events say of one session."""
        await _follow(records, user_id, session_id, touched[session_id], now_us, held or {})

    await map_concurrently(one, sorted(touched), SESSIONS_AT_ONCE)


async def _write_rows(records: Records, user_id: UUID, event: Event, said: Said) -> None:
    """Write the rows that a single event gives, at its time."""
    match said:
        case SessionOpened():
            opened = (event.about, said.started_at, said.timezone, said.plan)
            await records.sessions.open(user_id, *opened, event.received_us)
        case StreamDeclared():
            declared = (event.about, said.stream, said.declaration())
            await records.sessions.declare(user_id, *declared, event.received_us)
            await _offset(records, user_id, event, said.stream)
        case StreamListed():
            listed = [bytes.fromhex(one) if one else NO_HASH for one in said.hashes]
            place = (event.about, said.stream)
            await records.sessions.put_list(user_id, *place, listed, event.received_us)
            await _offset(records, user_id, event, said.stream)
        case SessionDeleted():
            await _session_deleted(records, user_id, event)
        case SetConfirmed():
            await _unlearn(records, user_id, event)
        case SetDeleted():
            await records.sets.delete(user_id, said.session, event.about, final_us(event))
        case PlanKept():
            plan = Plan(event.about, said.name, said.sets, event.received_us)
            await records.plans.put(user_id, plan)
        case PlanDeleted():
            await records.plans.delete(user_id, event.about, event.received_us)


async def _touched(records: Records, user_id: UUID, facts: Sequence[Fact]) -> dict[UUID, Touched]:
    """The sessions that events are about, and what each of them says."""
    found: dict[UUID, Touched] = defaultdict(Touched)
    for event, said in facts:
        match said:
            case PlanKept():  # a session may have followed it before it came
                for session_id in await records.sessions.of_plan(user_id, event.about):
                    found[session_id].at_us = max(found[session_id].at_us, 1)
                continue
            case SessionOpened():
                session_id = event.about
            case StreamListed():
                session_id = event.about
                found[session_id].lists.add(said.stream)
            case SetConfirmed():
                session_id = said.session
                found[session_id].sets.add(event.about)
            case SetDeleted():
                session_id = said.session
            case StreamDeclared() | SessionDeleted() | PlanDeleted():
                continue
        found[session_id].at_us = max(found[session_id].at_us, event.received_us)
    return found


async def _follow(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    touched: Touched,
    now_us: int,
    held: Held,
) -> None:
    """Write what follows from several events of one session."""
    if touched.lists:
        await settle(records, user_id, session_id, touched.lists, now_us, held)
    elif touched.sets:
        await project_labelled(records, user_id, session_id, now_us, only=touched.sets)
    await project_deviations(records, user_id, session_id, touched.at_us)


def set_row(event: Event, said: SetConfirmed) -> SetRow:
    """The set that a confirmation says."""
    return SetRow(
        session_id=said.session,
        set_id=event.about,
        exercise=said.exercise,
        started_at=said.started_at,
        ended_at=said.ended_at,
        reps=said.reps,
        weight_kg=said.weight_kg,
        intensity=said.intensity,
        label_source=said.label_source,
        revision=event.received_us,
    )


async def _offset(records: Records, user_id: UUID, event: Event, stream: str) -> None:
    offset_ms = event.meta.get("offset_ms")
    if isinstance(offset_ms, int):
        await records.sessions.offset(user_id, event.about, stream, offset_ms, event.received_us)


async def settle(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    streams: Collection[str],
    now_us: int,
    held: Held,
) -> None:
    """Write what follows from the lists of streams; nothing where the session is gone."""
    await _reach(records, user_id, session_id, streams, held)
    await project_labelled(records, user_id, session_id, now_us)


async def _reach(
    records: Records, user_id: UUID, session_id: UUID, streams: Collection[str], held: Held
) -> None:
    """Write how far a session reaches by its lists, and keep the chunks that they do not name."""
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
        await keep_unlisted(records, user_id, session_id, stream, heads, lists[stream])


async def _session_deleted(records: Records, user_id: UUID, event: Event) -> None:
    at = final_us(event)
    await records.sessions.delete(user_id, event.about, at)
    await records.sets.delete_session(user_id, event.about, at)
    await records.stretches.delete_session(user_id, event.about, at)
    await records.samples.delete_session(user_id, event.about, at)
    await records.predictions.delete(user_id, event.about, at)
    await forget_deviations(records, user_id, event.about, at)


async def _unlearn(records: Records, user_id: UUID, event: Event) -> None:
    """Take out what an earlier revision taught, even where the new samples are not in yet."""
    if event.event_id == slot(event.about, "set", 0):
        return  # there is no earlier one
    at = event.received_us - 1
    await asyncio.gather(
        *(records.sets.delete_labelled(user_id, model_id, event.about, at) for model_id in LAYOUTS)
    )
