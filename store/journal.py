"""The journal of events: announced in `changes` first, then inserted by a conditional write.

The id of an event is its slot (`schemas.ids.slot`): the first event in a slot wins, and all other
writers get that one. Its month follows from the UUIDv7 of its entity, so a repeat always meets the
same row.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple
from uuid import UUID

from schemas.errors import Retryable, UncertainWrite
from schemas.ids import day_of
from schemas.journal import EventBody, parse_event_body
from schemas.layout import MAX_ID_AGE_DAYS, month_of
from schemas.times import time_at, us_of
from schemas.topics import OLD_IDS, UNSETTLED, Topic
from store.changes import Changes, first_ms
from store.concurrency import map_concurrently
from store.conditional_writes import decided
from store.database import Database, Row, Statement

_MONTH = "SELECT event_id, kind, payload, received_at FROM journal WHERE user_id = ? AND month = ?"
_ONE = f"{_MONTH} AND event_id = ?"
_SOME = f"{_MONTH} AND event_id IN ?"
_NO_EVENT = UUID(int=0)
_RECEIVED = (  # filtered within one partition: all else stays at the node
    "SELECT event_id, month, received_at FROM journal "
    "WHERE user_id = ? AND month = ? AND received_at >= ? ALLOW FILTERING"
)
_TIMES = ("started_at", "ended_at")
"""The fields of bodies that are times."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        event_id: its slot.
        entity_id: the UUIDv7 of its session, set or plan; it determines the month.
        kind: what happened.
        body: what the client sent; two events match when kind and body do.
        meta: what the server added (clock offsets); not part of the comparison.
        received_us: server time in microseconds, whole milliseconds: the write timestamp of
            every projection of this event.
    """

    event_id: UUID
    entity_id: UUID
    kind: str
    body: Mapping[str, object]
    received_us: int
    meta: Mapping[str, object] = field(default_factory=dict)

    @property
    def parsed(self) -> EventBody:
        """The body as the type of its kind.

        Raises:
            BadEvent: an unknown kind or body: the event is of a later release.
        """
        return parse_event_body(self.kind, self.body)

    def matches(self, other: "Event") -> bool:
        """Whether both have the same kind and body, times to the millisecond as rows have them.

        A client may send back what it read.
        """
        return self.kind == other.kind and _comparable(self.body) == _comparable(other.body)


class EventKey(NamedTuple):
    """The key of an event, and when it was received."""

    event_id: UUID
    month: str
    received_us: int


class Journal:
    """Events of users by month."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changes = Changes(database)

    async def append(self, user_id: UUID, event: Event, topic: Topic) -> Event:
        """Announce and insert an event; returns the event that is in its slot afterwards.

        Raises:
            UncertainWrite: Cassandra could not tell, several times; the call may be repeated.
        """
        await self._announce_events(user_id, topic, [event])
        insert = _insert(user_id, event)
        ask = partial(self._database.run, insert.cql, insert.values)
        answer = await self._decided(user_id, event, ask)
        return event if answer[0][0] else _event(answer[0])

    async def append_unless(
        self, user_id: UUID, event: Event, topic: Topic, other_slot: UUID
    ) -> Event:
        """Announce and insert an event unless another slot of its entity is taken.

        Returns:
            The event that is in its slot afterwards; the one in the other slot where that kept it
            from being written.

        Raises:
            UncertainWrite: Cassandra could not tell, several times; the call may be repeated.
        """
        await self._announce_events(user_id, topic, [event])
        batch = [_insert(user_id, event), _if_free(user_id, event.entity_id, other_slot)]
        answer = await self._decided(user_id, event, partial(self._database.run_batch, batch))
        if answer[0][0]:
            return event
        for slot_id in (event.event_id, other_slot):
            if stored := await self.read(user_id, event.entity_id, slot_id):
                return stored
        raise UncertainWrite("What kept an event from being written is gone: is the user erased?")

    async def _decided(
        self, user_id: UUID, event: Event, ask: Callable[[], Awaitable[list[Row]]]
    ) -> list[Row]:
        """The answer to a conditional write of an event, repeated where Cassandra could not tell.

        Raises:
            UncertainWrite: Cassandra could not tell, several times.
        """
        return await decided(partial(self._ask, user_id, event.received_us, ask))

    async def _ask(
        self, user_id: UUID, at_us: int, ask: Callable[[], Awaitable[list[Row]]]
    ) -> list[Row]:
        """The answer to a conditional write of events, asked once.

        Where nobody knows, a later write to the month may still complete it, with its old date. If
        neither this request nor the client asks again, only a sweep that settles the month first
        will meet it. That is announced at once: while a node hangs, the request may end before the
        next answer.

        Raises:
            UncertainWrite: Cassandra could not tell.
        """
        try:
            return await ask()
        except UncertainWrite:
            with suppress(Retryable):
                await self._changes.announce(user_id, UNSETTLED, at_us)
            raise

    async def append_all(self, user_id: UUID, events: Sequence[Event], topic: Topic) -> list[Event]:
        """Append events of one month in one batch.

        If a slot is taken, or Cassandra could not tell, they are appended one by one.

        Args:
            user_id: whose journal.
            events: of entities of one month, some 40 KB of them at most.
            topic: announced first.

        Raises:
            UncertainWrite: Cassandra could not tell, several times; the call may be repeated.
        """
        if not events:
            return []
        await self._announce_events(user_id, topic, events)
        insert = partial(self._database.run_batch, [_insert(user_id, event) for event in events])
        with suppress(UncertainWrite):
            answer = await self._ask(user_id, max(event.received_us for event in events), insert)
            if answer[0][0]:
                return list(events)
        return [await self.append(user_id, event, topic) for event in events]

    async def _announce_events(self, user_id: UUID, topic: Topic, events: Sequence[Event]) -> None:
        """Announce events to be written, and that old months must be swept for some of them."""
        at_us = max(event.received_us for event in events)
        await self._changes.announce(user_id, topic, at_us)
        oldest = min(day_of(event.entity_id) for event in events)
        if oldest < time_at(at_us).date() - timedelta(MAX_ID_AGE_DAYS):
            await self._changes.announce(user_id, OLD_IDS, at_us)

    async def read(self, user_id: UUID, entity_id: UUID, event_id: UUID) -> Event | None:
        """The event in a slot."""
        rows = await self._database.run(_ONE, (user_id, month_of(day_of(entity_id)), event_id))
        return _event(rows[0]) if rows else None

    async def events(self, user_id: UUID, months: Iterable[str]) -> list[Event]:
        """A user's events of some months, ordered by the time they were received."""
        pages = await asyncio.gather(
            *(self._database.run(_MONTH, (user_id, month)) for month in set(months))
        )
        events = [_event(row) for page in pages for row in page]
        return sorted(events, key=lambda event: (event.received_us, event.event_id))

    async def keys(self, user_id: UUID, months: Iterable[str], since: datetime) -> list[EventKey]:
        """The keys of a user's events of some months that were received since then, in order."""
        since_ms = first_ms(since)
        pages = await asyncio.gather(
            *(self._database.run(_RECEIVED, (user_id, month, since_ms)) for month in set(months))
        )
        keys = [
            EventKey(row.event_id, row.month, us_of(row.received_at))
            for page in pages
            for row in page
        ]
        return sorted(keys, key=lambda key: (key.received_us, key.event_id))

    async def read_many(self, user_id: UUID, keys: Iterable[EventKey]) -> list[Event]:
        """A user's events with these keys, in their order; one read per month."""
        keys = list(keys)
        wanted: dict[str, list[UUID]] = {}
        for key in keys:
            wanted.setdefault(key.month, []).append(key.event_id)
        pages = await asyncio.gather(
            *(self._database.run(_SOME, (user_id, m, ids)) for m, ids in wanted.items())
        )
        events = {row.event_id: _event(row) for page in pages for row in page}
        return [events[key.event_id] for key in keys if key.event_id in events]

    async def settle(self, user_id: UUID, months: Iterable[str]) -> None:
        """Complete or discard the writes to a user's months whose writers gave up on them.

        Each conditional write does that before anything else. These are of an event that does not
        exist, and so write nothing.
        """
        cql = "DELETE FROM journal WHERE user_id = ? AND month = ? AND event_id = ? IF EXISTS"
        keys = [(user_id, month, _NO_EVENT) for month in sorted(set(months))]
        await map_concurrently(partial(self._database.run, cql), keys, limit=32)


def _if_free(user_id: UUID, entity_id: UUID, slot_id: UUID) -> Statement:
    """A condition for a batch: nothing is in a slot, and so nothing is deleted there."""
    return Statement(
        "DELETE v FROM journal WHERE user_id = ? AND month = ? AND event_id = ? IF kind = null",
        (user_id, month_of(day_of(entity_id)), slot_id),
    )


def _insert(user_id: UUID, event: Event) -> Statement:
    return Statement(
        "INSERT INTO journal (user_id, month, event_id, v, kind, payload, received_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS",
        (
            user_id,
            month_of(day_of(event.entity_id)),
            event.event_id,
            1,
            event.kind,
            _payload(event),
            event.received_us // 1000,
        ),
    )


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _comparable(body: Mapping[str, object]) -> str:
    """A body as text, with its times in milliseconds since the epoch."""
    times = {name: value for name in _TIMES if isinstance(value := body.get(name), str)}
    in_ms = {name: us_of(datetime.fromisoformat(text)) // 1000 for name, text in times.items()}
    return _text({**body, **in_ms})


def _payload(event: Event) -> str:
    return _text({"about": str(event.entity_id), "body": event.body, "meta": event.meta})


def event_of(event_id: UUID, kind: str, text: str, received_at: datetime) -> Event:
    """The event in a row of `journal`; `text` is its payload."""
    payload = json.loads(text)
    return Event(
        event_id=event_id,
        entity_id=UUID(payload["about"]),
        kind=kind,
        body=payload["body"],
        received_us=us_of(received_at),
        meta=payload["meta"],
    )


def _event(row: Row) -> Event:
    return event_of(row.event_id, row.kind, row.payload, row.received_at)
