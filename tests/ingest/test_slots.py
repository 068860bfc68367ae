"""Slots are stored ids of events: what an action was stored under, a repeat must look for."""

from datetime import timedelta
from uuid import UUID, uuid4

from schemas.events import Completion, SessionOpening
from tests.ingest.costs import FreeRecorder
from tests.ingest.histories import CHUNKS, LIMITS, SHA, START, STREAM, confirmation
from tests.store.memory import memory_records

SESSION, SET, PLAN = (UUID(f"01a1fd8c-6900-7000-8000-00000000000{n}") for n in (1, 2, 3))
STORED = {
    ("session-opened", "9dcc1b6e-6af1-85d5-8008-1dc17b2ccb11"),
    ("stream-declared", "2c26dcbf-fe02-8882-aaeb-df956e99c695"),
    ("stream-listed", "3c7842f7-5939-8c46-a03e-db4c948c3f34"),  # the first list
    ("stream-listed", "422d2eb0-76ec-8d3b-a402-6ca8624d7836"),  # a longer one
    ("session-deleted", "f30ad0af-a721-824b-a445-3e44da51d75a"),
    ("set-confirmed", "c0cb517a-ba97-8126-a03c-4894fe6336bb"),
    ("set-confirmed", "c05edaf3-1ba2-8a37-b994-eb0662ab2764"),  # a correction
    ("set-deleted", "e4614fe0-993a-8ce2-a741-b68e3cf26d2e"),
    ("plan-kept", "1bc3c3b4-8522-8602-9514-282d96616927"),
    ("plan-deleted", "d17a3d6a-73cb-887d-9216-c270c8c4a6be"),
}
"""Kind and slot of the events that the first release would store for the actions below."""


async def test_events_have_the_slots_of_the_first_release() -> None:
    records, user = memory_records(), uuid4()
    recorder = FreeRecorder(records, LIMITS, lambda: START + timedelta(hours=1))
    opening = SessionOpening(started_at=START, streams={"acc": STREAM})
    await recorder.open_session(user, SESSION, opening)
    for seq in (0, 1):
        await recorder.put_chunk(user, SESSION, "acc", seq, CHUNKS[seq, 0])
        listed = Completion(streams={"acc": [SHA[n, 0] for n in range(seq + 1)]})
        await recorder.complete(user, SESSION, listed)
    first = await recorder.confirm_set(user, SESSION, SET, confirmation(0, 0))
    await recorder.confirm_set(user, SESSION, SET, confirmation(0, 1), first.revision)
    await recorder.delete_set(user, SESSION, SET)
    await recorder.delete_session(user, SESSION)
    await recorder.put_plan(user, PLAN, "Monday", [])
    await recorder.delete_plan(user, PLAN)
    events = await records.journal.events(user, ["2026-11"])
    assert len(events) == len(STORED)
    assert {(event.kind, str(event.event_id)) for event in events} == STORED
