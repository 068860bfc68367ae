"""A wrist that repeats one movement."""

import numpy as np

from ingest.chunks import Chunk, canonical_body, decode_chunk
from models.signal.pieces import Piece
from schemas.events import Completion
from tests.ingest.histories import LIMITS, START
from tests.ingest.recorded_session import RecordedSession

RATE_HZ = 50.0
ASKED = {"layout": "wrist-acc3", "exercise": [], "activity": None, "form": None}


def repeating(bouts: int = 1) -> Chunk:
    """Bouts of forty seconds of a movement every two seconds, with twenty of rest around each."""
    t = np.arange(0, 80 * bouts, 1 / RATE_HZ)
    moving = (t % 80 > 20) & (t % 80 < 60)
    swing = np.sin(np.pi * t) * moving
    g = np.stack([0.6 * swing, 0.3 * np.roll(swing, 10), 1 - 0.4 * swing**2], axis=1)
    counts = np.rint(g * 4096).astype(np.int16)
    piece = Piece(int(START.timestamp()) * 10**9, RATE_HZ, "g", 1 / 4096, counts)
    return decode_chunk(canonical_body(piece), "application/cbor", LIMITS)


async def recorded(bouts: int = 1) -> RecordedSession:
    one = RecordedSession()
    await one.open()
    chunk = repeating(bouts)
    await one.recorder.put_chunk(one.user, one.session, "acc", 0, chunk)
    listed = Completion(streams={"acc": [chunk.sha256.hex()]})
    await one.recorder.complete(one.user, one.session, listed)
    return one
