"""Loads the recording of one wrist from stored chunks."""

import itertools
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ingest.chunk_selection import (
    chunks_of_spans,
    counted_chunks,
    extent_of,
    first_day_chunks,
    parts_of,
    require_single_bodies,
)
from ingest.clocks import CLOCK_WENT_BACK, are_interleaved, split_by_clock
from ingest.rows import piece_of
from models.signal.overlaps import is_resent
from models.signal.pieces import Piece, Recording, Side
from schemas.errors import AmbiguousChunks, BadSamples
from store.records import Records
from store.samples import ChunkMetadata
from store.sessions import SessionRow, StreamList

WRIST_PLACEMENTS = ("wrist", "watch")
NOT_ON_WRIST = "not-on-a-wrist"


@dataclass(frozen=True, slots=True)
class WristStreams:
    """Names of the streams of one wrist; None where a session declares no such sensor."""

    acc: str | None
    gyro: str | None
    side: Side | None


def wrist_of(streams: Mapping[str, Mapping[str, str | None]]) -> WristStreams:
    """The wrist that training and answers use: the first with both sensors, else with acceleration.

    Streams belong together when placement and side are the same. A device worn elsewhere is used as
    if it were on a wrist, but only where no wrist has acceleration (`is_on_wrist`).

    >>> acc = {"kind": "acc", "placement": "wrist", "side": "left"}
    >>> wrist_of({"a": acc, "g": {**acc, "kind": "gyro"}})
    WristStreams(acc='a', gyro='g', side='left')
    """
    places: dict[tuple[str | None, str | None], dict[str, str]] = {}
    for name, stream in sorted(streams.items()):
        place = places.setdefault((stream.get("placement"), stream.get("side")), {})
        place.setdefault(str(stream["kind"]), name)
    usable = [(place, kinds) for place, kinds in sorted(places.items(), key=str) if "acc" in kinds]
    on_wrist = [(place, kinds) for place, kinds in usable if is_on_wrist(place[0])]
    candidates = [
        WristStreams(kinds["acc"], kinds.get("gyro"), _side(side))
        for (_, side), kinds in on_wrist or usable
    ]
    with_both = [wrist for wrist in candidates if wrist.gyro]
    return (with_both or candidates or [WristStreams(None, None, None)])[0]


def is_on_wrist(placement: str | None) -> bool:
    """Whether a placement names a wrist; a missing one counts as a wrist.

    >>> [is_on_wrist(text) for text in (None, "Left Wrist", "watch", "pocket")]
    [True, True, True, False]
    """
    return placement is None or any(word in placement.casefold() for word in WRIST_PLACEMENTS)


def _side(side: str | None) -> Side | None:
    return side if side in ("left", "right") else None


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
        chunks_of_spans(await _counted_chunks(records, user_id, session, name, lists), extents)
        for name in (wrist.acc, wrist.gyro)
    ]
    for part, acc_chunks, gyro_chunks in zip(parts, acc, gyro, strict=True):
        try:
            require_single_bodies(wrist.acc, acc_chunks)
            require_single_bodies(wrist.gyro, gyro_chunks)
            recording = await _recording_of(records, user_id, session, acc_chunks, gyro_chunks)
        except (AmbiguousChunks, BadSamples):
            recording = None
        yield part, recording


async def load_recordings(
    records: Records, user_id: UUID, session: SessionRow
) -> tuple[list[Recording], tuple[str, ...]]:
    """A whole session as one recording, or as several if its clock was set back while recording.

    At most a day is read, which is what `wrist_signals` uses.

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
        await _first_day(records, user_id, session, name, lists) for name in (wrist.acc, wrist.gyro)
    ]
    acc_parts, gyro_parts = split_by_clock(acc), split_by_clock(gyro)
    notes = (CLOCK_WENT_BACK,) if len(acc_parts) > 1 else ()
    if not are_interleaved(acc_parts):
        acc_parts, gyro_parts = [acc], [gyro]
    recordings = [
        await _recording_of(records, user_id, session, acc_part, gyro_part)
        for acc_part, gyro_part in itertools.zip_longest(acc_parts, gyro_parts, fillvalue=())
    ]
    return ([_merged(recordings)], ()) if _is_resent(recordings) else (recordings, notes)


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
    acc: Sequence[ChunkMetadata],
    gyro: Sequence[ChunkMetadata],
) -> Recording:
    """The samples of chunks of a session's wrist."""
    wrist = wrist_of(session.streams)
    return Recording(
        acc=await _pieces(records, user_id, session, wrist.acc, acc),
        gyro=await _pieces(records, user_id, session, wrist.gyro, gyro),
        side=wrist.side,
    )


async def _first_day(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    stream: str | None,
    lists: Mapping[str, StreamList],
) -> list[ChunkMetadata]:
    """The chunks of the first day of one stream, ordered by number."""
    chosen = first_day_chunks(await _counted_chunks(records, user_id, session, stream, lists))
    require_single_bodies(stream, chosen)
    return chosen


async def _counted_chunks(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    stream: str | None,
    lists: Mapping[str, StreamList],
) -> list[ChunkMetadata]:
    """The chunks of one stream that count, ordered by number; none where the stream is None."""
    if stream is None:
        return []
    parts = (await records.samples.parts(user_id, session.session_id)).get(stream, [])
    chunks = await records.samples.metadata(user_id, session.session_id, stream, parts)
    return counted_chunks(chunks, lists.get(stream))


async def _pieces(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    stream: str | None,
    chosen: Sequence[ChunkMetadata],
) -> tuple[Piece, ...]:
    """The samples of chunks in time order; none where the stream is None."""
    if stream is None:
        return ()
    wanted = [(chunk.seq, chunk.sha256) for chunk in chosen]
    rows = await records.samples.rows(user_id, session.session_id, stream, wanted)
    return tuple(sorted((piece_of(row) for row in rows), key=lambda piece: piece.t0_ns))
