"""Loads the recording of one wrist from stored chunks."""

import itertools
from collections.abc import AsyncGenerator, Iterable, Sequence

from ingest.chunk_selection import (
    StreamChunks,
    chunks_of_spans,
    extent_of,
    first_day_chunks,
    portions_of,
    require_single_bodies,
    within_samples,
)
from ingest.clock_parts import parts_by_clock, rotation_by_clock
from ingest.clocks import are_interleaved
from ingest.sample_rows import end_ns_of, piece_of
from ingest.stored_session import StoredSession
from ingest.wrist_streams import in_turn
from models.signal.overlaps import is_resent
from models.signal.pieces import Piece, Recording
from schemas.errors import AmbiguousChunks, BadSamples
from schemas.notes import CLOCK_WENT_BACK, QualityNote
from schemas.times import NS_PER_S, SpanNs

CONTEXT_NS = 60 * NS_PER_S  # wrong units and drifting clocks are detected in samples around a set


async def load_portions(
    stored: StoredSession, spans: Sequence[SpanNs], context_ns: int = 0
) -> AsyncGenerator[tuple[range, Recording | None]]:
    """The samples of several spans of a session, a few hours at a time: it may last for weeks.

    Whole chunks, in time order. Of a stream that `complete` listed exactly the listed chunks count,
    of others all stored ones. A portion is loaded when it is asked for; which chunks there are is
    read once for all.

    Args:
        stored: the session.
        spans: ordered by their begin.
        context_ns: is loaded before and after each portion as well.

    Yields:
        the positions of the spans of a portion, and its recording; None where that is ambiguous or
        does not decode.
    """
    if not spans:
        return  # without reading which chunks there are
    portions = portions_of(spans)
    extents = [extent_of(spans[portion.start : portion.stop], context_ns) for portion in portions]
    acc, gyro = [
        _of_extents(await _counted_chunks(stored, names), extents)
        for names in (stored.wrist.acc, stored.wrist.gyro)
    ]
    for portion, acc_chunks, gyro_chunks in zip(portions, acc, gyro, strict=True):
        try:
            require_single_bodies(acc_chunks)
            require_single_bodies(gyro_chunks)
            recording = await _recording_of(stored, acc_chunks, gyro_chunks)
        except (AmbiguousChunks, BadSamples):
            recording = None
        yield portion, recording


async def load_recordings(
    stored: StoredSession,
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
    acc, gyro = [await _first_day(stored, names) for names in (stored.wrist.acc, stored.wrist.gyro)]
    acc_parts, gyro_parts = parts_by_clock(acc, gyro)
    notes = (CLOCK_WENT_BACK,) if len(acc_parts) > len(acc) else ()
    pairs = [(acc, gyro)]
    if are_interleaved([chunks for _, chunks in acc_parts]):
        rotation = rotation_by_clock(acc_parts, gyro_parts)
        pairs = [({name: of}, turn) for (name, of), turn in zip(acc_parts, rotation, strict=True)]
    recordings = [await _recording_of(stored, acc_part, gyro_part) for acc_part, gyro_part in pairs]
    return ([_merged(recordings)], ()) if _is_resent(recordings) else (recordings, notes)


async def unused_streams(stored: StoredSession, names: Iterable[str]) -> list[str]:
    """The streams among `names` that are read as part of no recording, by name.

    They were worn elsewhere, or overlap another stream of their sensor and place.
    """
    used: set[str] = set()
    for of_sensor in (stored.wrist.acc, stored.wrist.gyro):
        several = len(of_sensor) > 1
        used.update(await _counted_chunks(stored, of_sensor) if several else of_sensor)
    return sorted(set(names) - used)


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


async def _recording_of(stored: StoredSession, acc: StreamChunks, gyro: StreamChunks) -> Recording:
    """The samples of chunks of a session's wrist."""
    return Recording(
        acc=await _pieces(stored, acc), gyro=await _pieces(stored, gyro), side=stored.wrist.side
    )


async def _first_day(stored: StoredSession, names: Sequence[str]) -> StreamChunks:
    """The chunks of the first day of the streams of one sensor."""
    chosen = within_samples(first_day_chunks(await _counted_chunks(stored, names)))
    require_single_bodies(chosen)
    return chosen


async def _counted_chunks(stored: StoredSession, names: Sequence[str]) -> StreamChunks:
    """The chunks that count of the streams of one sensor that are read as one recording."""
    if not names:
        return {}
    parts = await stored.parts()
    counted = {name: await stored.counted(name, parts.get(name, [])) for name in names}
    if len(names) == 1:
        return counted
    spans = {
        name: [(chunk.t0_ns, end_ns_of(chunk)) for chunk in chunks]
        for name, chunks in counted.items()
    }
    kept = sorted(in_turn(spans), key=lambda name: min(spans[name], default=(0, 0)))
    return {name: counted[name] for name in kept}


def _of_extents(chunks: StreamChunks, extents: Sequence[SpanNs]) -> list[StreamChunks]:
    """The chunks that may hold samples of each extent."""
    by_stream = {name: chunks_of_spans(of_stream, extents) for name, of_stream in chunks.items()}
    return [
        within_samples({name: by_extent[n] for name, by_extent in by_stream.items()})
        for n in range(len(extents))
    ]


async def _pieces(stored: StoredSession, chunks: StreamChunks) -> tuple[Piece, ...]:
    """The samples of chunks of one sensor in time order."""
    pieces: list[Piece] = []
    for name, chosen in chunks.items():
        pieces += [piece_of(row) for row in await stored.rows(name, chosen)]
    return tuple(sorted(pieces, key=lambda piece: piece.t0_ns))
