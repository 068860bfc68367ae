"""Notes about the quality of a session's data; nothing here changes a sample."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import chain
from uuid import UUID

from ingest.chunk_selection import StreamChunks, counted_chunks
from ingest.clocks import CLOCK_WENT_BACK, split_by_clock
from ingest.judged_chunks import beside, judged_places, parts_to_read
from ingest.recordings import unused_streams
from ingest.rows import end_ns_of, piece_of
from ingest.sample_times import TIMES_OUTSIDE, are_outside
from ingest.wrist_streams import NOT_ON_WRIST, NOT_USED, is_on_wrist, wrist_of
from models.signal.pieces import Recording, Side
from models.signal.wrist import MAX_RECORDING_S, NO_OVERLAP, Note, judge
from schemas.times import us_of
from store.records import Records
from store.samples import ChunkMetadata, SampleRow
from store.sessions import SessionRow, StreamList

MAX_CLOCK_OFFSET_MS = 60_000
LONGER_THAN_A_DAY = "longer-than-a-day"


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
    parts = await records.samples.parts(user_id, session.session_id)
    lists = await records.sessions.lists(user_id, session.session_id)
    chunks = await _first_and_last_chunks(records, user_id, session, parts, lists)
    unused = await unused_streams(records, user_id, session, parts, lists)
    notes = [
        f"{name}: clock-is-off"
        for name, offset_ms in session.clock_offset_ms.items()
        if abs(offset_ms) > MAX_CLOCK_OFFSET_MS
    ]
    notes += [
        f"{name}: {TIMES_OUTSIDE}"
        for name, stream_chunks in chunks.items()
        if are_outside(stream_chunks, session, now)
    ]
    notes += [f"{name}: {NOT_USED}" for name in unused]
    wrist = wrist_of(session.streams)
    used = [[name for name in names if name not in unused] for names in (wrist.acc, wrist.gyro)]
    acc, gyro = (next((name for name in names if name in parts), None) for names in used)
    if acc is None:
        return notes
    if not is_on_wrist(session.streams[acc].get("placement")):
        notes.append(f"{acc}: {NOT_ON_WRIST}")
    by_clock = split_by_clock(chunks[acc])
    if len(by_clock) > 1:
        notes.append(f"{acc}: {CLOCK_WENT_BACK}")
    longest = max(by_clock, key=len)
    judged = await _judged_notes(
        records, user_id, session, (acc, longest), (gyro, chunks.get(gyro or "", ())), wrist.side
    )
    return [*judged, *notes]


async def _first_and_last_chunks(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    parts: Mapping[str, Sequence[int]],
    lists: Mapping[str, StreamList],
) -> StreamChunks:
    """The chunks of each stream that count, of its first partitions and its last one."""
    names = [name for name in session.streams if name in parts]
    pages = await asyncio.gather(
        *(
            records.samples.metadata(user_id, session.session_id, name, parts_to_read(parts[name]))
            for name in names
        )
    )
    return {
        name: counted_chunks(page, lists.get(name)) for name, page in zip(names, pages, strict=True)
    }


async def _judged_notes(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    acc: tuple[str, Sequence[ChunkMetadata]],
    gyro: tuple[str | None, Sequence[ChunkMetadata]],
    side: Side | None,
) -> list[str]:
    """The notes on the samples of a session's wrist.

    Args:
        records: the repositories.
        user_id: whose session.
        session: which one.
        acc: name and chunks, of one clock, of the acceleration.
        gyro: likewise of the rotation; None where there is none.
        side: of the wrist.
    """
    names, chunks = {"acc": acc[0], "gyro": gyro[0]}, {"acc": acc[1], "gyro": gyro[1]}
    if not chunks["acc"]:
        return []
    places = judged_places(chunks["acc"])
    turning = dict.fromkeys(chunk for place in places for chunk in beside(chunks["gyro"], place))
    acc_rows, gyro_rows = [
        await records.samples.rows(
            user_id, session.session_id, name or "", [(chunk.seq, chunk.sha256) for chunk in chosen]
        )
        for name, chosen in ((acc[0], chain.from_iterable(places)), (gyro[0], turning))
    ]
    notes = [*await asyncio.to_thread(_judge, acc_rows, gyro_rows, side)]
    apart = chunks["gyro"] and not _share_time(chunks["acc"], chunks["gyro"])
    if apart and ("gyro", NO_OVERLAP) not in notes:
        notes.append(("gyro", NO_OVERLAP))
    began_s = min(chunk.t0_ns for chunk in chunks["acc"]) / 1e9
    if session.ended_at and us_of(session.ended_at) / 1e6 - began_s > MAX_RECORDING_S:
        notes.append(("acc", LONGER_THAN_A_DAY))
    return [f"{names[sensor]}: {note}" for sensor, note in notes]


def _judge(
    acc: Sequence[SampleRow], gyro: Sequence[SampleRow], side: Side | None
) -> tuple[Note, ...]:
    """The notes on both sensors' samples."""
    acc_pieces, gyro_pieces = [tuple(map(piece_of, rows)) for rows in (acc, gyro)]
    return judge(Recording(acc_pieces, gyro_pieces, side)).notes


def _share_time(acc: Sequence[ChunkMetadata], gyro: Sequence[ChunkMetadata]) -> bool:
    """Whether the times of two streams overlap at all."""
    starts_ns = [min(chunk.t0_ns for chunk in chunks) for chunks in (acc, gyro)]
    ends_ns = [max(map(end_ns_of, chunks)) for chunks in (acc, gyro)]
    return max(starts_ns) < min(ends_ns)
