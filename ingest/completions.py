"""Completes sessions: the client lists the hashes of its chunks, which define the session."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from ingest import slots
from ingest.chunk_selection import StreamChunks
from ingest.event_writer import ChargeBytes, EventWriter, charge_nothing
from ingest.projections import project_all, project_lists
from ingest.sessions import TOPIC, require_session, sender_offset_ms
from schemas.errors import BadEvent, EventConflict, MissingChunks, TooLarge
from schemas.events import Completion
from schemas.wire import LIST_BYTES
from store.journal import Event
from store.records import Records
from store.samples import ChunkMetadata
from store.sessions import SessionRow, StreamList, newest_revision

_MAX_ATTEMPTS = 8
MAX_TRAVEL_MS = 60_000  # no request takes longer: a larger difference is not travel time
_MAX_BATCH_HASHES = 400  # hashes that are appended in one batch: some 27 KB


async def complete(
    writer: EventWriter,
    user_id: UUID,
    session_id: UUID,
    completion: Completion,
    charge: ChargeBytes = charge_nothing,
) -> SessionRow:
    """Accept the lists of a session's streams: a repeat changes nothing, a longer list extends.

    The journal stores every accepted list in full, so each is charged: a client may send its hashes
    one by one.

    Args:
        writer: of the journal.
        user_id: whose session.
        session_id: which one.
        completion: the lists.
        charge: called with the bytes of the lists that are about to be stored; not for a repeat.

    Raises:
        LimitExceeded: what `charge` raises.
        NotFound, Deleted: no such session.
        BadEvent: the session has no such stream.
        TooLarge: a list that is longer than the journal can hold.
        MissingChunks: chunks that are listed but not stored, by stream.
        EventConflict: a list that neither repeats nor extends the stored one.
    """
    session = await require_session(writer, user_id, session_id)
    _check_streams(completion, session)
    requested = {name: trimmed(hashes) for name, hashes in sorted(completion.streams.items())}
    for name, hashes in requested.items():
        _check_length(name, hashes)
    stored_chunks = await chunk_metadata(writer.records, user_id, session_id, completion.streams)
    missing = {
        name: numbers
        for name, hashes in completion.streams.items()
        if (numbers := missing_numbers(hashes, stored_chunks[name]))
    }
    if missing:
        count = sum(len(numbers) for numbers in missing.values())
        raise MissingChunks(f"{count} listed chunks are not held; send them", missing=missing)
    sender_ms, known = sender_offset_ms(writer, completion.sent_at), session.clock_offset_ms
    offsets_ms = {name: better_offset_ms(known.get(name), sender_ms) for name in requested}
    await _list_streams(writer, user_id, session_id, requested, offsets_ms, stored_chunks, charge)
    return await require_session(writer, user_id, session_id)


def _check_streams(completion: Completion, session: SessionRow) -> None:
    """Raise `BadEvent` for a list of a stream that the session does not have."""
    for name in completion.streams:
        if name not in session.streams:
            raise BadEvent(
                f"the session has no stream {name!r}; it has {', '.join(session.streams)}",
                field=f"streams.{name}",
                value=name,
            )


def list_bytes(hashes: Sequence[str | None]) -> int:
    """The size of a list in the journal, bytes.

    >>> list_bytes(["0" * 64, None])
    72
    """
    nulls = hashes.count(None)
    return 67 * (len(hashes) - nulls) + 5 * nulls


def _check_length(stream: str, hashes: Sequence[str | None]) -> None:
    size = list_bytes(hashes)
    if size > LIST_BYTES:
        raise TooLarge(
            f"the list of stream {stream!r} takes {size} bytes; at most {LIST_BYTES} can be stored",
            field=f"streams.{stream}",
            value=len(hashes),
        )


def better_offset_ms(known_ms: int | None, sender_ms: int | None) -> int | None:
    """A more exact clock offset for a stream that is completed; None to keep the known one.

    An offset includes the travel time of its request, so the smallest measurement is the best one.
    One that is far smaller comes from another device: a phone may complete what its watch recorded.

    Args:
        known_ms: how far the server's clock is ahead of the stream's, measured when it was opened.
        sender_ms: how far it is ahead of the clock of the device that completes the session.

    >>> [better_offset_ms(140, sender_ms) for sender_ms in (20, 900, 7_200_000, -7_200_000, None)]
    [20, None, None, None, None]
    >>> better_offset_ms(None, 20)
    20
    """
    if known_ms is None or sender_ms is None:
        return sender_ms if known_ms is None else None
    return sender_ms if known_ms - MAX_TRAVEL_MS <= sender_ms < known_ms else None


async def chunk_metadata(
    records: Records, user_id: UUID, session_id: UUID, streams: Iterable[str]
) -> dict[str, list[ChunkMetadata]]:
    """The stored chunks of each stream, without their samples."""
    names = list(streams)
    parts = await records.samples.parts(user_id, session_id)
    pages = await asyncio.gather(
        *(records.samples.metadata(user_id, session_id, n, parts.get(n, [])) for n in names)
    )
    return dict(zip(names, pages, strict=True))


def missing_numbers(
    hashes: Sequence[str | None], stored_chunks: Iterable[ChunkMetadata]
) -> list[int]:
    """Numbers of a list whose body is not stored.

    >>> missing_numbers(["aa", None], [])
    [0]
    """
    end = len(hashes)
    stored = {
        chunk.seq
        for chunk in stored_chunks
        if chunk.seq < end and hashes[chunk.seq] == chunk.sha256.hex()
    }
    return [seq for seq, sha256 in enumerate(hashes) if sha256 is not None and seq not in stored]


def trimmed(hashes: Sequence[str | None]) -> list[str | None]:
    """The list without trailing empty numbers, which carry no information.

    >>> trimmed(["aa", None, "bb", None])
    ['aa', None, 'bb']
    """
    trimmed_hashes = list(hashes)
    while trimmed_hashes and trimmed_hashes[-1] is None:
        trimmed_hashes.pop()
    return trimmed_hashes


def ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Sorted numbers as [first, last] pairs.

    >>> ranges([0, 1, 2, 5])
    [[0, 2], [5, 5]]
    """
    pairs: list[list[int]] = []
    for number in numbers:
        if pairs and number <= pairs[-1][1] + 1:
            pairs[-1][1] = number
        else:
            pairs.append([number, number])
    return pairs


def conflicting_bodies(chunks: Iterable[ChunkMetadata]) -> dict[int, list[str]]:
    """Numbers that hold more than one body, with the bodies' hashes."""
    bodies: dict[int, list[str]] = {}
    for chunk in chunks:
        bodies.setdefault(chunk.seq, []).append(chunk.sha256.hex())
    return {seq: hashes for seq, hashes in bodies.items() if len(hashes) > 1}


async def _list_streams(
    writer: EventWriter,
    user_id: UUID,
    session_id: UUID,
    requested: Mapping[str, list[str | None]],
    offsets_ms: Mapping[str, int | None],
    stored_chunks: StreamChunks,
    charge: ChargeBytes,
) -> None:
    """Append the lists of streams to the journal: each revision of a list has one successor."""
    records, waiting = writer.records, dict(requested)
    for _ in range(_MAX_ATTEMPTS):
        lists = await records.sessions.lists(user_id, session_id)
        repeated = [name for name in waiting if _is_stored(lists.get(name), waiting[name])]
        if repeated:  # the first attempt may have failed half way
            await project_lists(
                records, user_id, session_id, repeated, writer.now_us(), stored_chunks
            )
        for name in repeated:
            del waiting[name]
        events = [
            _listing(writer, session_id, name, hashes, lists, offsets_ms[name])
            for name, hashes in waiting.items()
        ]
        if waiting:
            charge(sum(map(list_bytes, waiting.values())))
        stored = await _append(writer, user_id, events, hashes=sum(map(len, waiting.values())))
        await project_all(records, user_id, stored, writer.now_us(), stored_chunks)
        for name, wanted, winner in zip(list(waiting), events, stored, strict=True):
            if winner.matches(wanted):
                del waiting[name]
        if not waiting:
            return
    names = ", ".join(waiting)
    raise EventConflict(f"the lists of {names} are being changed by others; send them again")


def _is_stored(current: StreamList | None, hashes: Sequence[str | None]) -> bool:
    """Whether a list repeats the stored one, or a prefix of it."""
    return current is not None and list(hashes) == _hex(current)[: len(hashes)]


def _hex(current: StreamList | None) -> list[str | None]:
    return [sha256.hex() or None for sha256 in current.hashes] if current else []


def _listing(
    writer: EventWriter,
    session_id: UUID,
    stream: str,
    hashes: list[str | None],
    lists: Mapping[str, StreamList],
    offset_ms: int | None,
) -> Event:
    """The event that extends the stored list, dated after those of all streams.

    Raises:
        EventConflict: the list contradicts the stored one.
    """
    current = lists.get(stream)
    stored = _hex(current)
    if hashes[: len(stored)] != stored:
        raise _contradiction(stream, stored, hashes)
    revision = current.revision if current else 0
    return writer.event(
        session_id,
        slots.stream_listed(session_id, stream, revision),
        "stream-listed",
        {"stream": stream, "hashes": hashes},
        after_us=newest_revision(lists),
        meta={"offset_ms": offset_ms},
    )


async def _append(
    writer: EventWriter, user_id: UUID, events: Sequence[Event], *, hashes: int
) -> list[Event]:
    """Append events, short lists in one batch; the events that are in their slots afterwards."""
    journal = writer.records.journal
    if hashes <= _MAX_BATCH_HASHES:
        return await journal.append_all(user_id, events, TOPIC)
    return [await journal.append(user_id, event, TOPIC) for event in events]


def _contradiction(
    stream: str, stored: Sequence[str | None], hashes: Sequence[str | None]
) -> EventConflict:
    pairs = enumerate(zip(stored, hashes, strict=False))
    at = next(seq for seq, (before, now) in pairs if before != now)
    return EventConflict(
        f"chunk {at} of stream {stream!r} is listed as {stored[at]} already; a list may only grow"
    )
