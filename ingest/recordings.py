"""From stored chunks to the recording of one wrist."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from ingest.clocks import CLOCK_BACK, are_mixed, by_clock
from ingest.rows import end_ns_of, piece_of
from models.signal.overlaps import sent_again
from models.signal.pieces import Piece, Recording, Side
from models.signal.wrist import LONGEST_S
from schemas.errors import AmbiguousChunks, NotFound
from store.records import Records
from store.samples import ChunkHead
from store.sessions import SessionRow, StreamList

WRISTS = ("wrist", "watch")
ELSEWHERE = "not-on-a-wrist"


@dataclass(frozen=True, slots=True)
class Wrist:
    """The streams of a session that belong to one wrist; a name is None where none was declared."""

    acc: str | None
    gyro: str | None
    side: Side | None


def wrist_of(streams: Mapping[str, Mapping[str, str | None]]) -> Wrist:
    """The wrist that training and answers use: the first with both sensors, else with acc.

    Streams belong together when placement and side are the same. What is worn elsewhere is used,
    as if it were a wrist, only where nothing on a wrist has acceleration (`is_on_wrist`).

    >>> acc = {"kind": "acc", "placement": "wrist", "side": "left"}
    >>> wrist_of({"a": acc, "g": {**acc, "kind": "gyro"}})
    Wrist(acc='a', gyro='g', side='left')
    """
    places: dict[tuple[str | None, str | None], dict[str, str]] = {}
    for name, stream in sorted(streams.items()):
        place = places.setdefault((stream.get("placement"), stream.get("side")), {})
        place.setdefault(str(stream["kind"]), name)
    usable = [one for one in sorted(places.items(), key=str) if "acc" in one[1]]
    worn = [one for one in usable if is_on_wrist(one[0][0])]
    found = [
        Wrist(kinds["acc"], kinds.get("gyro"), _side(side)) for (_, side), kinds in worn or usable
    ]
    both = [wrist for wrist in found if wrist.gyro]
    return (both or found or [Wrist(None, None, None)])[0]


def is_on_wrist(placement: str | None) -> bool:
    """Whether a placement says wrist, as it does where nobody said any.

    >>> [is_on_wrist(said) for said in (None, "Left Wrist", "watch", "pocket")]
    [True, True, True, False]
    """
    return placement is None or any(word in placement.casefold() for word in WRISTS)


def _side(side: str | None) -> Side | None:
    return side if side in ("left", "right") else None


async def load_recording(
    records: Records,
    user_id: UUID,
    session_id: UUID,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> Recording:
    """The chunks of a session's wrist that touch a span of time, whole, in time order.

    Of a stream that `complete` listed exactly the listed chunks count, of any other all that is
    held. Without a span no more is read than is looked at: `wrist_signals` takes a day.

    Raises:
        NotFound: no such session.
        AmbiguousChunks: two bodies under one number in that span, and no list decides.
        BadSamples: a row that does not decode.
    """
    session = await records.sessions.read(user_id, session_id)
    if session is None:
        raise NotFound(f"There is no session {session_id}")
    wrist = wrist_of(session.streams)
    lists = await records.sessions.lists(user_id, session_id)
    span = (start_ns, end_ns)
    acc = await load_stream(records, user_id, session, wrist.acc, lists, span)
    gyro = await load_stream(records, user_id, session, wrist.gyro, lists, span)
    return Recording(acc=acc, gyro=gyro, side=wrist.side)


async def load_stream(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    stream: str | None,
    lists: Mapping[str, StreamList],
    span: tuple[int | None, int | None],
) -> tuple[Piece, ...]:
    """The pieces of one stream that touch a span; none where the stream is None."""
    chosen = await _chosen(records, user_id, session, stream, lists, span)
    return await _pieces(records, user_id, session, stream, chosen)


async def load_recordings(
    records: Records, user_id: UUID, session: SessionRow
) -> tuple[list[Recording], tuple[str, ...]]:
    """A whole session as one recording; as several where its clock was set back in the middle.

    Returns:
        one for each clock whose samples would lie among those of another, in the order in which
        they were recorded; and what is to be said of it.

    Raises:
        AmbiguousChunks, BadSamples: as `load_recording`.
    """
    wrist = wrist_of(session.streams)
    lists = await records.sessions.lists(user_id, session.session_id)
    acc, gyro = [
        await _chosen(records, user_id, session, stream, lists, (None, None))
        for stream in (wrist.acc, wrist.gyro)
    ]
    acc_parts, gyro_parts = by_clock(acc), by_clock(gyro)
    notes = (CLOCK_BACK,) if len(acc_parts) > 1 else ()
    if not are_mixed(acc_parts):
        acc_parts, gyro_parts = [acc], [gyro]
    found: list[Recording] = []
    for one, other in itertools.zip_longest(acc_parts, gyro_parts, fillvalue=()):
        pieces = [
            await _pieces(records, user_id, session, stream, part)
            for stream, part in ((wrist.acc, one), (wrist.gyro, other))
        ]
        found.append(Recording(acc=pieces[0], gyro=pieces[1], side=wrist.side))
    return ([_as_one(found)], ()) if _is_sent_again(found) else (found, notes)


def _is_sent_again(found: Sequence[Recording]) -> bool:
    """Whether what seems to be of several clocks are the same samples under other numbers."""
    pieces = _as_one(found).acc if len(found) > 1 else ()
    return any(
        sent_again(before, after)
        for before, after in itertools.pairwise(pieces)
        if (after.counts != after.counts[0]).any()  # what hangs, or lies still, is always the same
    )


def _as_one(found: Sequence[Recording]) -> Recording:
    """All of their pieces in time order."""
    acc, gyro = (
        sorted(itertools.chain.from_iterable(parts), key=lambda piece: piece.t0_ns)
        for parts in ([one.acc for one in found], [one.gyro for one in found])
    )
    return Recording(acc=tuple(acc), gyro=tuple(gyro), side=found[0].side)


async def _chosen(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    stream: str | None,
    lists: Mapping[str, StreamList],
    span: tuple[int | None, int | None],
) -> list[ChunkHead]:
    """The chunks of one stream that touch a span, in the order of their numbers."""
    if stream is None:
        return []
    parts = (await records.samples.parts(user_id, session.session_id)).get(stream, [])
    heads = await records.samples.heads(user_id, session.session_id, stream, parts)
    chosen = decided(heads, lists.get(stream))
    chosen = of_first_day(chosen) if span == (None, None) else touching(chosen, *span)
    several = {head.seq for head, after in itertools.pairwise(chosen) if head.seq == after.seq}
    if several:
        raise AmbiguousChunks(
            f"chunk {min(several)} of stream {stream!r} holds two bodies; `complete` decides"
        )
    return chosen


async def _pieces(
    records: Records,
    user_id: UUID,
    session: SessionRow,
    stream: str | None,
    chosen: Sequence[ChunkHead],
) -> tuple[Piece, ...]:
    """The samples of these chunks, in time order; none of no stream."""
    if stream is None:
        return ()
    wanted = [(head.seq, head.sha256) for head in chosen]
    rows = await records.samples.rows(user_id, session.session_id, stream, wanted)
    return tuple(sorted((piece_of(row) for row in rows), key=lambda piece: piece.t0_ns))


def decided(heads: Iterable[ChunkHead], listed: StreamList | None) -> list[ChunkHead]:
    """The chunks that count: the listed ones, or all where there is no list yet."""
    return [head for head in heads if listed is None or is_listed(head, listed)]


def is_listed(head: ChunkHead, listed: StreamList) -> bool:
    """Whether a list names this body under its number."""
    return head.seq < len(listed.hashes) and listed.hashes[head.seq] == head.sha256


def of_first_day(heads: Sequence[ChunkHead]) -> list[ChunkHead]:
    """The chunks up to `LONGEST_S` in all, pauses between them not counted.

    A chunk lasts until the next number begins where that comes sooner than its rate says.
    """
    kept: list[ChunkHead] = []
    left_ns = LONGEST_S * 1e9
    for head, after in itertools.zip_longest(heads, heads[1:]):
        if left_ns < 0:
            break
        kept.append(head)
        end_ns = end_ns_of(head) if after is None else min(end_ns_of(head), after.t0_ns)
        left_ns -= max(0, end_ns - head.t0_ns)
    return kept


def touching(
    heads: Sequence[ChunkHead], start_ns: int | None, end_ns: int | None
) -> list[ChunkHead]:
    """The chunks that may hold samples of a span.

    A chunk lasts as long as its rate or its own times say, or until the next number begins: devices
    drift.
    """
    return [
        head
        for at, head in enumerate(heads)
        if (end_ns is None or head.t0_ns <= end_ns)
        and (start_ns is None or _lasts_until(heads, at, start_ns))
    ]


def _lasts_until(heads: Sequence[ChunkHead], at: int, time_ns: int) -> bool:
    """Whether chunk `at` reaches a time by itself, or because the next number begins after it."""
    head = heads[at]
    later = [h.t0_ns for h in heads[at + 1 : at + 3] if h.seq != head.seq]
    return any(t0_ns >= time_ns for t0_ns in later[:1]) or end_ns_of(head) >= time_ns
