"""One session of one user in memory, and repositories that count or fail, for tests."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from ingest.recorder import Recorder
from ingest.replay import replay_events
from schemas.errors import DatabaseUnavailable
from schemas.events import Completion, SessionOpening
from schemas.layout import months_between
from store.records import Records
from tests.ingest.costs import FreeRecorder
from tests.ingest.histories import (
    CHUNKS,
    LIMITS,
    SHA,
    START,
    STREAM,
    confirmation,
    new_id,
)
from tests.store.memory import memory_records

NOW = START + timedelta(minutes=2)
GYRO = {**STREAM, "kind": "gyro", "unit": "rad/s"}
AXES_TURNED = [
    replace(CHUNKS[n, 0], piece=replace(CHUNKS[n, 0].piece, unit="rad/s")) for n in (0, 1)
]


class RecordedSession:
    """One user's session in memory."""

    def __init__(self, **streams: Any) -> None:
        self.records = memory_records()
        self.user, self.session, self.set = uuid4(), new_id(), new_id()
        self.recorder = self.on(self.records)
        self.streams = streams or {"acc": STREAM}
        self.listed: list[str | None] = []
        self.now = START + timedelta(minutes=1)

    def on(self, records: Records) -> Recorder:
        return FreeRecorder(records, LIMITS, self.clock)

    def clock(self) -> Any:
        self.now += timedelta(milliseconds=1)
        return self.now

    async def open(self, *numbers: int) -> None:
        opening = SessionOpening(started_at=START, streams=self.streams)
        await self.recorder.open_session(self.user, self.session, opening)
        await self.put(*numbers)

    async def put(self, *numbers: int, variant: int = 0) -> None:
        for seq in numbers:
            chunk = CHUNKS[seq, variant]
            await self.recorder.put_chunk(self.user, self.session, "acc", seq, chunk)

    async def confirm(self, content: int = 0, etag: int | None = None) -> Any:
        said = confirmation(0, content)
        return await self.recorder.confirm_set(self.user, self.session, self.set, said, etag)

    async def complete(self, *numbers: int) -> Any:
        listed = Completion(streams={"acc": [SHA[seq, 0] for seq in numbers]})
        return await self.recorder.complete(self.user, self.session, listed)

    async def labelled(self) -> list[str]:
        rows = await self.records.labelled.of_user(self.user, "wrist-acc3")
        return [row.exercise for row in rows]


async def both_sensors() -> RecordedSession:
    """A session of two seconds with rotation, its list in, and no set."""
    one = RecordedSession(acc=STREAM, gyro=GYRO)
    await one.open(0, 1)
    await put_rotation(one, 0, 1)
    return one


async def put_rotation(one: RecordedSession, *numbers: int) -> None:
    for seq in numbers:
        await one.recorder.put_chunk(one.user, one.session, "gyro", seq, AXES_TURNED[seq])


async def replay(records: Records, user_id: UUID, first: datetime, now: datetime) -> int:
    """Project a user's events from a day on; the number of events."""
    months = months_between(first.date(), (now + timedelta(days=1)).date())
    events = await records.journal.events(user_id, months)
    await replay_events(records, user_id, events, lambda: now)
    return len(events)


class CountingRepository:
    """A repository that counts how often each of its methods is called."""

    def __init__(self, inner: object) -> None:
        self._inner = inner
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        self.calls[name] += 1
        return getattr(self._inner, name)


class FailingRepository:
    """A repository that fails at one method."""

    def __init__(self, inner: object, at: str) -> None:
        self._inner, self._at = inner, at

    def __getattr__(self, name: str) -> Any:
        if name == self._at:
            raise DatabaseUnavailable("died here")
        return getattr(self._inner, name)


class FailingAfterCalls(FailingRepository):
    """A repository that fails at the n-th call of a method, counted from 0."""

    def __init__(self, inner: object, at: str, calls: int) -> None:
        super().__init__(inner, at)
        self._left = calls

    def __getattr__(self, name: str) -> Any:
        if name == self._at and self._left:
            self._left -= 1
            return getattr(self._inner, name)
        return super().__getattr__(name)


class RunBefore:
    """A repository that runs something else before the first call of one method."""

    def __init__(self, inner: object, method: str, meanwhile: Callable[[], Awaitable[object]]):
        self._inner, self._method, self._meanwhile = inner, method, [meanwhile]

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if name != self._method:
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            while self._meanwhile:
                await self._meanwhile.pop()()
            return await method(*args, **kwargs)

        return call
