"""Devices that open one session, each of which knows something else."""

from datetime import timedelta
from typing import Any

from schemas.events import SessionOpening
from store.journal import Event
from store.sessions import SessionRow
from tests.ingest.histories import START, STREAM, new_id
from tests.ingest.recorded_session import RecordedSession

BENCH = {"exercise": "bench press", "reps": 8, "weight_kg": None, "intensity": None}
PLAN, OTHER_PLAN = new_id(), new_id()
WATCH: dict[str, Any] = {"started_at": START, "streams": {"acc": STREAM}}
PHONE: dict[str, Any] = {
    "started_at": START - timedelta(minutes=5),
    "timezone": "Europe/London",
    "plan": PLAN,
    "streams": {},
}
TABLET: dict[str, Any] = {"started_at": START + timedelta(minutes=5), "streams": {}}


async def opened(one: RecordedSession, **fields: Any) -> SessionRow:
    return await one.recorder.open_session(one.user, one.session, SessionOpening(**fields))


async def events_of(one: RecordedSession) -> list[Event]:
    return await one.records.journal.events(one.user, [f"{START:%Y-%m}"])
