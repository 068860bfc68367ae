"""How an event enters the journal: one slot, one winner, a time later than what it follows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from schemas.ids import slot
from schemas.times import us_of
from schemas.topics import Topic
from store.journal import Event
from store.records import Records

Clock = Callable[[], datetime]
Take = Callable[[int], object]
"""Charges bytes, which are about to be stored, to a quota; raises `LimitExceeded` over it."""
MS_US = 1000
FINAL_US = 10 * 365 * 86_400 * 1_000_000


def take_nothing(size_bytes: int) -> None:
    """Charge nothing: the caller may keep as much as there is."""


def final_us(event: Event) -> int:
    """The write timestamp of a deletion.

    A deletion is final: ids are never used again. Its tombstones lie ten years ahead, so that
    writes that are still under way cannot bring anything back.
    """
    return event.received_us + FINAL_US


@dataclass(frozen=True, slots=True)
class Decisions:
    """The door to the journal."""

    records: Records
    clock: Clock

    def now_us(self) -> int:
        """Server time in microseconds, rounded down to milliseconds, as the journal holds it."""
        return us_of(self.clock()) // MS_US * MS_US

    async def decide(
        self,
        user_id: UUID,
        about: UUID,
        question: tuple[object, ...],
        kind: str,
        body: Mapping[str, object],
        *,
        topic: Topic,
        after_us: int = 0,
        meta: Mapping[str, object] | None = None,
    ) -> tuple[Event, bool]:
        """Fill a slot.

        Args:
            user_id: whose journal.
            about: the session or set.
            question: words that name the slot beside `about`.
            kind: what is decided.
            body: what the client said.
            topic: announced in `changes` first.
            after_us: the revision that this event follows; the event gets a later time in any case.
            meta: what the server adds; two events may differ in it and be the same.

        Returns:
            What stands in the slot now, and whether it says what was asked.
        """
        event = self.event(about, question, kind, body, after_us=after_us, meta=meta)
        kept = await self.records.journal.append(user_id, event, topic)
        return kept, kept.says_the_same(event)

    def event(
        self,
        about: UUID,
        question: tuple[object, ...],
        kind: str,
        body: Mapping[str, object],
        *,
        after_us: int = 0,
        meta: Mapping[str, object] | None = None,
    ) -> Event:
        """What would fill a slot now; see `decide`."""
        return Event(
            event_id=slot(about, *question),
            about=about,
            kind=kind,
            body=body,
            received_us=max(self.now_us(), after_us + MS_US),
            meta=meta or {},
        )
