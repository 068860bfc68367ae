"""Detects samples whose times do not count from 1970, by how far from their session they lie.

Android's `SensorEvent.timestamp` and CoreMotion count from the start of the device; other clients
write milliseconds where nanoseconds belong. Such chunks are stored: a watch without a set clock may
record in 1970, and nothing that was recorded may be lost. But no set will ever meet them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ingest.sample_rows import end_ns_of
from schemas.notes import TIMES_OUTSIDE
from schemas.times import us_of
from store.samples import ChunkMetadata
from store.sessions import SessionRow

MAX_AWAY = timedelta(days=1)
"""A clock that is off by a time zone, or a session that is opened late, stays below this; the
smallest of these errors, milliseconds as nanoseconds, makes decades."""
ADVICE = (
    f"the session's samples lie more than a day outside it (its note {TIMES_OUTSIDE}): "
    "t0 must be nanoseconds since 1970, not since the device started, nor milli- or microseconds"
)


def are_outside(chunks: Sequence[ChunkMetadata], session: SessionRow, now: datetime) -> bool:
    """Whether a chunk ends more than a day before its session, or begins a day from now.

    A session may last for weeks, so it has no other end than now.

    Args:
        chunks: of one stream.
        session: whose chunks they are.
        now: the server's clock.
    """
    first_ns, last_ns = [us_of(at) * 1000 for at in (session.started_at - MAX_AWAY, now + MAX_AWAY)]
    return any(end_ns_of(chunk) < first_ns or chunk.t0_ns > last_ns for chunk in chunks)


def end_outside(session: SessionRow, now: datetime) -> bool:
    """Whether the samples of a complete session end outside it in that way."""
    end = session.ended_at
    return end is not None and not session.started_at - MAX_AWAY <= end <= now + MAX_AWAY
