"""The repositories of recording without Cassandra, for tests that need thousands of histories.

Small and real: cells with write timestamps, the later one wins, a tombstone wins a tie. The same
suite (tests/store/test_records.py) runs over this and over Cassandra.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from schemas.config import Limits
from schemas.ids import day_of, time_us_of
from schemas.layout import month_of, part_of
from schemas.times import time_at, us_of
from schemas.topics import Topic
from store.changes import Changes
from store.dead_letters import DeadLetter, DeadLetters, LetterKey, is_about, seconds_left
from store.journal import Event, EventKey, Journal
from store.records import Records
from store.samples import ChunkMetadata, SampleRow, Samples
from store.sessions import SessionRow, Sessions, StreamList
from tests.store.cells import Cells
from tests.store.memory_plans import MemoryDeviations, MemoryPlans, MemoryPredictions
from tests.store.memory_sets import MemoryLabelledSets, MemorySets, MemoryStretches


class MemorySamples(Samples):
    """Chunks in memory."""

    def __init__(self) -> None:
        self._samples, self._parts = Cells(), Cells()

    async def put(self, user_id: UUID, session_id: UUID, stream: str, row: SampleRow) -> None:
        """Keep a chunk."""
        key = (user_id, session_id, stream, part_of(row.seq), row.seq, row.sha256)
        self._samples.write(key, {"row": row}, time_us_of(session_id))

    async def register_part(self, user_id: UUID, session_id: UUID, stream: str, part: int) -> None:
        """Register a part."""
        key = (user_id, session_id)
        names = dict(self._parts.read(key)).get(key, {})
        self._parts.write(key, {(stream, part): True}, len(names) + 1)

    async def parts(self, user_id: UUID, session_id: UUID) -> dict[str, list[int]]:
        """The parts of every stream."""
        parts: dict[str, list[int]] = {}
        for _, row in self._parts.read((user_id, session_id)):
            for stream, part in sorted(row):
                parts.setdefault(stream, []).append(part)
        return parts

    async def metadata(
        self, user_id: UUID, session_id: UUID, stream: str, parts: Iterable[int]
    ) -> list[ChunkMetadata]:
        """The stored chunks of a stream."""
        rows = [
            row["row"]
            for part in sorted(parts)
            for _, row in self._samples.read((user_id, session_id, stream, part))
        ]
        rows.sort(key=lambda row: (row.seq, row.sha256))
        return [ChunkMetadata(*row[:5], t_ms=row.t_ms) for row in rows]

    async def rows(
        self, user_id: UUID, session_id: UUID, stream: str, wanted: Sequence[tuple[int, bytes]]
    ) -> list[SampleRow]:
        """The wanted chunks."""
        keys = [(user_id, session_id, stream, part_of(s), s, sha256) for s, sha256 in wanted]
        return [row["row"] for key in keys for _, row in self._samples.read(key)]

    async def delete_session(self, user_id: UUID, session_id: UUID, at_us: int) -> None:
        """Delete every registered part."""
        for stream, numbers in (await self.parts(user_id, session_id)).items():
            for part in numbers:
                self._samples.delete((user_id, session_id, stream, part), at_us)


class MemorySessions(Sessions):
    """Sessions in memory."""

    def __init__(self) -> None:
        self._sessions, self._lists = Cells(), Cells()

    async def open(
        self,
        user_id: UUID,
        session_id: UUID,
        started_at: datetime,
        timezone: str,
        plan_id: UUID | None,
        revision: int,
    ) -> None:
        """Project an opening."""
        values = {"started_at": started_at, "timezone": timezone, "plan_id": plan_id}
        self._sessions.write((user_id, session_id), values, revision)

    async def declare(
        self,
        user_id: UUID,
        session_id: UUID,
        stream: str,
        declaration: Mapping[str, object],
        revision: int,
    ) -> None:
        """Project a declaration."""
        cell = {("stream", stream): dict(declaration)}
        self._sessions.write((user_id, session_id), cell, revision)

    async def put_offset(
        self, user_id: UUID, session_id: UUID, stream: str, offset_ms: int, revision: int
    ) -> None:
        """Project a clock offset."""
        self._sessions.write((user_id, session_id), {("offset", stream): offset_ms}, revision)

    async def close(
        self,
        user_id: UUID,
        session_id: UUID,
        ended_at: datetime | None,
        revision: int,
        *,
        complete: bool,
    ) -> None:
        """Project a session's end."""
        values = {"complete": complete, **({"ended_at": ended_at} if ended_at else {})}
        self._sessions.write((user_id, session_id), values, revision)

    async def read(self, user_id: UUID, session_id: UUID) -> SessionRow | None:
        """One session."""
        for key, row in self._sessions.read((user_id, session_id)):
            if "started_at" in row:
                return _session(key[1], row)
        return None

    async def page(self, user_id: UUID, before: UUID | None, limit: int) -> list[SessionRow]:
        """Sessions, newest first."""
        rows = [_session(k[1], r) for k, r in self._sessions.read((user_id,)) if "started_at" in r]
        rows = [row for row in rows if before is None or row.session_id < before]
        return sorted(rows, key=lambda row: row.session_id, reverse=True)[:limit]

    async def timezones(self, user_id: UUID, session_ids: Collection[UUID]) -> dict[UUID, str]:
        """The time zones of sessions."""
        rows = await self.page(user_id, None, 10**9)
        return {row.session_id: row.timezone for row in rows if row.session_id in session_ids}

    async def of_plan(self, user_id: UUID, plan_id: UUID, since_us: int) -> list[UUID]:
        """The sessions of a plan by openings since then."""
        rows = self._sessions.read((user_id,))
        found = [(key[1], key) for key, row in rows if row.get("plan_id") == plan_id]
        return [one for one, key in found if self._sessions.written(key, "plan_id") >= since_us]

    async def recording(self, user_id: UUID) -> list[UUID]:
        """Sessions with streams that are not complete."""
        page = await self.page(user_id, None, 10**9)
        return [session.session_id for session in page if session.streams and not session.complete]

    async def put_list(
        self, user_id: UUID, session_id: UUID, stream: str, hashes: Sequence[bytes], revision: int
    ) -> None:
        """Project a list."""
        stream_list = StreamList(tuple(hashes), revision)
        self._lists.write((user_id, session_id, stream), {"list": stream_list}, revision)

    async def lists(self, user_id: UUID, session_id: UUID) -> dict[str, StreamList]:
        """The lists of a session."""
        return {key[2]: row["list"] for key, row in self._lists.read((user_id, session_id))}

    async def delete(self, user_id: UUID, session_id: UUID, at_us: int) -> None:
        """Delete a session and its lists."""
        self._sessions.delete((user_id, session_id), at_us)
        self._lists.delete((user_id, session_id), at_us)


def _session(session_id: UUID, row: Mapping[Any, Any]) -> SessionRow:
    elements = {key: value for key, value in row.items() if isinstance(key, tuple)}
    return SessionRow(
        session_id=session_id,
        started_at=row["started_at"],
        ended_at=row.get("ended_at"),
        timezone=row["timezone"],
        plan_id=row["plan_id"],
        streams={n: v for (what, n), v in sorted(elements.items()) if what == "stream"},
        clock_offset_ms={n: v for (what, n), v in sorted(elements.items()) if what == "offset"},
        complete=row.get("complete", False),
    )


class MemoryChanges(Changes):
    """Announcements in memory."""

    def __init__(self) -> None:
        self._announced: dict[tuple[UUID, str], int] = {}

    async def announce(self, user_id: UUID, topic: Topic, at_us: int) -> None:
        """Announce a change."""
        self._announced[user_id, topic] = at_us

    async def since(self, since: datetime, until: datetime) -> dict[UUID, dict[str, datetime]]:
        """Users with changes since then."""
        topics: dict[UUID, dict[str, datetime]] = {}
        for (user_id, topic), at in self._announced.items():
            if at >= us_of(since):
                topics.setdefault(user_id, {})[topic] = time_at(at)
        return topics


class MemoryJournal(Journal):
    """Events in memory."""

    def __init__(self, changes: Changes) -> None:
        self._events: dict[tuple[UUID, str], dict[UUID, Event]] = {}
        self._changes = changes

    async def append(self, user_id: UUID, event: Event, topic: Topic) -> Event:
        """Append an event; returns the event in its slot."""
        await self._announce_events(user_id, topic, [event])
        month = self._events.setdefault((user_id, month_of(day_of(event.entity_id))), {})
        return month.setdefault(event.event_id, event)

    async def append_unless(
        self, user_id: UUID, event: Event, topic: Topic, other_slot: UUID
    ) -> Event:
        """Append an event unless another slot is taken; returns what is in one of the two."""
        own = await self.read(user_id, event.entity_id, event.event_id)
        other = await self.read(user_id, event.entity_id, other_slot)
        return own or other or await self.append(user_id, event, topic)

    async def append_all(self, user_id: UUID, events: Sequence[Event], topic: Topic) -> list[Event]:
        """Append events; returns the events in their slots."""
        return [await self.append(user_id, event, topic) for event in events]

    async def read(self, user_id: UUID, entity_id: UUID, event_id: UUID) -> Event | None:
        """The event in a slot."""
        return self._events.get((user_id, month_of(day_of(entity_id))), {}).get(event_id)

    async def events(self, user_id: UUID, months: Iterable[str]) -> list[Event]:
        """Events in the order received."""
        events = [e for m in set(months) for e in self._events.get((user_id, m), {}).values()]
        return sorted(events, key=lambda event: (event.received_us, event.event_id))

    async def keys(self, user_id: UUID, months: Iterable[str], since: datetime) -> list[EventKey]:
        """Keys of events received since then."""
        events = [e for e in await self.events(user_id, months) if e.received_us >= us_of(since)]
        return [EventKey(e.event_id, month_of(day_of(e.entity_id)), e.received_us) for e in events]

    async def read_many(self, user_id: UUID, keys: Iterable[EventKey]) -> list[Event]:
        """Events with these keys."""
        events = [self._events.get((user_id, k.month), {}).get(k.event_id) for k in keys]
        return [event for event in events if event is not None]

    async def settle(self, user_id: UUID, months: Iterable[str]) -> None:
        """Settle writes in flight; there are none."""


class MemoryDeadLetters(DeadLetters):
    """Dead letters in memory."""

    def __init__(self, per_day: int) -> None:
        self.per_day = per_day
        self._letters: dict[tuple[object, UUID], DeadLetter] = {}

    async def put(self, letter: DeadLetter, now: datetime) -> None:
        """Keep a letter that is not too old."""
        if seconds_left(letter.received_at, now):
            self._letters[letter.received_at.date(), letter.id] = letter

    async def count(self, user_id: UUID, day: date) -> int:
        """Letters of a user on a day."""
        return sum(
            letter.user_id == user_id and when == day for (when, _), letter in self._letters.items()
        )

    async def of_user(self, user_id: UUID, now: datetime) -> AsyncIterator[DeadLetter]:
        """Everything of a user."""
        letters = [letter for letter in self._letters.values() if letter.user_id == user_id]
        for letter in sorted(letters, key=lambda letter: (letter.received_at.date(), letter.id)):
            yield letter

    async def about(
        self,
        user_id: UUID,
        session_id: UUID,
        now: datetime,
        *,
        since: date | None = None,
        until: date | None = None,
    ) -> list[LetterKey]:
        """The keys of a user's letters about a session."""
        letters = [letter async for letter in self.of_user(user_id, now)]
        keys = [LetterKey(one.received_at.date(), one.id, one.reason) for one in letters]
        return [
            key
            for key in keys
            if is_about(key.reason, session_id)
            and (since or key.day) <= key.day <= (until or key.day)
        ]

    async def delete(self, user_id: UUID, keys: Iterable[LetterKey]) -> None:
        """Delete letters."""
        for key in keys:
            self._letters.pop((key.day, key.id), None)

    async def delete_session(self, user_id: UUID, session_id: UUID, now: datetime) -> None:
        """Delete a user's letters about a session."""
        await self.delete(user_id, await self.about(user_id, session_id, now))

    async def delete_user(self, user_id: UUID, now: datetime) -> int:
        """Delete a user's letters."""
        mine = [key for key, letter in self._letters.items() if letter.user_id == user_id]
        for key in mine:
            del self._letters[key]
        return len(mine)


def memory_records() -> Records:
    """Empty repositories."""
    changes = MemoryChanges()
    return Records(
        samples=MemorySamples(),
        sessions=MemorySessions(),
        changes=changes,
        journal=MemoryJournal(changes),
        sets=MemorySets(),
        labelled=MemoryLabelledSets(),
        stretches=MemoryStretches(),
        dead_letters=MemoryDeadLetters(Limits().dead_letters_per_user),
        plans=MemoryPlans(),
        deviations=MemoryDeviations(),
        predictions=MemoryPredictions(),
    )
