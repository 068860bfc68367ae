"""Recognised sets of a session are stored and published."""

import asyncio
from datetime import timedelta
from typing import Any

import numpy as np

from ingest.chunks import Chunk, canonical_body, decode_chunk
from ingest.recognition import TOPIC, recognise_session
from models.recognition.sets import RecognitionModels
from models.signal.pieces import Piece
from schemas.events import Completion
from tests.ingest.histories import LIMITS, START
from tests.ingest.recorded_session import RecordedSession

RATE_HZ = 50.0
ASKED = {"layout": "wrist-acc3", "exercise": [], "activity": None, "form": None}


def repeating() -> Chunk:
    """Twenty seconds of rest, forty of a movement every two seconds, twenty of rest."""
    t = np.arange(0, 80, 1 / RATE_HZ)
    moving = (t > 20) & (t < 60)
    swing = np.sin(np.pi * t) * moving
    g = np.stack([0.6 * swing, 0.3 * np.roll(swing, 10), 1 - 0.4 * swing**2], axis=1)
    counts = np.rint(g * 4096).astype(np.int16)
    piece = Piece(int(START.timestamp()) * 10**9, RATE_HZ, "g", 1 / 4096, counts)
    return decode_chunk(canonical_body(piece), "application/cbor", LIMITS)


async def recorded() -> RecordedSession:
    one = RecordedSession()
    await one.open()
    chunk = repeating()
    await one.recorder.put_chunk(one.user, one.session, "acc", 0, chunk)
    listed = Completion(streams={"acc": [chunk.sha256.hex()]})
    await one.recorder.complete(one.user, one.session, listed)
    return one


def test_predictions_are_stored_and_published():
    asked_for: list[str] = []

    async def load_models(layout: str) -> tuple[dict[str, Any], RecognitionModels]:
        asked_for.append(layout)
        return ASKED, RecognitionModels()

    async def look() -> None:
        one = await recorded()
        session = await one.records.sessions.read(one.user, one.session)
        assert session is not None
        now = one.clock()
        seen = await recognise_session(one.records, one.user, session, 1, load_models, now)
        assert seen is not None
        (found,), asked = seen
        assert asked == ASKED
        assert asked_for == ["wrist-acc3"]
        middle = START + timedelta(seconds=40)
        assert found.started_at < middle < found.ended_at
        assert await one.records.predictions.of_session(one.user, one.session) == [found]
        changed = await one.records.journal.changed(START, now + timedelta(days=1))
        assert TOPIC in changed[one.user]

    asyncio.run(look())
