"""Notes about the quality of a session's data; nothing here changes a sample."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from ingest.chunk_selection import StreamChunks
from ingest.clocks import split_by_clock
from ingest.judged_chunks import beside, judged_places, parts_to_read
from ingest.recordings import unused_streams
from ingest.sample_rows import end_ns_of, piece_of
from ingest.sample_times import are_outside
from ingest.stored_session import StoredSession, with_lists
from ingest.wrist_streams import is_on_wrist
from models.signal.corrections import SensorNote
from models.signal.pieces import Recording, Side
from models.signal.wrist import MAX_RECORDING_S, judge
from schemas.notes import (
    CLOCK_IS_OFF,
    CLOCK_WENT_BACK,
    LONGER_THAN_A_DAY,
    NO_OVERLAP,
    NOT_ON_WRIST,
    NOT_USED,
    TIMES_OUTSIDE,
)
from schemas.times import us_of
from store.records import Records
from store.samples import ChunkMetadata, SampleRow
from store.sessions import SessionRow

MAX_CLOCK_OFFSET_MS = 60_000


class JudgedStream(NamedTuple):
    """The stream by which a sensor is judged: its name, and chunks that count."""

    name: str
    chunks: Sequence[ChunkMetadata]


async def session_notes(
    records: Records, user_id: UUID, session: SessionRow, now: datetime
) -> list[str]:
    """Notes such as "acc: unit-was-m/s2" and "gyro: clock-is-off", in order.

    Units, rates and what is missing are judged as in recognition, by a minute of the wrist's two
    streams (`ingest/judged_chunks.py`); a clock that was set back by its first chunks. The notes of
    sets cover the rest of a session.

    Args:
        records: the repositories.
        user_id: whose session.
        session: which one.
        now: the server's clock.

    Raises:
        BadSamples: a row that does not decode.
    """
    stored = await with_lists(records, user_id, session)
    parts = await stored.parts()
    chunks = await _first_and_last_chunks(stored, parts)
    unused = await unused_streams(stored, parts)
    notes = _declaration_notes(session, chunks, unused, now)
    wrist = stored.wrist
    acc, gyro = (_first_used(names, chunks, unused) for names in (wrist.acc, wrist.gyro))
    if acc is None:
        return notes
    if not is_on_wrist(session.streams[acc.name].get("placement")):
        notes.append(f"{acc.name}: {NOT_ON_WRIST}")
    by_clock = split_by_clock(acc.chunks)
    if len(by_clock) > 1:
        notes.append(f"{acc.name}: {CLOCK_WENT_BACK}")
    longest = acc._replace(chunks=max(by_clock, key=len))
    return [*await _judged_notes(stored, longest, gyro), *notes]


def _declaration_notes(
    session: SessionRow, chunks: StreamChunks, unused: Sequence[str], now: datetime
) -> list[str]:
    """The notes on clocks, times and places, for which no samples are read."""
    notes = [
        f"{name}: {CLOCK_IS_OFF}"
        for name, offset_ms in session.clock_offset_ms.items()
        if abs(offset_ms) > MAX_CLOCK_OFFSET_MS
    ]
    notes += [
        f"{name}: {TIMES_OUTSIDE}"
        for name, stream_chunks in chunks.items()
        if are_outside(stream_chunks, session, now)
    ]
    return [*notes, *(f"{name}: {NOT_USED}" for name in unused)]


def _first_used(
    names: Sequence[str], chunks: StreamChunks, unused: Sequence[str]
) -> JudgedStream | None:
    """The stream by which a sensor is judged; None where none has chunks."""
    used = (name for name in names if name in chunks and name not in unused)
    return next((JudgedStream(name, chunks[name]) for name in used), None)


async def _first_and_last_chunks(
    stored: StoredSession, parts: Mapping[str, Sequence[int]]
) -> StreamChunks:
    """The chunks of each stream that count, of its first partitions and its last one."""
    names = [name for name in stored.session.streams if name in parts]
    pages = await asyncio.gather(
        *(stored.counted(name, parts_to_read(parts[name])) for name in names)
    )
    return dict(zip(names, pages, strict=True))


async def _judged_notes(
    stored: StoredSession, acc: JudgedStream, gyro: JudgedStream | None
) -> list[str]:
    """The notes on the samples of a session's wrist.

    Args:
        stored: the session.
        acc: the acceleration, of one clock.
        gyro: the rotation; None where there is none.
    """
    if not acc.chunks:
        return []
    places = judged_places(acc.chunks)
    acc_rows = await stored.rows(acc.name, chain.from_iterable(places))
    gyro_rows: list[SampleRow] = []
    if gyro is not None:
        turning = dict.fromkeys(chunk for place in places for chunk in beside(gyro.chunks, place))
        gyro_rows = await stored.rows(gyro.name, turning)
    names = {"acc": acc.name, "gyro": gyro.name if gyro else None}
    notes = [*await asyncio.to_thread(_judge, acc_rows, gyro_rows, stored.wrist.side)]
    apart = gyro is not None and gyro.chunks and not _share_time(acc.chunks, gyro.chunks)
    if apart and ("gyro", NO_OVERLAP) not in notes:
        notes.append(("gyro", NO_OVERLAP))
    began_s = min(chunk.t0_ns for chunk in acc.chunks) / 1e9
    ended_at = stored.session.ended_at
    if ended_at and us_of(ended_at) / 1e6 - began_s > MAX_RECORDING_S:
        notes.append(("acc", LONGER_THAN_A_DAY))
    return [f"{names[sensor]}: {note}" for sensor, note in notes]


def _judge(
    acc: Sequence[SampleRow], gyro: Sequence[SampleRow], side: Side | None
) -> tuple[SensorNote, ...]:
    """The notes on both sensors' samples."""
    acc_pieces, gyro_pieces = [tuple(map(piece_of, rows)) for rows in (acc, gyro)]
    return judge(Recording(acc_pieces, gyro_pieces, side)).notes


def _share_time(acc: Sequence[ChunkMetadata], gyro: Sequence[ChunkMetadata]) -> bool:
    """Whether the times of two streams overlap at all."""
    starts_ns = [min(chunk.t0_ns for chunk in chunks) for chunks in (acc, gyro)]
    ends_ns = [max(map(end_ns_of, chunks)) for chunks in (acc, gyro)]
    return max(starts_ns) < min(ends_ns)
