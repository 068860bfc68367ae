"""Loads the recording of one wrist from stored chunks."""

import itertools
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from uuid import UUID

from ingest.chunk_selection import (
    StreamChunks,
    chunks_of_spans,
    counted_chunks,
    extent_of,
    first_day_chunks,
    parts_of,
    require_single_bodies,
    within_samples,
)
from ingest.clock_parts import parts_by_clock, rotation_by_clock
from ingest.clocks import are_interleaved
from ingest.rows import end_ns_of, piece_of
from ingest.wrist_streams import in_turn, wrist_of
from models.signal.overlaps import is_resent
from models.signal.pieces import Piece, Recording
from schemas.errors import AmbiguousChunks, BadSamples
from schemas.notes import CLOCK_WENT_BACK, QualityNote
from schemas.times import NS_PER_S
from store.records import Records
from store.samples import ChunkMetadata
from store.sessions import SessionRow, StreamList

CONTEXT_NS = 60 * NS_PER_S  # wrong units and drifting clocks are detected in samples around a set


async def load_parts(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    lists: Mapping[str, StreamList],
    spans: Sequence[tuple[int, int]],
    context_ns: int = 0,
) -> AsyncGenerator[tuple[range, Recording | None]]:
    """The samples of several spans of a session, a few hours at a time: it may last for weeks.

    Whole chunks, in time order. Of a stream that `complete` listed exactly the listed chunks count,
    of others all stored ones. A part is loaded when it is asked for; which chunks there are is read
    once for all.

    Args:
        records: the repositories.
        user_id: whose session.
        session: the session.
        lists: of its streams.
        spans: first and last nanosecond of each, ordered by the first.
        context_ns: is loaded before and after each part as well.

    Yields:
        the positions of the spans of a part, and its recording; None where that is ambiguous or
        does not decode.
    """
    if not spans:
        return  # without reading which chunks there are
    wrist = wrist_of(session.streams)
    parts = parts_of(spans)
    extents = [extent_of(spans[part.start : part.stop], context_ns) for part in parts]
    acc, gyro = [
        _of_extents(await _counted_chunks(records, user_id, session, names, lists), extents)
        for names in (wrist.acc, wrist.gyro)
    ]
    for part, acc_chunks, gyro_chunks in zip(parts, acc, gyro, strict=True):
        try:
            _require_single_bodies(acc_chunks)
            _require_single_bodies(gyro_chunks)
            recording = await _recording_of(records, user_id, session, acc_chunks, gyro_chunks)
        except (AmbiguousChunks, BadSamples):
            recording = None
        yield part, recording


async def load_recordings(
    records: Records, user_id: UUID, session: SessionRow
) -> tuple[list[Recording], tuple[QualityNote, ...]]:
    """A whole session as one recording, or as several if its clock was set back while recording.

    At most a day is read, which is what `wrist_signals` uses, and `MAX_SAMPLES_READ` of a sensor.

    Returns:
        one recording for each clock whose samples would be interleaved with those of another, in
        the order in which they were recorded; and the notes about it.

    Raises:
        AmbiguousChunks: a number has two bodies, and no list says which counts.
        BadSamples: a row that does not decode.
    """
    lists = await records.sessions.lists(user_id, session.session_id)
    wrist = wrist_of(session.streams)
    acc, gyro = [
        await _first_day(records, user_id, session, names, lists)
        for names in (wrist.acc, wrist.gyro)
    ]
    acc_parts, gyro_parts = parts_by_clock(acc, gyro)
    notes = (CLOCK_WENT_BACK,) if len(acc_parts) > len(acc) else ()
    pairs = [(acc, gyro)]
    if are_interleaved([chunks for _, chunks in acc_parts]):
        rotation = rotation_by_clock(acc_parts, gyro_parts)
        pairs = [({name: of}, turn) for (name, of), turn in zip(acc_parts, rotation, strict=True)]
    recordings = [
        await _recording_of(records, user_id, session, acc_part, gyro_part)
        for acc_part, gyro_part in pairs
    ]
    return ([_merged(recordings)], ()) if _is_resent(recordings) else (recordings, notes)


async def unused_streams(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    stored: Iterable[str],
    lists: Mapping[str, StreamList],
) -> list[str]:
    """The streams among `stored` that are read as part of no recording, by name.

    They were worn elsewhere, or overlap another stream of their sensor and place.
    """
    wrist = wrist_of(session.streams)
    used: set[str] = set()
    for names in (wrist.acc, wrist.gyro):
        several = len(names) > 1
        used.update(
            await _counted_chunks(records, user_id, session, names, lists) if several else names
        )
    return sorted(set(stored) - used)


def _is_resent(recordings: Sequence[Recording]) -> bool:
    """Whether recordings of seemingly different clocks are the same samples, sent again."""
    pieces = _merged(recordings).acc if len(recordings) > 1 else ()
    return any(
        is_resent(before, after)
        for before, after in itertools.pairwise(pieces)
        if (after.counts != after.counts[0]).any()  # a stuck or motionless sensor always repeats
    )


def _merged(recordings: Sequence[Recording]) -> Recording:
    """One recording with the pieces of all, in time order."""
    acc, gyro = (
        sorted(itertools.chain.from_iterable(parts), key=lambda piece: piece.t0_ns)
        for parts in (
            [recording.acc for recording in recordings],
            [recording.gyro for recording in recordings],
        )
    )
    return Recording(acc=tuple(acc), gyro=tuple(gyro), side=recordings[0].side)


async def _recording_of(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    acc: StreamChunks,
    gyro: StreamChunks,
) -> Recording:
    """The samples of chunks of a session's wrist."""
    return Recording(
        acc=await _pieces(records, user_id, session, acc),
        gyro=await _pieces(records, user_id, session, gyro),
        side=wrist_of(session.streams).side,
    )


async def _first_day(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    names: Sequence[str],
    lists: Mapping[str, StreamList],
) -> StreamChunks:
    """The chunks of the first day of the streams of one sensor."""
    chunks = await _counted_chunks(records, user_id, session, names, lists)
    chosen = within_samples(first_day_chunks(chunks))
    _require_single_bodies(chosen)
    return chosen


async def _counted_chunks(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    names: Sequence[str],
    lists: Mapping[str, StreamList],
) -> StreamChunks:
    """The chunks that count of the streams of one sensor that are read as one recording."""
    if not names:
        return {}
    parts = await records.samples.parts(user_id, session.session_id)
    counted: dict[str, list[ChunkMetadata]] = {}
    for name in names:
        chunks = await records.samples.metadata(
            user_id, session.session_id, name, parts.get(name, [])
        )
        counted[name] = counted_chunks(chunks, lists.get(name))
    if len(names) == 1:
        return counted
    spans = {
        name: [(chunk.t0_ns, end_ns_of(chunk)) for chunk in chunks]
        for name, chunks in counted.items()
    }
    kept = sorted(in_turn(spans), key=lambda name: min(spans[name], default=(0, 0)))
    return {name: counted[name] for name in kept}


def _of_extents(chunks: StreamChunks, extents: Sequence[tuple[int, int]]) -> list[StreamChunks]:
    """The chunks that may hold samples of each extent."""
    by_stream = {name: chunks_of_spans(of_stream, extents) for name, of_stream in chunks.items()}
    return [
        within_samples({name: by_extent[n] for name, by_extent in by_stream.items()})
        for n in range(len(extents))
    ]


def _require_single_bodies(chunks: StreamChunks) -> None:
    """Refuse two bodies under one number; raises `AmbiguousChunks`."""
    for name, of_stream in chunks.items():
        require_single_bodies(name, of_stream)


async def _pieces(
    records: Records, user_id: UUID, session: SessionRow, chunks: StreamChunks
) -> tuple[Piece, ...]:
    """The samples of chunks of one sensor in time order."""
    pieces: list[Piece] = []
    for name, chosen in chunks.items():
        wanted = [(chunk.seq, chunk.sha256) for chunk in chosen]
        rows = await records.samples.rows(user_id, session.session_id, name, wanted)
        pieces += [piece_of(row) for row in rows]
    return tuple(sorted(pieces, key=lambda piece: piece.t0_ns))
