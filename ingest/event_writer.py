"""Writes events to the journal: the first event in a slot wins, later than the one it follows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from schemas.retention import TOMBSTONE_AHEAD
from schemas.times import Clock, us_of
from schemas.topics import Topic
from store.journal import Event
from store.records import Records

ChargeBytes = Callable[[int], object]
"""Charges bytes, which are about to be stored, to a quota; raises `LimitExceeded` over it."""
MS_US = 1000
TOMBSTONE_AHEAD_US = TOMBSTONE_AHEAD // timedelta(microseconds=1)


def charge_nothing(size_bytes: int) -> None:
    """Charge nothing: the caller has no quota."""


def deletion_us(event: Event) -> int:
    """The write timestamp of a deletion.

    A deletion is final: ids are never used again. Its tombstones are dated ten years ahead, so that
    writes still in flight cannot bring anything back.
    """
    return event.received_us + TOMBSTONE_AHEAD_US


@dataclass(frozen=True, slots=True)
class EventWriter:
    """Creates events and appends them to the journal."""

    records: Records
    clock: Clock

    def now_us(self) -> int:
        """Server time in microseconds, rounded down to milliseconds, the journal's resolution."""
        return us_of(self.clock()) // MS_US * MS_US

    async def write(
        self,
        user_id: UUID,
        entity_id: UUID,
        slot_id: UUID,
        kind: str,
        body: Mapping[str, object],
        *,
        topic: Topic,
        after_us: int = 0,
        meta: Mapping[str, object] | None = None,
    ) -> tuple[Event, bool]:
        """Append an event, unless its slot is taken.

        Args:
            user_id: whose journal.
            entity_id: the session, set or plan.
            slot_id: of `ingest.slots`.
            kind: of the event.
            body: what the client sent.
            topic: announced in `changes` first.
            after_us: the revision that this event follows; the event's time is always later.
            meta: what the server adds; not part of the comparison of two events.

        Returns:
            The event that is in the slot now, and whether it matches the one to be written.
        """
        event = self.event(entity_id, slot_id, kind, body, after_us=after_us, meta=meta)
        stored = await self.records.journal.append(user_id, event, topic)
        return stored, stored.matches(event)

    def event(
        self,
        entity_id: UUID,
        slot_id: UUID,
        kind: str,
        body: Mapping[str, object],
        *,
        after_us: int = 0,
        meta: Mapping[str, object] | None = None,
    ) -> Event:
        """The event that `write` would append now."""
        return Event(
            event_id=slot_id,
            entity_id=entity_id,
            kind=kind,
            body=body,
            received_us=max(self.now_us(), after_us + MS_US),
            meta=meta or {},
        )
