"""Refuses sets outside their session: before it, after its samples, or in the future."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from ingest.event_writer import EventWriter
from ingest.sample_rows import end_ns_of
from ingest.sample_times import ADVICE, end_outside
from ingest.stored_session import with_lists
from schemas.errors import BadEvent, ClockSkew
from schemas.events import SetConfirmation
from schemas.layout import part_of
from schemas.times import AHEAD_AT_MOST, time_at, us_of
from store.records import Records
from store.sessions import SessionRow
from store.sets import SetRow

TOLERANCE = timedelta(seconds=5)
"""How far a set may reach beyond its session: people and watches are not more exact."""


async def refuse_outside(
    writer: EventWriter,
    session: SessionRow,
    user_id: UUID,
    confirmation: SetConfirmation,
    stored: SetRow | None,
) -> None:
    """Refuse as `check_inside`; chunks that follow the session's lists extend it.

    A client that extends a session sends its chunks, then the sets in them, then the longer list.

    Args:
        writer: of the journal.
        session: of the set.
        user_id: whose.
        confirmation: what was done.
        stored: the set as it is, None for a new one.

    Raises:
        BadEvent, ClockSkew: see `check_inside`.
    """
    if _ends_late(confirmation, session, stored):  # only then: it reads metadata
        needed = confirmation.ended_at - TOLERANCE
        session = await _with_later_chunks(writer.records, user_id, session, needed)
    check_inside(confirmation, session, writer.clock(), stored)


def check_inside(
    confirmation: SetConfirmation,
    session: SessionRow,
    now: datetime,
    stored: SetRow | None = None,
) -> None:
    """Refuse a set outside its session.

    Args:
        confirmation: what was done.
        session: of the set.
        now: the server's clock.
        stored: the set as it is. It may have been confirmed before the session's end was known: a
            repeat, or a correction that keeps its times, is not refused for its end.

    Raises:
        BadEvent: before its start, or after its end where that is known.
        ClockSkew: it ends after tomorrow.
    """
    advice = f"; {ADVICE}" if end_outside(session, now) else ""
    if confirmation.started_at < session.started_at - TOLERANCE:
        raise BadEvent(
            f"the set starts at {confirmation.started_at}, before its session: "
            f"{session.started_at}{advice}",
            field="started_at",
            value=confirmation.started_at.isoformat(),
        )
    if _ends_late(confirmation, session, stored):
        raise BadEvent(
            f"the set ends at {confirmation.ended_at}, after its session: {session.ended_at}; "
            f"send the chunks that it lies in first{advice}",
            field="ended_at",
            value=confirmation.ended_at.isoformat(),
        )
    if confirmation.ended_at > now + AHEAD_AT_MOST:
        raise ClockSkew(
            f"the set ends at {confirmation.ended_at}, more than a day from now{advice}",
            field="ended_at",
            value=confirmation.ended_at.isoformat(),
        )


def has_times(row: SetRow | None, confirmation: SetConfirmation) -> bool:
    """Whether a set has these times, to the millisecond: Cassandra's timestamps have no more."""
    return row is not None and all(
        us_of(stored) // 1000 == us_of(said) // 1000
        for stored, said in (
            (row.started_at, confirmation.started_at),
            (row.ended_at, confirmation.ended_at),
        )
    )


def _ends_late(confirmation: SetConfirmation, session: SessionRow, stored: SetRow | None) -> bool:
    """Whether a set ends after a session whose end is known, and did not before."""
    end = session.ended_at if session.complete else None
    late = end is not None and confirmation.ended_at > end + TOLERANCE
    return late and not has_times(stored, confirmation)


async def _with_later_chunks(
    records: Records, user_id: UUID, session: SessionRow, needed: datetime
) -> SessionRow:
    """A complete session that ends with the chunks whose numbers follow those of its lists.

    The newest part of a stream is read first, and the others only if no end reaches `needed`.
    """
    stored = await with_lists(records, user_id, session)
    parts = await stored.parts()
    for stream, listed in stored.lists.items():
        first = len(listed.hashes)
        later = [part for part in parts.get(stream, []) if part >= part_of(first)]
        for some in (later[-1:], later[:-1]):
            chunks = await stored.metadata(stream, some)
            ends = [time_at(end_ns_of(chunk) // 1000) for chunk in chunks if chunk.seq >= first]
            session = session._replace(ended_at=_latest([session.ended_at, *ends]))
            if session.ended_at is not None and session.ended_at >= needed:
                return session
    return session


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((time for time in times if time is not None), default=None)
