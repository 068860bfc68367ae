"""`complete`: the client lists the hashes of its chunks, and that list is the session."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from ingest.decisions import Decisions, Take, take_nothing
from ingest.openings import TOPIC, existing, offset_of
from ingest.projections import Held, project_all, settle
from schemas.errors import BadEvent, EventConflict, MissingChunks, TooLarge
from schemas.events import Completion
from schemas.wire import LIST_BYTES
from store.journal import Event
from store.records import Records
from store.samples import ChunkHead
from store.sessions import SessionRow, StreamList

_TRIES = 8
TRAVEL_MS = 60_000  # no request lives longer: what differs by more does not differ by its travel
_TOGETHER_CHUNKS = 400  # hashes in one round of the journal: some 27 KB


async def complete(
    decisions: Decisions,
    user_id: UUID,
    session_id: UUID,
    completion: Completion,
    take: Take = take_nothing,
) -> SessionRow:
    """Accept the lists of a session's streams; a repeat changes nothing, a longer list extends.

    The journal keeps every accepted list whole, so `take` is told its bytes: a client may send its
    hashes one by one.

    Args:
        decisions: the door to the journal.
        user_id: whose session.
        session_id: which one.
        completion: the lists.
        take: told the bytes of the lists that are about to be kept; a repeat keeps none.

    Raises:
        LimitExceeded: what `take` raises.
        NotFound, Deleted: no such session.
        BadEvent: the session has no such stream.
        TooLarge: a list that is longer than the journal can hold.
        MissingChunks: chunks that are listed but not held, by stream.
        EventConflict: a list that neither repeats nor extends the one that is kept.
    """
    session = await existing(decisions, user_id, session_id)
    _refuse_unknown(completion, session)
    asked = {name: trimmed(hashes) for name, hashes in sorted(completion.streams.items())}
    for name, hashes in asked.items():
        _refuse_long(name, hashes)
    held = await heads_of(decisions.records, user_id, session_id, completion.streams)
    missing = {
        name: gone
        for name, hashes in completion.streams.items()
        if (gone := missing_numbers(hashes, held[name]))
    }
    if missing:
        count = sum(len(numbers) for numbers in missing.values())
        raise MissingChunks(f"{count} listed chunks are not held; send them", missing=missing)
    sender_ms, known = offset_of(decisions, completion.sent_at), session.clock_offset_ms
    offsets_ms = {name: nearer_offset_ms(known.get(name), sender_ms) for name in asked}
    await _list_streams(decisions, user_id, session_id, asked, offsets_ms, held, take)
    return await existing(decisions, user_id, session_id)


def _refuse_unknown(completion: Completion, session: SessionRow) -> None:
    """Raise `BadEvent` where a list is of a stream that the session does not have."""
    for name in completion.streams:
        if name not in session.streams:
            raise BadEvent(
                f"the session has no stream {name!r}; it has {', '.join(session.streams)}",
                field=f"streams.{name}",
                value=name,
            )


def list_bytes(hashes: Sequence[str | None]) -> int:
    """What a list takes in the journal.

    >>> list_bytes(["0" * 64, None])
    72
    """
    nulls = hashes.count(None)
    return 67 * (len(hashes) - nulls) + 5 * nulls


def _refuse_long(stream: str, hashes: Sequence[str | None]) -> None:
    size = list_bytes(hashes)
    if size > LIST_BYTES:
        raise TooLarge(
            f"the list of stream {stream!r} takes {size} bytes; at most {LIST_BYTES} can be kept",
            field=f"streams.{stream}",
            value=len(hashes),
        )


def nearer_offset_ms(known_ms: int | None, sender_ms: int | None) -> int | None:
    """The clock offset to note for a stream now that somebody completes it; None to keep the known.

    Of several measurements the one that travelled the shortest time is nearest the truth. One that
    is far below comes from another device: a phone may complete what its watch has recorded.

    Args:
        known_ms: how far the server's clock is ahead of the stream's, as its own device opened it.
        sender_ms: how far it is ahead of the clock of whoever completes.

    >>> [nearer_offset_ms(140, sender_ms) for sender_ms in (20, 900, 7_200_000, -7_200_000, None)]
    [20, None, None, None, None]
    >>> nearer_offset_ms(None, 20)
    20
    """
    if known_ms is None or sender_ms is None:
        return sender_ms if known_ms is None else None
    return sender_ms if known_ms - TRAVEL_MS <= sender_ms < known_ms else None


async def heads_of(
    records: Records, user_id: UUID, session_id: UUID, streams: Iterable[str]
) -> dict[str, list[ChunkHead]]:
    """What is held of each stream."""
    names = list(streams)
    parts = await records.samples.parts(user_id, session_id)
    pages = await asyncio.gather(
        *(records.samples.heads(user_id, session_id, n, parts.get(n, [])) for n in names)
    )
    return dict(zip(names, pages, strict=True))


def missing_numbers(hashes: Sequence[str | None], held: Iterable[ChunkHead]) -> list[int]:
    """Numbers of a list whose body is not held.

    >>> missing_numbers(["aa", None], [])
    [0]
    """
    end = len(hashes)
    there = {head.seq for head in held if head.seq < end and hashes[head.seq] == head.sha256.hex()}
    return [seq for seq, one in enumerate(hashes) if one is not None and seq not in there]


def trimmed(hashes: Sequence[str | None]) -> list[str | None]:
    """The list without the empty numbers at its end, which say nothing.

    >>> trimmed(["aa", None, "bb", None])
    ['aa', None, 'bb']
    """
    kept = list(hashes)
    while kept and kept[-1] is None:
        kept.pop()
    return kept


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Sorted numbers as [first, last] pairs.

    >>> ranges([0, 1, 2, 5])
    [[0, 2], [5, 5]]
    """
    found: list[list[int]] = []
    for number in numbers:
        if found and number <= found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found


def several(heads: Iterable[ChunkHead]) -> dict[int, list[str]]:
    """Numbers that hold more than one body, with the bodies' hashes."""
    bodies: dict[int, list[str]] = {}
    for head in heads:
        bodies.setdefault(head.seq, []).append(head.sha256.hex())
    return {seq: hashes for seq, hashes in bodies.items() if len(hashes) > 1}


async def _list_streams(
    decisions: Decisions,
    user_id: UUID,
    session_id: UUID,
    asked: Mapping[str, list[str | None]],
    offsets_ms: Mapping[str, int | None],
    held: Held,
    take: Take,
) -> None:
    """Have the journal decide the lists of streams: each revision of a list has one successor."""
    records, waiting = decisions.records, dict(asked)
    for _ in range(_TRIES):
        lists = await records.sessions.lists(user_id, session_id)
        kept_before = [name for name in waiting if _is_kept(lists.get(name), waiting[name])]
        if kept_before:  # the first try may have died half way
            await settle(records, user_id, session_id, kept_before, decisions.now_us(), held)
        for name in kept_before:
            del waiting[name]
        events = [
            _listing(decisions, session_id, name, hashes, lists.get(name), offsets_ms[name])
            for name, hashes in waiting.items()
        ]
        if waiting:
            take(sum(map(list_bytes, waiting.values())))
        kept = await _decide(decisions, user_id, events, chunks=sum(map(len, waiting.values())))
        await project_all(records, user_id, kept, decisions.now_us(), held)
        for name, ours, theirs in zip(list(waiting), events, kept, strict=True):
            if theirs.says_the_same(ours):
                del waiting[name]
        if not waiting:
            return
    names = ", ".join(waiting)
    raise EventConflict(f"the lists of {names} are being changed by others; send them again")


def _is_kept(current: StreamList | None, hashes: Sequence[str | None]) -> bool:
    """Whether a list repeats the kept one, or the beginning of it."""
    return current is not None and list(hashes) == _texts(current)[: len(hashes)]


def _texts(current: StreamList | None) -> list[str | None]:
    return [one.hex() or None for one in current.hashes] if current else []


def _listing(
    decisions: Decisions,
    session_id: UUID,
    stream: str,
    hashes: list[str | None],
    current: StreamList | None,
    offset_ms: int | None,
) -> Event:
    """The event by which a list succeeds the kept one.

    Raises:
        EventConflict: it contradicts that one.
    """
    kept = _texts(current)
    if hashes[: len(kept)] != kept:
        raise _contradiction(stream, kept, hashes)
    revision = current.revision if current else 0
    return decisions.event(
        session_id,
        ("list", stream, revision),
        "stream-listed",
        {"stream": stream, "hashes": hashes},
        after_us=revision,
        meta={"offset_ms": offset_ms},
    )


async def _decide(
    decisions: Decisions, user_id: UUID, events: Sequence[Event], *, chunks: int
) -> list[Event]:
    """Decide events; what stands in their slots. One round for short lists, else one by one."""
    journal = decisions.records.journal
    if chunks <= _TOGETHER_CHUNKS:
        return await journal.append_all(user_id, events, TOPIC)
    return [await journal.append(user_id, event, TOPIC) for event in events]


def _contradiction(
    stream: str, kept: Sequence[str | None], hashes: Sequence[str | None]
) -> EventConflict:
    pairs: Mapping[int, tuple[str | None, str | None]] = dict(
        enumerate(zip(kept, hashes, strict=False))
    )
    at = next(seq for seq, (one, other) in pairs.items() if one != other)
    return EventConflict(
        f"chunk {at} of stream {stream!r} is listed as {kept[at]} already; a list may only grow"
    )
