"""A gym for tests: one person who follows a plan in one session."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from ingest.projections import project, project_all
from schemas.config import Limits
from schemas.events import SessionOpening, SetConfirmation
from store.journal import Event
from store.records import Records
from tests.ingest.costs import FreeRecorder
from tests.ingest.histories import new_id
from tests.store.memory import memory_records

START = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
MONTH = "2026-11"
BENCH = {"exercise": "bench press", "reps": 8, "weight_kg": 60.0, "intensity": None}
ROW = {"exercise": "row", "reps": 10, "weight_kg": None, "intensity": None}


class Gym:
    """One person, one session, one plan; every call a millisecond later than the one before."""

    def __init__(self, records: Records | None = None, start: datetime = START) -> None:
        self.records, self.start = records or memory_records(), start
        self.now = START + timedelta(hours=1)
        self.recorder = FreeRecorder(self.records, Limits(), self.clock)
        self.user, self.session, self.plan = uuid4(), new_id(), new_id()
        self.sets: dict[str, tuple[UUID, int]] = {}

    def clock(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    async def keep(self, *planned: dict[str, Any]) -> None:
        await self.recorder.put_plan(self.user, self.plan, "Monday", list(planned))

    async def open(self, *, plan: bool = True) -> None:
        opening = SessionOpening(
            started_at=self.start,
            timezone="Europe/Berlin",
            plan=self.plan if plan else None,
            streams={},
        )
        await self.recorder.open_session(self.user, self.session, opening)

    async def do(self, name: str, minute: int, exercise: str, reps: int) -> None:
        """Confirm a set, or correct the one of that name."""
        set_id, revision = self.sets.get(name, (new_id(), None))
        at = self.start + timedelta(minutes=minute)
        confirmation = SetConfirmation(
            exercise=exercise, started_at=at, ended_at=at + timedelta(seconds=30), reps=reps
        )
        row = await self.recorder.confirm_set(
            self.user, self.session, set_id, confirmation, revision
        )
        self.sets[name] = set_id, row.revision

    async def projected_again(
        self, events: Sequence[Event], told: Sequence[Event]
    ) -> tuple[Records, Records]:
        """Stores with these events, projected in the order told: one by one, and all at once."""
        one_by_one, at_once = memory_records(), memory_records()
        for records in (one_by_one, at_once):
            for event in events:
                await records.journal.append(self.user, event, "sets")
        for event in told:
            await project(one_by_one, self.user, event, 0)
        await project_all(at_once, self.user, told, 0)
        return one_by_one, at_once

    async def rows(self, records: Records | None = None) -> list[Any]:
        kept = records or self.records
        return await kept.deviations.of_session(self.user, MONTH, self.session)

    async def kinds(self) -> list[tuple[str | None, str | None, set[str]]]:
        return [(r.planned_exercise, r.actual_exercise, set(r.kinds)) for r in await self.rows()]


async def one_of_each(gym: Gym) -> None:
    await gym.keep(BENCH, BENCH, ROW)
    await gym.open()
    await gym.do("first", 1, "bench press", 8)
    await gym.do("second", 5, "bench press", 6)
    await gym.do("third", 50, "plank", 1)
