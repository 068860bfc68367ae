"""Writes events to the journal: the first event in a slot wins, later than the one it follows."""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from ingest.client_ids import check_client_id
from schemas.config import Limits
from schemas.errors import Retryable
from schemas.retention import TOMBSTONE_AHEAD
from schemas.times import Clock, us_of
from schemas.topics import Topic
from store.journal import Event
from store.records import Records

MS_US = 1000
MAX_ATTEMPTS = 8
"""How often an event is written after the newest one, while others write theirs."""
TOMBSTONE_AHEAD_US = TOMBSTONE_AHEAD // timedelta(microseconds=1)


class Cost(Protocol):
    """What it costs to store something, of a quota."""

    def take(self) -> None:
        """Charge it; raises `LimitExceeded` over the quota."""

    def refund(self) -> None:
        """Return it: nothing was stored."""


CostOfBytes = Callable[[int], Cost]
"""What it costs to store bytes."""


@contextmanager
def charged(cost: Cost) -> Generator[None]:
    """Charge what is about to be stored; not if the database is away: it will be sent again."""
    cost.take()
    try:
        yield
    except (Retryable, asyncio.CancelledError):  # the latter after `api.request_timeout_s`
        cost.refund()
        raise


def deletion_us(event: Event) -> int:
    """The write timestamp of a deletion.

    A deletion is final: ids are never used again. Its tombstones are dated ten years ahead, so that
    writes still in flight cannot bring anything back.
    """
    return event.received_us + TOMBSTONE_AHEAD_US


@dataclass(frozen=True, slots=True)
class EventWriter:
    """Creates events and appends them to the journal.

    Attributes:
        records: the repositories.
        clock: of the server.
        limits: how far the id of something new may lie from now.
    """

    records: Records
    clock: Clock
    limits: Limits

    def now_us(self) -> int:
        """Server time in microseconds, rounded down to milliseconds, the journal's resolution."""
        return us_of(self.clock()) // MS_US * MS_US

    def check_new_id(self, id_: UUID, field: str) -> None:
        """Refuse an id for something new, as `ingest.client_ids.check_client_id`.

        Raises:
            BadEvent, ClockSkew: it is no UUIDv7 of about now.
        """
        check_client_id(id_, field, self.now_us() // 1000, self.limits)

    async def append(self, user_id: UUID, event: Event, topic: Topic, cost: Cost) -> Event:
        """Append an event, and charge it if it is stored.

        One that is there already is free, also where the quota is used up.

        Returns:
            The event that is in the slot now.
        """
        journal = self.records.journal
        if await journal.read(user_id, event.entity_id, event.event_id):
            return await journal.append(user_id, event, topic)
        with charged(cost):
            stored = await journal.append(user_id, event, topic)
        if stored != event:
            cost.refund()
        return stored

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
        """An event of now, to be appended.

        Args:
            entity_id: the session, set or plan.
            slot_id: of `ingest.slots`.
            kind: of the event.
            body: what the client sent.
            after_us: the revision that this event follows; the event's time is always later.
            meta: what the server adds; not part of the comparison of two events.
        """
        return Event(
            event_id=slot_id,
            entity_id=entity_id,
            kind=kind,
            body=body,
            received_us=max(self.now_us(), after_us + MS_US),
            meta=meta or {},
        )
